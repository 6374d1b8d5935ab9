// SPDX-License-Identifier: Apache-2.0
#include "config/model_config.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "runtime/base/file.h"
#include "tests/config/config_test_util.h"

namespace omserve::config {
namespace {

// A new empty folder below the test's own.
std::string MakeFolder(const std::string& name) {
  std::filesystem::remove_all(name);
  REQUIRE(std::filesystem::create_directories(name));
  return name;
}

// Each of the two file names is found, and the model takes its folder's name.
TEST_CASE("a configuration is found in its folder") {
  for (const bool yaml : {true, false}) {
    const std::string folder = MakeFolder("models/resnet");
    REQUIRE_OK(WriteFileAtomically(folder + (yaml ? "/config.yaml" : "/config.pbtxt"),
                                   "max_batch_size: 4\n"));
    const auto loaded = VALUE(LoadModelConfig(folder));
    REQUIRE(loaded.has_value());
    CHECK(loaded->config.name() == "resnet");
    CHECK(loaded->config.max_batch_size() == 4);
    CHECK(loaded->source.Has("max_batch_size"));
    CHECK(VALUE(LoadModelConfig(folder + "/"))->config.name() == "resnet");
  }
}

// A folder without a configuration is no error: the compiled file says enough.
TEST_CASE("no configuration is nothing") {
  CHECK_FALSE(VALUE(LoadModelConfig(MakeFolder("models/bare"))).has_value());
  CHECK_FALSE(VALUE(LoadModelConfig("models/not-there")).has_value());
}

// Two configurations could contradict each other, so there may be only one.
TEST_CASE("two configurations are refused") {
  const std::string folder = MakeFolder("models/two");
  REQUIRE_OK(WriteFileAtomically(folder + "/config.yaml", "name: two\n"));
  REQUIRE_OK(WriteFileAtomically(folder + "/config.pbtxt", "name: \"two\"\n"));
  CHECK(ErrorOf(LoadModelConfig(folder)) ==
        "'models/two': config.yaml and config.pbtxt are both there; keep one");
}

// A configuration that is a folder, and one for another model, are refused with their names.
TEST_CASE("an unusable configuration is refused") {
  const std::string folder = MakeFolder("models/odd");
  REQUIRE(std::filesystem::create_directory(folder + "/config.yaml"));
  CHECK(ErrorOf(LoadModelConfig(folder)) == "'models/odd/config.yaml': not a regular file");
  std::filesystem::remove(folder + "/config.yaml");
  REQUIRE_OK(WriteFileAtomically(folder + "/config.yaml", "name: even\n"));
  CHECK(ErrorOf(LoadModelConfig(folder)) ==
        "models/odd/config.yaml:1:7: key 'name': got \"even\", but the model's folder is 'odd'; "
        "rename one of them or leave the key out");
}

// An ensemble as Triton's users write it becomes the pipeline that means the same, and stays.
TEST_CASE("an ensemble becomes a pipeline") {
  LoadedModelConfig loaded = Parsed(TextFormat::kPbtxt, R"(
platform: "ensemble"
input [ { name: "RAW" data_type: TYPE_UINT8 dims: [ -1 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 10 ] } ]
ensemble_scheduling {
  step [
    { model_name: "prep" model_version: -1
      input_map { key: "in" value: "RAW" } output_map { key: "out" value: "a" } },
    { model_name: "net" model_version: 3
      input_map { key: "x" value: "a" } output_map { key: "y" value: "b" } },
    { model_name: "net"
      input_map { key: "x" value: "b" } output_map { key: "y" value: "OUT" } }
  ]
}
)");
  CHECK(IsPipeline(loaded.config));
  CompletePipelineConfig(loaded, "m");
  CHECK(loaded.config.platform() == "ensemble");
  CHECK(loaded.config.has_ensemble_scheduling());
  CHECK(loaded.config.version_policy().latest().num_versions() == 1);
  const inference::Pipeline& pipeline = loaded.config.pipeline();
  REQUIRE(pipeline.step_size() == 3);
  CHECK(pipeline.step(0).name() == "prep");
  CHECK(pipeline.step(0).model_version() == -1);
  CHECK(pipeline.step(0).input_map().at("in") == "RAW");
  CHECK(pipeline.step(0).output_map().at("out") == "a");
  CHECK(pipeline.step(1).name() == "net");
  CHECK(pipeline.step(1).model_version() == 3);
  CHECK(pipeline.step(2).name() == "net_2");
  CHECK(pipeline.step(2).model_name() == "net");
}

// Without an ensemble there is nothing to turn into a pipeline.
TEST_CASE("a model without an ensemble stays as it is") {
  inference::ModelConfig config;
  config.set_name("m");
  EnsembleToPipeline(config);
  CHECK_FALSE(config.has_pipeline());
  CHECK_FALSE(IsPipeline(config));
}

// Every type goes to the configuration's spelling and back; numbers that are no type are invalid.
TEST_CASE("data types convert both ways") {
  CHECK(ToConfigType(DataType::kBytes) == inference::TYPE_STRING);
  CHECK(FromConfigType(inference::TYPE_STRING) == DataType::kBytes);
  CHECK(ToConfigType(DataType::kBf16) == inference::TYPE_BF16);
  for (int i = inference::DataType_MIN; i <= inference::DataType_MAX; ++i) {
    const auto type = static_cast<inference::DataType>(i);
    CHECK(ToConfigType(FromConfigType(type)) == type);
    if (type != inference::TYPE_STRING) {
      CHECK("TYPE_" + std::string(DataTypeName(FromConfigType(type))) ==
            inference::DataType_Name(type));
    }
  }
  CHECK(FromConfigType(static_cast<inference::DataType>(99)) == DataType::kInvalid);
}

// A tensor of the configuration is the spec with the same name, type and dims.
TEST_CASE("a tensor becomes a spec") {
  const LoadedModelConfig loaded =
      Parsed(TextFormat::kYaml, "input: [{name: x, data_type: TYPE_STRING, dims: [1, -1]}]\n");
  CHECK(ToTensorSpec(loaded.config.input(0)) ==
        TensorSpec{.name = "x", .type = DataType::kBytes, .dims = {1, -1}});
}

// The sample that is shipped is a right configuration without warnings.
TEST_CASE("the sample pipeline is right") {
  const std::string path = OMSERVE_SOURCE_DIR "/config/samples/pipeline.config.yaml";
  const std::string text = VALUE(ReadFile(path));
  LoadedModelConfig loaded = VALUE(ParseModelConfig(TextFormat::kYaml, text, path, "scenes"));
  CHECK(loaded.warnings.empty());
  CompletePipelineConfig(loaded, "scenes");
  CHECK(loaded.config.platform() == "omserve_pipeline");
  REQUIRE(loaded.config.pipeline().step_size() == 6);
  CHECK(loaded.config.pipeline().step(0).host().op() == "image_decode");
  CHECK(loaded.config.pipeline().step(0).host().parameters().at("width") == "48");
}

// A delay of 0 is not the same as none: only the latter is derived from measured times.
TEST_CASE("whether a queue delay is given is known") {
  const std::string key = "dynamic_batching.max_queue_delay_microseconds";
  CHECK(Parsed(TextFormat::kYaml, "dynamic_batching: {max_queue_delay_microseconds: 0}\n")
            .source.Has(key));
  CHECK(Parsed(TextFormat::kPbtxt, "dynamic_batching { max_queue_delay_microseconds: 0 }\n")
            .source.Has(key));
  CHECK_FALSE(Parsed(TextFormat::kYaml, "dynamic_batching: {}\n").source.Has(key));
}

}  // namespace
}  // namespace omserve::config
