// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/onnx_constants.h"

#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"
#include "tests/tools/omc/onnx_builder.h"
#include "tools/omc/compile.h"

namespace omserve::omc {
namespace {

// y [4] = x [4] reshaped to [rows, 4], where `rows` is an INT64 [1] input; and a factor, a scalar.
std::string Model() {
  return OnnxBuilder()
      .Input("x", kOnnxFloat, {{4}})
      .Input("rows", kOnnxInt64, {{1}})
      .Input("k", kOnnxFloat, {})
      .Input("open", kOnnxFloat, {{-1, "n"}})
      .Output("y", kOnnxFloat, {{-1, "a"}, {-1, "b"}})
      .Node("split", "Unsqueeze", {"x", "axis"}, {"u"})
      .Node("tile", "Expand", {"u", "rows"}, {"e"})
      .Node("scale", "Mul", {"e", "k"}, {"m"})
      .Node("add", "Add", {"m", "open"}, {"y"})
      .Initializer("axis", kOnnxInt64, {1}, std::string(8, '\0'))
      .Build();
}

absl::StatusOr<CompiledModel> CompileWith(const std::string& constants) {
  REQUIRE_OK(WriteFileAtomically("constants.onnx", Model()));
  CompileOptions options{.model_path = "constants.onnx", .constants = constants};
  options.gears.input_shape = "open:4";
  options.ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1";
  return Compile(options);
}

std::string ErrorOf(const std::string& constants) {
  const auto fixed = FixInputs(om::AsBytes(Model()), constants);
  REQUIRE_FALSE(fixed.ok());
  return std::string(MessageOf(fixed.status()));
}

// Inputs with a value are inputs no longer, and what follows from them is known.
TEST_CASE("inputs become constants", "[constants]") {
  const CompiledModel compiled = VALUE(CompileWith("rows:1;k:2.5"));
  REQUIRE(compiled.description.inputs.size() == 2);
  CHECK(compiled.description.inputs[0].name == "x");
  CHECK(compiled.description.inputs[1].name == "open");
  CHECK(compiled.description.outputs[0].dims == Dims{1, 4});
  CHECK(compiled.description.atc_cmdline ==
        "omc compile constants.onnx --constant \"rows:1;k:2.5\" --input-shape \"open:4\"");
}

// What cannot be one says why.
TEST_CASE("wrong constants are refused", "[constants]") {
  CHECK(ErrorOf("k") == "--constant: 'k', expected NAME:NUMBER as in 'sr:16000'");
  CHECK(ErrorOf("z:1") ==
        "--constant: the model has no input 'z'; it has 'x', 'rows', 'k', 'open'");
  CHECK(ErrorOf("rows:1.5") == "--constant: '1.5' is no number of the type of input 'rows'");
  CHECK(ErrorOf("open:1") == "--constant: input 'open' has more than one element, or open dims");
  CHECK(ErrorOf("x:1") == "--constant: input 'x' has more than one element, or open dims");
  const auto garbage = FixInputs(om::AsBytes(std::string("no model")), "k:1");
  CHECK(MessageOf(garbage.status()) == "the file is not an ONNX model");
}

}  // namespace
}  // namespace omserve::omc
