// SPDX-License-Identifier: Apache-2.0
// YAML onto messages, and the exact words about what is wrong.
#include <google/protobuf/text_format.h>

#include <catch2/catch.hpp>
#include <string>

#include "proto/omserve/server_config.pb.h"
#include "tests/config/config_test_util.h"

namespace omserve::config {
namespace {

std::string YamlError(const std::string& text) { return BindError(TextFormat::kYaml, text); }

inference::ModelConfig FromYaml(const std::string& text) {
  inference::ModelConfig config;
  REQUIRE_OK(BindText(TextFormat::kYaml, text, "f", config));
  return config;
}

inference::ModelConfig FromText(const std::string& text) {
  inference::ModelConfig config;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &config));
  return config;
}

std::string ServerError(const std::string& text) {
  ServerConfig config;
  return ErrorOf(BindText(TextFormat::kYaml, text, "omserve.yaml", config));
}

// One key of every kind (text, numbers, enums, messages, lists, maps, maps of messages, oneofs,
// reals) gives the message that protobuf's own text format gives.
TEST_CASE("every kind of field is bound") {
  const inference::ModelConfig config = FromYaml(R"(
name: "m"
max_batch_size: 8
input:
  - {name: x, data_type: TYPE_FP32, dims: [3, -1], optional: true}
  - name: y
    data_type: TYPE_STRING
    dims: [1]
dynamic_batching:
  preferred_batch_size: [4, 8]
  max_queue_delay_microseconds: 5ms
  priority_queue_policy:
    2: {timeout_action: DELAY, max_queue_size: 16}
metric_tags: {team: vision, "1": one}
parameters:
  key: {string_value: "a: b"}
model_metrics:
  metric_control:
    - metric_identifier: {family: f}
      histogram_options: {buckets: [0.5, 1e3]}
version_policy: {all: {}}
)");
  CHECK(SameMessage(config, FromText(R"(
name: "m" max_batch_size: 8
input { name: "x" data_type: TYPE_FP32 dims: [3, -1] optional: true }
input { name: "y" data_type: TYPE_STRING dims: 1 }
dynamic_batching {
  preferred_batch_size: [4, 8] max_queue_delay_microseconds: 5000
  priority_queue_policy { key: 2 value { timeout_action: DELAY max_queue_size: 16 } }
}
metric_tags { key: "team" value: "vision" } metric_tags { key: "1" value: "one" }
parameters { key: "key" value { string_value: "a: b" } }
model_metrics { metric_control {
  metric_identifier { family: "f" } histogram_options { buckets: [0.5, 1000] } } }
version_policy { all {} }
)")));
}

// A file of comments only leaves the message as it was; an empty map is an empty message that is
// present.
TEST_CASE("nothing and an empty map") {
  ServerConfig config;
  config.set_server_id("before");
  REQUIRE_OK(BindText(TextFormat::kYaml, "# nothing\n", "f", config));
  CHECK(config.server_id() == "before");
  CHECK(FromYaml("dynamic_batching: {}").has_dynamic_batching());
}

// Keys over a message that has values already replace lists and keep what is not named.
TEST_CASE("a file over defaults") {
  ServerConfig config;
  config.add_model_repository("/default");
  config.mutable_grpc()->set_port(8001);
  config.mutable_grpc()->set_address("0.0.0.0");
  REQUIRE_OK(BindText(TextFormat::kYaml, "model_repository: [/a]\ngrpc: {port: 0}\n", "f", config));
  REQUIRE(config.model_repository_size() == 1);
  CHECK(config.model_repository(0) == "/a");
  CHECK(config.grpc().has_port());
  CHECK(config.grpc().port() == 0);
  CHECK(config.grpc().address() == "0.0.0.0");
}

// JSON, which is YAML too, is bound with its quoted 64-bit numbers.
TEST_CASE("JSON text is YAML") {
  CHECK(FromYaml(R"({"name": "m", "input": [{"name": "x", "dims": ["3", "-1"]}]})")
            .input(0)
            .dims(1) == -1);
}

// An unknown key is refused at the key, with the nearest known one and all of them.
TEST_CASE("an unknown key is refused with its neighbour") {
  CHECK(YamlError("dynamic_batching:\n  default_queue_policy:\n    max_que_size: 4\n") ==
        "f:3:5: key 'max_que_size': unknown; did you mean 'max_queue_size'? known keys: "
        "timeout_action, default_timeout_microseconds, allow_timeout_override, max_queue_size, "
        "max_queue_device_time_microseconds");
  CHECK(ServerError("grpc:\n  zzz: 1\n") ==
        "omserve.yaml:2:3: key 'zzz': unknown; known keys: address, port, "
        "max_receive_message_bytes, tls, unix_socket, compress_answers, keepalive_time_ms, "
        "keepalive_timeout_ms, max_connection_age_ms, max_connection_age_grace_ms, "
        "header_forward_pattern");
}

// A value of the wrong kind is refused at the value, with the range, the unit or the form expected.
TEST_CASE("a wrong value is refused with what was expected") {
  CHECK(ServerError("grpc:\n  port: abc\n") ==
        "omserve.yaml:2:9: key 'port': expected a whole number from 0 to 4294967295, got \"abc\"");
  CHECK(ServerError("grpc: {port: -1}\n") ==
        "omserve.yaml:1:14: key 'port': expected a whole number from 0 to 4294967295, got \"-1\"");
  CHECK(ServerError("grpc: {port: [1]}\n") ==
        "omserve.yaml:1:14: key 'port': expected a whole number from 0 to 4294967295, got a list");
  CHECK(ServerError("log:\n  json: yes\n") ==
        "omserve.yaml:2:9: key 'json': expected true or false, got \"yes\"");
  CHECK(ServerError("server_id: {a: 1}\n") ==
        "omserve.yaml:1:12: key 'server_id': expected text, got a map");
  CHECK(ServerError("server_id:\n") ==
        "omserve.yaml:1:1: key 'server_id': expected text, got nothing");
  CHECK(ServerError("shutdown: {drain_timeout_ms: 5MiB}\n") ==
        "omserve.yaml:1:30: key 'drain_timeout_ms': expected a whole number from -2147483648 to "
        "2147483647 (milliseconds, or with a unit: ms, s, min, h), got \"5MiB\"");
  CHECK(YamlError("model_metrics: {metric_control: [{histogram_options: {buckets: [a]}}]}\n") ==
        "f:1:65: key 'buckets[0]': expected a number, got \"a\"");
  CHECK(YamlError("max_batch_size: 2147483648\n") ==
        "f:1:17: key 'max_batch_size': expected a whole number from -2147483648 to 2147483647, got "
        "\"2147483648\"");
}

// Lists, maps and messages say what they are and how to write them.
TEST_CASE("a wrong form is refused with the right one") {
  CHECK(ServerError("model_repository: /models\n") ==
        "omserve.yaml:1:19: key 'model_repository': expected a list, got \"/models\"; write "
        "[/models]");
  CHECK(ServerError("model_repository: {a: b}\n") ==
        "omserve.yaml:1:19: key 'model_repository': expected a list, got a map");
  CHECK(ServerError("grpc: 8001\n") ==
        "omserve.yaml:1:7: key 'grpc': expected a map with keys of GrpcConfig, got \"8001\"");
  CHECK(YamlError("dynamic_batching:\n") ==
        "f:1:1: key 'dynamic_batching': expected a map, got nothing; write {} to take every "
        "default, or leave the key out");
  CHECK(YamlError("metric_tags: [a]\n") == "f:1:14: key 'metric_tags': expected a map, got a list");
  CHECK(YamlError("[a, b]\n") ==
        "f:1:1: key 'ModelConfig': expected a map with keys of ModelConfig, got a list");
}

// An unknown enum value is refused with the nearest, and never taken as a number.
TEST_CASE("an unknown enum value is refused") {
  CHECK(YamlError("instance_group:\n  - kind: KIND_NPU\n") ==
        "f:2:11: key 'kind': value \"KIND_NPU\": unknown; did you mean 'KIND_GPU'? known values: "
        "KIND_AUTO, KIND_GPU, KIND_CPU, KIND_MODEL");
  CHECK(YamlError("instance_group:\n  - kind: 1\n").find("value \"1\": unknown") !=
        std::string::npos);
}

// A key given twice is refused at the second, in messages and in maps.
TEST_CASE("a duplicate key is refused") {
  CHECK(YamlError("max_batch_size: 4\nname: m\nmax_batch_size: 8\n") ==
        "f:3:1: key \"max_batch_size\": given twice, first in line 1; keep one");
  CHECK(YamlError("metric_tags: {a: x, a: y}\n") ==
        "f:1:21: key \"a\": given twice, first in line 1; keep one");
}

// Two members of a oneof are refused with both names.
TEST_CASE("two members of a oneof are refused") {
  CHECK(YamlError("dynamic_batching: {}\nsequence_batching: {}\n") ==
        "f:2:1: key 'sequence_batching': cannot stand beside key 'dynamic_batching'; keep one of "
        "dynamic_batching, sequence_batching, ensemble_scheduling");
}

// A merge key is not expanded, and says so.
TEST_CASE("a merge key is refused") {
  CHECK(YamlError("input:\n  - &a {name: x}\n  - {<<: *a}\n") ==
        "f:3:6: key '<<': merge keys are not supported; repeat the values");
}

// Every error of a file is told at once, in its order.
TEST_CASE("all errors of a file are told") {
  CHECK(ServerError("serverid: a\ngrpc: {port: x}\nlog: {json: 1}\n") ==
        "omserve.yaml:1:1: key 'serverid': unknown; did you mean 'server_id'? known keys: "
        "server_id, model_repository, grpc, http, device, scheduler, log, shutdown, metrics, "
        "cache, health, shared_memory, auth, admin, rate_limit, trace, repository\n"
        "omserve.yaml:2:14: key 'port': expected a whole number from 0 to 4294967295, got \"x\"\n"
        "omserve.yaml:3:13: key 'json': expected true or false, got \"1\"");
}

// Map keys are checked as values are.
TEST_CASE("a map key of the wrong kind is refused") {
  CHECK(YamlError("dynamic_batching: {priority_queue_policy: {high: {}}}\n") ==
        "f:1:44: key 'priority_queue_policy[high]': expected a whole number from 0 to "
        "18446744073709551615, got \"high\"");
}

// Bytes that are not text are refused before any parser sees them, with their place.
TEST_CASE("hostile bytes are refused") {
  CHECK(YamlError(std::string("name: a\n\0", 9)) == "f:2:1: control character 0x00; expected text");
  CHECK(YamlError("name: \x04") == "f:1:7: control character 0x04; expected text");
  CHECK(YamlError("name: \xff\n") == "f:1:7: byte 0xff is not UTF-8; save the file as UTF-8");
  CHECK(YamlError("name: \"a\\0b\"\n") ==
        "f:1:7: key 'name': expected text in UTF-8 without NUL, got \"a\\x00b\"");
  CHECK(YamlError(std::string((4 << 20) + 1, ' ')) == "f: 4194305 bytes, expected at most 4194304");
}

// Huge keys and values are shown cut, and bind in reasonable space.
TEST_CASE("huge scalars are cut in errors") {
  const std::string huge(3 << 20, 'k');
  CHECK(YamlError("? " + huge + "\n: 1\n").size() < 1000);
  CHECK(YamlError("max_batch_size: " + huge + "\n").size() < 300);
  CHECK(FromYaml("name: " + huge + "\n").name().size() == huge.size());
}

}  // namespace
}  // namespace omserve::config
