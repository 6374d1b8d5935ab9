// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/compile.h"

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/om_file.h"
#include "tests/status_test_util.h"
#include "tests/tools/omc/onnx_builder.h"

namespace omserve::omc {
namespace {

CompileOptions OptionsFor(const std::string& path, GearFlags gears) {
  CompileOptions options;
  options.model_path = path;
  options.gears = std::move(gears);
  options.ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1";
  return options;
}

// Compiles a model that is written to "model.onnx" first.
absl::StatusOr<CompiledModel> CompileModel(const std::string& onnx, const GearFlags& gears) {
  REQUIRE_OK(WriteFileAtomically("model.onnx", onnx));
  return Compile(OptionsFor("model.onnx", gears));
}

std::string ErrorOf(const absl::StatusOr<CompiledModel>& compiled) {
  REQUIRE_FALSE(compiled.ok());
  std::string message(MessageOf(compiled.status()));
  CHECK(message.find('\n') == std::string::npos);
  return message;
}

std::string DemoModel(const std::string& name) {
  return OMSERVE_SOURCE_DIR "/tools/demo/scenes/models/" + name;
}

// The description that compile made is the one that the file holds; the graph opens again from the
// file's own partitions and runs at a gear.
TEST_CASE("a compiled model is described and runs from its file", "[compile]") {
  const CompiledModel compiled = VALUE(CompileModel(LinearModel(), {.batch_gears = "4,1"}));
  const om::OmFile file = VALUE(om::OmFile::Parse(om::AsBytes(compiled.file)));
  const om::ModelDescription model = VALUE(om::DescribeModel(file));
  CHECK(model == compiled.description);
  CHECK(model.name == "model");
  CHECK(model.soc_version == om::kHostSocVersion);
  CHECK(model.atc_version == "omc " OMSERVE_VERSION);
  CHECK(model.atc_cmdline == "omc compile model.onnx --batch-gears \"4,1\"");
  REQUIRE(model.inputs.size() == 1);
  CHECK(model.inputs[0] == om::IoDescription{"x", 0, 2, {-1, 3}, 48});
  CHECK(model.outputs[0] == om::IoDescription{"y:0:y", 0, 2, {4, 128}, 2048});
  REQUIRE(model.gears.size() == 2);
  CHECK(model.gears[0].output_dims == std::vector<Dims>{{1, 128}});
  CHECK(model.weight_bytes == 1536);
  CHECK(model.work_bytes >= 48 + 2048);
  CHECK(model.stream_count == 1);

  const auto checker =
      VALUE(OpenOnnx({.graph = file.Find(om::PartitionType::kTaskInfo)->data,
                      .weights = file.Find(om::PartitionType::kWeightsData)->data,
                      .ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1"}));
  const std::vector<Dims> dims = {{4, 3}};
  CHECK(VALUE(checker->Run(dims, Fill::kOnes)) == std::vector<Dims>{{4, 128}});
  CHECK_FALSE(checker->Run({}, Fill::kOnes).ok());
}

// A dynamic shape: ranges of the inputs, and outputs that are open where they vary; the header says
// so, and the description comes back.
TEST_CASE("a dynamic shape is compiled", "[compile]") {
  const CompiledModel compiled = VALUE(CompileModel(LinearModel(), {.dynamic_shape = "x:1~8,3"}));
  const om::OmFile file = VALUE(om::OmFile::Parse(om::AsBytes(compiled.file)));
  const om::ModelDescription model = VALUE(om::DescribeModel(file));
  CHECK(model == compiled.description);
  CHECK(om::HasDynamicShape(model));
  CHECK(file.header().is_unknown_shape);
  CHECK(model.atc_cmdline == "omc compile model.onnx --dynamic-shape \"x:1~8,3\"");
  CHECK(om::ShowRanges(model) == "x [1~8,3]");
  CHECK(model.inputs[0].dims == Dims{-1, 3});
  CHECK(model.inputs[0].size_bytes == 0);
  CHECK(model.outputs[0].dims == Dims{-1, 128});
  CHECK(model.outputs[0].size_bytes == 0);
}

// Data that decide an output's dims are no obstacle where nobody promises the dims; ends of ranges
// that would take too much are not tried; sizes at which the model does not run are named.
TEST_CASE("a dynamic shape is tried at both ends", "[compile]") {
  const std::string positions = OnnxBuilder()
                                    .Input("x", kOnnxFloat, {{-1, ""}})
                                    .Output("y", kOnnxInt64, {{1, ""}, {-1, ""}})
                                    .Node("find", "NonZero", {"x"}, {"y"})
                                    .Build();
  const CompiledModel compiled =
      VALUE(CompileModel(positions, {.dynamic_shape = "x:1~100000000000"}));
  CHECK(compiled.description.outputs[0].dims == Dims{1, -1});
  const std::string sum = OnnxBuilder()
                              .Input("a", kOnnxFloat, {{-1, ""}})
                              .Input("b", kOnnxFloat, {{-1, ""}})
                              .Output("y", kOnnxFloat, {{-1, ""}})
                              .Node("add", "Add", {"a", "b"}, {"y"})
                              .Build();
  CHECK_THAT(ErrorOf(CompileModel(sum, {.dynamic_shape = "a:2~4;b:2~5"})),
             Catch::Contains("does not run at a [4], b [5]"));
}

// Equal input, equal file: a build can be compared with the one before.
TEST_CASE("compiling twice gives the same bytes", "[compile]") {
  const CompiledModel first = VALUE(CompileModel(LinearModel(), {.batch_gears = "1,2"}));
  const CompiledModel second = VALUE(CompileModel(LinearModel(), {.batch_gears = "1,2"}));
  CHECK(first.file == second.file);
}

// A fixed shape makes a model without gears, of rank 0 too.
TEST_CASE("a fixed shape makes a model without gears", "[compile]") {
  const std::string onnx = OnnxBuilder()
                               .Input("x", kOnnxInt64, {{-1, ""}})
                               .Input("s", kOnnxInt64, {})
                               .Node("add", "Add", {"x", "s"}, {"y"})
                               .Output("y", kOnnxInt64, {{-1, ""}})
                               .Build();
  const om::ModelDescription model = VALUE(CompileModel(onnx, {.input_shape = "x:5"})).description;
  CHECK(model.gear_kind == om::GearKind::kNone);
  CHECK(model.inputs[0] == om::IoDescription{"x", 9, 2, {5}, 40});
  CHECK(model.inputs[1] == om::IoDescription{"s", 9, 2, {}, 8});
  CHECK(model.outputs[0].dims == Dims{5});
  CHECK(model.weight_bytes == 0);
}

// The demonstration's real models compile at real gears.
TEST_CASE("the demo's models compile", "[compile]") {
  struct Row {
    std::string name;
    GearFlags gears;
    size_t gear_count;
    Dims first_output;
  };
  const std::vector<Row> rows = {
      {"vision_a.onnx", {.batch_gears = "1,2,4,8"}, 4, {8, 36, 96}},
      {"vision_b.onnx", {.batch_gears = "1,8"}, 2, {8, 36, 96}},
      {"text.onnx", {.dims_gears = "1,16,1,16;1,32,1,32;8,16,8,16;8,32,8,32"}, 4, {8, 32, 96}},
      {"fusion.onnx",
       {.input_shape = "text_features:-1,32,96;attention_mask:-1,32", .batch_gears = "1,8"},
       2,
       {8, 26}},
      {"caption_step.onnx", {.dims_gears = "1,1,1,1,1,1;8,8,23,8,23,8"}, 2, {8, 67}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const CompiledModel compiled = VALUE(Compile(OptionsFor(DemoModel(row.name), row.gears)));
    const om::OmFile file = VALUE(om::OmFile::Parse(om::AsBytes(compiled.file)));
    const om::ModelDescription model = VALUE(om::DescribeModel(file));
    CHECK(model == compiled.description);
    CHECK(model.gears.size() == row.gear_count);
    CHECK(model.outputs[0].dims == row.first_output);
    CHECK(model.weight_bytes > file.Find(om::PartitionType::kTaskInfo)->data.size());
  }
}

// A gear that the graph cannot run is named with the shapes and the library's words.
TEST_CASE("a gear that fails is named", "[compile]") {
  const std::string error =
      ErrorOf(Compile(OptionsFor(DemoModel("text.onnx"), {.dims_gears = "1,32,1,32;1,33,1,33"})));
  CHECK_THAT(error, Catch::Contains("text.onnx"));
  CHECK_THAT(error, Catch::Contains("gear [1,33,1,33]"));
  CHECK_THAT(error, Catch::Contains("input_ids [1,33]"));
  CHECK_THAT(error, Catch::Contains("ONNX Runtime"));
}

// A gear too large to be tried is refused before memory is taken for it.
TEST_CASE("an absurd gear is refused", "[compile]") {
  CHECK_THAT(ErrorOf(CompileModel(LinearModel(), {.batch_gears = "1,9223372036854775807"})),
             Catch::Contains("too many to try"));
  CHECK_THAT(ErrorOf(CompileModel(LinearModel(), {.batch_gears = "1,1000000000"})),
             Catch::Contains("too many to try"));
}

// Open dims without gears name the dims and the flags.
TEST_CASE("open dims are named with the flags to use", "[compile]") {
  const std::string error = ErrorOf(CompileModel(LinearModel(), {}));
  CHECK_THAT(error, Catch::Contains("dim 0 (N) of 'x'"));
  CHECK_THAT(error, Catch::Contains("--batch-gears"));
}

// Dims that the data decide cannot be compiled; the trial with two kinds of data finds them.
TEST_CASE("outputs whose dims depend on data are refused", "[compile]") {
  const std::string onnx = OnnxBuilder()
                               .Input("x", kOnnxFloat, {{4, ""}})
                               .Node("n", "NonZero", {"x"}, {"y"})
                               .Output("y", kOnnxInt64, {{1, ""}, {-1, ""}})
                               .Build();
  const std::string error = ErrorOf(CompileModel(onnx, {}));
  CHECK_THAT(error, Catch::Contains("depend on the inputs' data"));
  CHECK_THAT(error, Catch::Contains("y [1,0]"));
  CHECK_THAT(error, Catch::Contains("y [1,4]"));
}

// Types that a device has no place for are refused by name.
TEST_CASE("types that are not served are refused", "[compile]") {
  const auto identity = [](int type) {
    return OnnxBuilder()
        .Input("x", type, {{2, ""}})
        .Node("n", "Identity", {"x"}, {"y"})
        .Output("y", type, {{2, ""}})
        .Build();
  };
  CHECK_THAT(ErrorOf(CompileModel(identity(kOnnxString), {})),
             Catch::Contains("'x' holds strings"));
  CHECK_THAT(ErrorOf(CompileModel(identity(kOnnxFloat8), {})),
             Catch::Contains("'x' has element type FLOAT8_E4M3FN"));
}

// Graphs that ONNX Runtime refuses, and files that are no graphs.
TEST_CASE("models that are wrong are refused", "[compile]") {
  const std::string unknown_op = OnnxBuilder()
                                     .Input("x", kOnnxFloat, {{2, ""}})
                                     .Node("n", "Frobnicate", {"x"}, {"y"})
                                     .Output("y", kOnnxFloat, {{2, ""}})
                                     .Build();
  CHECK_THAT(ErrorOf(CompileModel(unknown_op, {})), Catch::Contains("Frobnicate"));
  CHECK_THAT(ErrorOf(CompileModel("IMOD", {})), Catch::Contains("not an ONNX model"));
  CHECK(Compile(OptionsFor("none.onnx", {})).status().code() == absl::StatusCode::kNotFound);
}

// What the command line gets wrong beside the gears.
TEST_CASE("wrong options are refused", "[compile]") {
  REQUIRE_OK(WriteFileAtomically("model.onnx", LinearModel()));
  CompileOptions options = OptionsFor("model.onnx", {.batch_gears = "1"});
  options.soc_version = "Ascend310P3";
  CHECK_THAT(ErrorOf(Compile(options)), Catch::Contains("atc --soc_version=Ascend310P3"));
  options = OptionsFor("model.onnx", {.batch_gears = "1"});
  options.name = std::string(32, 'n');
  CHECK_THAT(ErrorOf(Compile(options)), Catch::Contains("--name"));
  options = OptionsFor("model.onnx", {.batch_gears = "1"});
  options.ort_library = "./no_such_library.so";
  const absl::StatusOr<CompiledModel> compiled = Compile(options);
  CHECK(compiled.status().code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(ErrorOf(compiled), Catch::Contains("./no_such_library.so"));
}

// The file appears as a whole; a place that cannot be written is named.
TEST_CASE("compile writes the file", "[compile]") {
  REQUIRE_OK(WriteFileAtomically("model.onnx", LinearModel()));
  CompileOptions options = OptionsFor("model.onnx", {.batch_gears = "1,2"});
  options.name = "chosen";
  options.output_path = "out.om";
  CHECK_THAT(VALUE(CompileToFile(options)), Catch::Contains("model 'chosen', 1 inputs"));
  const std::string bytes = VALUE(ReadFile("out.om"));
  CHECK(VALUE(om::OmFile::Parse(om::AsBytes(bytes))).header().name == "chosen");
  options.output_path = "no/such/folder/out.om";
  CHECK_THAT(std::string(MessageOf(CompileToFile(options).status())),
             Catch::Contains("no/such/folder"));
}

}  // namespace
}  // namespace omserve::omc
