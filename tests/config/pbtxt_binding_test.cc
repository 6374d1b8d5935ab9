// SPDX-License-Identifier: Apache-2.0
// config.pbtxt onto messages: the same messages as from YAML, and the places of errors.
#include <catch2/catch.hpp>
#include <string>

#include "tests/config/config_test_util.h"

namespace omserve::config {
namespace {

std::string TextError(const std::string& text) { return BindError(TextFormat::kPbtxt, text); }

inference::ModelConfig From(TextFormat format, const std::string& text) {
  inference::ModelConfig config;
  REQUIRE_OK(BindText(format, text, "f", config));
  return config;
}

// A configuration as people write it for an image model, in three notations, is one message.
TEST_CASE("pbtxt, YAML and JSON of one configuration are equal") {
  const inference::ModelConfig text = From(TextFormat::kPbtxt, R"(
# An image classifier.
name: "resnet"
max_batch_size: 32
input [
  {
    name: "image"
    data_type: TYPE_FP32
    format: FORMAT_NCHW
    dims: [ 3, 224, 224 ]
  }
]
output [
  { name: "prob" data_type: TYPE_FP32 dims: [ 1000 ] label_filename: "labels.txt" }
]
instance_group [ { count: 2 kind: KIND_AUTO } ]
dynamic_batching {
  preferred_batch_size: [ 8, 16 ]
  max_queue_delay_microseconds: 100
}
version_policy: { specific { versions: [1, 3] } }
parameters { key: "priority" value: { string_value: "high" } }
)");
  const inference::ModelConfig yaml = From(TextFormat::kYaml, R"(
name: resnet
max_batch_size: 32
input:
  - {name: image, data_type: TYPE_FP32, format: FORMAT_NCHW, dims: [3, 224, 224]}
output:
  - {name: prob, data_type: TYPE_FP32, dims: [1000], label_filename: labels.txt}
instance_group:
  - {count: 2, kind: KIND_AUTO}
dynamic_batching:
  preferred_batch_size: [8, 16]
  max_queue_delay_microseconds: 100us
version_policy: {specific: {versions: [1, 3]}}
parameters:
  priority: {string_value: high}
)");
  const inference::ModelConfig json = From(TextFormat::kJson, R"({
"name": "resnet", "max_batch_size": 32,
"input": [{"name": "image", "data_type": "TYPE_FP32", "format": "FORMAT_NCHW",
           "dims": [3, "224", 224]}],
"output": [{"name": "prob", "dataType": "TYPE_FP32", "dims": [1000],
            "label_filename": "labels.txt"}],
"instance_group": [{"count": 2, "kind": "KIND_AUTO"}],
"dynamic_batching": {"preferred_batch_size": [8, 16], "max_queue_delay_microseconds": 100},
"version_policy": {"specific": {"versions": [1, 3]}},
"parameters": {"priority": {"string_value": "high"}}})");
  CHECK(SameMessage(text, yaml));
  CHECK(SameMessage(text, json));
}

// The places of fields, list elements and map entries are kept, tabs counted as one column.
TEST_CASE("places of a pbtxt") {
  inference::ModelConfig config;
  const SourceMap source = VALUE(BindText(TextFormat::kPbtxt,
                                          "name: \"m\"\n"
                                          "max_batch_size: 0\n"
                                          "input [ { name: \"x\" dims: [1, 2] } ]\n"
                                          "input {\n\tname: \"y\"\n\tdims: 1 dims: 2\n}\n"
                                          "metric_tags { key: \"k\" value: \"v\" }\n",
                                          "f", config));
  CHECK(source.Locate("name") == "f:1:1");
  CHECK(source.Has("max_batch_size"));
  CHECK(source.Locate("input[0].name") == "f:3:11");
  CHECK(source.Locate("input[0].dims[1]") == "f:3:21");
  CHECK(source.Locate("input[1].name") == "f:5:2");
  CHECK(source.Locate("input[1].dims[1]") == "f:6:10");
  CHECK(source.Locate("metric_tags[k]") == "f:8:1");
  CHECK_FALSE(source.Has("backend"));
}

// An unknown key is refused at the key, with the nearest known one of the message it stands in.
TEST_CASE("an unknown key of a pbtxt is refused with its neighbour") {
  CHECK(TextError("name: \"m\"\ndynamic_batching {\n  default_queue_policy {\n"
                  "\t\tmax_que_size: 4\n  }\n}\n") ==
        "f:4:3: key 'max_que_size': unknown; did you mean 'max_queue_size'? known keys: "
        "timeout_action, default_timeout_microseconds, allow_timeout_override, max_queue_size, "
        "max_queue_device_time_microseconds");
  CHECK(TextError("max_batchsize: 8\n")
            .starts_with("f:1:1: key 'max_batchsize': unknown; did you mean 'max_batch_size'? "
                         "known keys: name, "));
}

// An unknown enum value is refused with the known values of its field.
TEST_CASE("an unknown enum value of a pbtxt is refused") {
  CHECK(TextError("input { name: \"x\" data_type: TYPE_FP31 }") ==
        "f:1:30: key 'data_type': value \"TYPE_FP31\": unknown; did you mean 'TYPE_FP32'? known "
        "values: TYPE_INVALID, TYPE_BOOL, TYPE_UINT8, TYPE_UINT16, TYPE_UINT32, TYPE_UINT64, "
        "TYPE_INT8, TYPE_INT16, TYPE_INT32, TYPE_INT64, TYPE_FP16, TYPE_FP32, TYPE_FP64, "
        "TYPE_STRING, TYPE_BF16");
}

// What else the parser refuses keeps its words, with file, line and column in front.
TEST_CASE("other pbtxt errors have a place") {
  CHECK(TextError("max_batch_size: \"8\"\n") ==
        "f:1:17: not protobuf text of ModelConfig: Expected integer, got: \"8\"");
  CHECK(TextError("name: \"m\"\nname: \"n\"\n").starts_with("f:2:"));
  CHECK(TextError("name: \"m\"\nname: \"n\"\n").find("specified multiple times") !=
        std::string::npos);
  CHECK(TextError("dynamic_batching {}\nsequence_batching {}\n").find("f:2:") == 0);
  CHECK(TextError("input {\n").starts_with("f:2:1: "));
  CHECK(TextError("name: \"open\n").starts_with("f:1:"));
}

// What the parser lets through is refused all the same: map keys given twice, and bytes by escapes.
TEST_CASE("a pbtxt with bad strings and duplicate keys is refused") {
  CHECK(TextError(
            "metric_tags { key: \"k\" value: \"a\" }\nmetric_tags { key: \"k\" value: \"b\" }") ==
        "f:2:1: key 'metric_tags[k]': given twice; keep one");
  CHECK(TextError("name: \"a\\377\"") ==
        "f:1:1: key 'name': expected text in UTF-8 without NUL, got other bytes");
  CHECK(TextError("input { name: \"a\\0b\" }") ==
        "f:1:9: key 'input[0].name': expected text in UTF-8 without NUL, got other bytes");
  CHECK(TextError("parameters { key: \"\\377\" value { string_value: \"v\" } }")
            .find("the key is not UTF-8 text without NUL") != std::string::npos);
}

// Nesting is bounded, and hostile bytes never reach the parser.
TEST_CASE("a hostile pbtxt is refused") {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    deep += "input {";
  }
  CHECK_FALSE(TextError(deep).empty());
  CHECK(TextError(std::string("name: \"a\0\"", 10)) ==
        "f:1:9: control character 0x00; expected text");
}

// JSON errors name the file and the message.
TEST_CASE("broken JSON is refused") {
  CHECK(BindError(TextFormat::kJson, "{\"max_batch\": 1}")
            .starts_with("f: not JSON of inference.ModelConfig: "));
  CHECK_FALSE(BindError(TextFormat::kJson, "{").empty());
  CHECK_FALSE(BindError(TextFormat::kJson, "").empty());
  CHECK_FALSE(BindError(TextFormat::kJson, std::string(100'000, '[')).empty());
}

}  // namespace
}  // namespace omserve::config
