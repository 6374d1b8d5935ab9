// SPDX-License-Identifier: Apache-2.0
// A configuration against the compiled file that it speaks of.
#include <catch2/catch.hpp>
#include <string>

#include "tests/config/config_test_util.h"

namespace omserve::config {
namespace {

// A text encoder with gears 1, 4 and 8 for its batch: ids [-1,238] to features [8,238,96].
ModelShape TextShape() {
  return {.model_name = "m",
          .inputs = {{.name = "ids", .type = DataType::kInt64, .dims = {-1, 238}}},
          .outputs = {{.name = "features", .type = DataType::kFp32, .dims = {8, 238, 96}}},
          .has_batch = true,
          .batch_sizes = {1, 8, 4}};
}

// A model with one fixed shape and no batch.
ModelShape PlainShape() {
  return {.model_name = "m",
          .inputs = {{.name = "x", .type = DataType::kFp16, .dims = {3, 4}}},
          .outputs = {{.name = "y", .type = DataType::kFp32, .dims = {2}}}};
}

std::string CompleteError(const std::string& yaml, const ModelShape& shape) {
  LoadedModelConfig loaded = Parsed(TextFormat::kYaml, yaml);
  return ErrorOf(CompleteModelConfig(loaded, shape));
}

inference::ModelConfig Completed(const std::string& yaml, const ModelShape& shape) {
  LoadedModelConfig loaded = Parsed(TextFormat::kYaml, yaml);
  REQUIRE_OK(CompleteModelConfig(loaded, shape));
  return loaded.config;
}

// Without a configuration everything comes from the file: the largest gear, dims without the batch.
TEST_CASE("a model without a configuration is completed") {
  LoadedModelConfig loaded;
  REQUIRE_OK(CompleteModelConfig(loaded, TextShape()));
  const inference::ModelConfig& config = loaded.config;
  CHECK(config.name() == "m");
  CHECK(config.backend() == "ascend");
  CHECK(config.platform() == "omserve_om");
  CHECK(config.default_model_filename() == "model.om");
  CHECK(config.max_batch_size() == 8);
  CHECK(config.has_dynamic_batching());
  CHECK(config.version_policy().latest().num_versions() == 1);
  REQUIRE(config.instance_group_size() == 1);
  CHECK(config.instance_group(0).name() == "m");
  CHECK(config.instance_group(0).count() == 1);
  CHECK(config.instance_group(0).kind() == inference::ModelInstanceGroup::KIND_AUTO);
  REQUIRE(config.input_size() == 1);
  CHECK(ToTensorSpec(config.input(0)) ==
        TensorSpec{.name = "ids", .type = DataType::kInt64, .dims = {238}});
  REQUIRE(config.output_size() == 1);
  CHECK(ToTensorSpec(config.output(0)) ==
        TensorSpec{.name = "features", .type = DataType::kFp32, .dims = {238, 96}});
}

// A model without a batch dimension keeps its full dims and is not batched.
TEST_CASE("an unbatched model is completed") {
  LoadedModelConfig loaded;
  REQUIRE_OK(CompleteModelConfig(loaded, PlainShape()));
  CHECK(loaded.config.max_batch_size() == 0);
  CHECK_FALSE(loaded.config.has_dynamic_batching());
  CHECK(ToTensorSpec(loaded.config.input(0)).dims == Dims{3, 4});
}

// What the configuration says stays: a smaller batch, its groups, its policy, its file name.
TEST_CASE("what is said is kept") {
  const inference::ModelConfig config = Completed(R"(
max_batch_size: 4
version_policy: {all: {}}
default_model_filename: text.om
instance_group: [{}, {name: spare, count: 3}]
dynamic_batching: {preferred_batch_size: [4], max_queue_delay_microseconds: 1ms}
input: [{name: ids}]
output: [{name: features, data_type: TYPE_FP32, dims: [-1, 96]}]
)",
                                                  TextShape());
  CHECK(config.max_batch_size() == 4);
  CHECK(config.version_policy().has_all());
  CHECK(config.default_model_filename() == "text.om");
  CHECK(config.instance_group(0).name() == "m_0");
  CHECK(config.instance_group(0).count() == 1);
  CHECK(config.instance_group(1).name() == "spare");
  CHECK(config.instance_group(1).count() == 3);
  CHECK(config.dynamic_batching().max_queue_delay_microseconds() == 1000);
  CHECK(config.input(0).data_type() == inference::TYPE_INT64);
  CHECK(ToTensorSpec(config.input(0)).dims == Dims{238});
  // A -1 leaves the size to the file, which has one.
  CHECK(ToTensorSpec(config.output(0)).dims == Dims{238, 96});
}

// A reshape has the file's dims, and clients see what they are told; an open size of either side is
// the file's.
TEST_CASE("a reshape stands for the compiled dims") {
  const inference::ModelConfig config = Completed(R"(
input: [{name: ids, dims: [2, 119], reshape: {shape: [238]}}]
output: [{name: features, dims: [-1, 2, 48], reshape: {shape: [-1, 96]}}]
)",
                                                  TextShape());
  CHECK(ToTensorSpec(config.input(0)).dims == Dims{2, 119});
  CHECK(ToTensorSpec(config.output(0)).dims == Dims{238, 2, 48});
  CHECK(config.output(0).reshape().shape(0) == 238);
  CHECK(CompleteError("input: [{name: ids, dims: [2, 2], reshape: {shape: [4]}}]\n", TextShape()) ==
        "f:1:45: key 'input[0].reshape.shape': tensor 'ids': expected [238], as in the compiled "
        "file, got [4]; write [238], with dims of as many elements, or take reshape out");
}

// A number for each row has no dims but the batch: clients send [rows,1], in Triton's own format
// too.
TEST_CASE("a reshape to no dims is one number for each row") {
  const ModelShape shape{.model_name = "m",
                         .inputs = {{.name = "x", .type = DataType::kFp32, .dims = {-1}}},
                         .outputs = {{.name = "y", .type = DataType::kFp32, .dims = {-1}}},
                         .has_batch = true,
                         .batch_sizes = {1, 2}};
  LoadedModelConfig loaded =
      Parsed(TextFormat::kPbtxt,
             "max_batch_size: 2\n"
             "input [ { name: \"x\" dims: [ 1 ] reshape: { shape: [ ] } } ]\n"
             "output [ { name: \"y\" dims: [ 1, 1 ] reshape { shape: [ ] } } ]\n");
  REQUIRE_OK(CompleteModelConfig(loaded, shape));
  CHECK(ToTensorSpec(loaded.config.input(0)).dims == Dims{1});
  CHECK(ToTensorSpec(loaded.config.output(0)).dims == Dims{1, 1});
  CHECK(loaded.config.input(0).has_reshape());
}

// max_batch_size 1 batches nothing, so no batching is switched on.
TEST_CASE("a batch of one has no dynamic batching") {
  CHECK_FALSE(Completed("max_batch_size: 1\n", TextShape()).has_dynamic_batching());
}

// A 0 that is written means no batching, and the dims are the full ones then.
TEST_CASE("an explicit zero switches batching off") {
  const inference::ModelConfig config = Completed("max_batch_size: 0\n", TextShape());
  CHECK(config.max_batch_size() == 0);
  CHECK_FALSE(config.has_dynamic_batching());
  CHECK(ToTensorSpec(config.input(0)).dims == Dims{-1, 238});
}

// More rows than were compiled run in parts, which is said.
TEST_CASE("a batch beyond the compiled ones is warned of") {
  LoadedModelConfig loaded = Parsed(TextFormat::kYaml, "max_batch_size: 64\n");
  REQUIRE_OK(CompleteModelConfig(loaded, TextShape()));
  CHECK(loaded.config.max_batch_size() == 64);
  CHECK(loaded.warnings ==
        std::vector<std::string>{
            "f:1:17: key 'max_batch_size': 64 rows are more than the largest compiled batch, 8: "
            "requests with more than 8 run in parts"});
}

// A file without a batch dimension has no batch.
TEST_CASE("a batch of a file without one is refused") {
  CHECK(CompleteError("max_batch_size: 2\n", PlainShape()) ==
        "f:1:17: key 'max_batch_size': got 2, but the compiled file has no batch dimension; write "
        "0, or compile the model with a batch of 2");
}

// Preferred sizes are checked against the completed maximum.
TEST_CASE("preferred sizes beyond the compiled batch are refused") {
  CHECK(CompleteError("dynamic_batching: {preferred_batch_size: [16]}\n", TextShape()) ==
        "f:1:43: key 'dynamic_batching.preferred_batch_size[0]': expected 1 to 8 (max_batch_size), "
        "got 16");
}

// The batch dimension written where it is implied is told apart from a wrong shape.
TEST_CASE("a batch dimension too many is explained") {
  CHECK(CompleteError("max_batch_size: 8\ninput:\n- name: ids\n  data_type: TYPE_INT64\n  dims: "
                      "[-1, 238]\n",
                      TextShape()) ==
        "f:5:3: key 'input[0].dims': tensor 'ids': expected [238], got [-1,238]; the batch "
        "dimension is implied by max_batch_size 8; write [238]");
}

// So is one that is missing where it must be written.
TEST_CASE("a batch dimension too few is explained") {
  CHECK(CompleteError("max_batch_size: 0\ninput: [{name: ids, dims: [238]}]\n", TextShape()) ==
        "f:2:21: key 'input[0].dims': tensor 'ids': expected [-1,238], got [238]; without "
        "max_batch_size the batch dimension is written; write [-1,238], or set max_batch_size: 8");
}

// Any other disagreement shows both shapes and the file's.
TEST_CASE("other dims are refused with both shapes") {
  CHECK(CompleteError("input: [{name: ids, dims: [128]}]\n", TextShape()) ==
        "f:1:21: key 'input[0].dims': tensor 'ids': expected [238], got [128]; write [238], or "
        "leave the key out");
  CHECK(CompleteError("output: [{name: y, dims: [2, 1]}]\n", PlainShape()) ==
        "f:1:20: key 'output[0].dims': tensor 'y': expected [2], got [2,1]; write [2], or leave "
        "the key out");
}

// Types must be the file's, names must exist there, and a list that is begun must be complete.
TEST_CASE("other tensors are refused") {
  CHECK(CompleteError("input: [{name: ids, data_type: TYPE_INT32}]\n", TextShape()) ==
        "f:1:32: key 'input[0].data_type': tensor 'ids': expected INT64, as in the compiled file, "
        "got INT32");
  CHECK(CompleteError("input: [{name: id}]\n", TextShape()) ==
        "f:1:16: key 'input[0].name': input 'id' is not in the compiled file: unknown; did you "
        "mean 'ids'? known inputs: ids\n"
        "f:1:1: key 'input': input 'ids' of the compiled file is missing; add it, or leave 'input' "
        "out altogether");
}

// A file whose own description is broken is refused rather than believed.
TEST_CASE("a broken shape is refused") {
  ModelShape no_batches = TextShape();
  no_batches.batch_sizes = {};
  CHECK(CompleteError("", no_batches) ==
        "model 'm': compiled batch sizes are [], expected 1 or more each; compile it again");
  ModelShape no_dims = TextShape();
  no_dims.outputs[0].dims = {};
  CHECK(CompleteError("", no_dims).find("tensor 'features' has no dims") != std::string::npos);
}

}  // namespace
}  // namespace omserve::config
