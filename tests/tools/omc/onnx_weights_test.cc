// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/onnx_weights.h"

#include <catch2/catch.hpp>

#include "proto/onnx/onnx.pb.h"
#include "runtime/base/file.h"
#include "runtime/om/byte_reader.h"
#include "tests/status_test_util.h"
#include "tests/tools/omc/onnx_builder.h"

namespace omserve::omc {
namespace {

absl::StatusOr<SplitOnnx> Split(const std::string& model, const std::string& folder = ".") {
  return SplitWeights(om::AsBytes(model), folder);
}

onnx::ModelProto Graph(const SplitOnnx& split) {
  onnx::ModelProto model;
  REQUIRE(model.ParseFromString(split.graph));
  return model;
}

std::string External(const onnx::TensorProto& tensor, const std::string& key) {
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == key) {
      return entry.value();
    }
  }
  return "";
}

std::string ErrorOf(const std::string& model) {
  const absl::StatusOr<SplitOnnx> split = Split(model);
  REQUIRE_FALSE(split.ok());
  CHECK(split.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(split.status()));
}

// A graph whose only point is its initialisers; they are outputs too.
OnnxBuilder Initializers() { return OnnxBuilder().Output("w", kOnnxFloat, {{-1, ""}}); }

// Large initialisers move to aligned offsets, small ones stay, the rest is as it was.
TEST_CASE("large initialisers move to the weights", "[onnx_weights]") {
  const std::string first = FloatBytes(std::vector<float>(257, 1.0F));
  const std::string second = FloatBytes(std::vector<float>(256, 2.0F));
  const std::string small = FloatBytes(std::vector<float>(255, 3.0F));
  const SplitOnnx split = VALUE(Split(Initializers()
                                          .Initializer("w", kOnnxFloat, {257}, first)
                                          .Initializer("s", kOnnxFloat, {255}, small)
                                          .Initializer("v", kOnnxFloat, {256}, second)
                                          .Build()));
  REQUIRE(split.weights.size() == 1088 + 1024);
  CHECK(split.weights.substr(0, 1028) == first);
  CHECK(split.weights.substr(1088) == second);
  const onnx::ModelProto model = Graph(split);
  CHECK(model.ir_version() == 9);
  CHECK(model.opset_import(0).version() == 19);
  const auto& initializers = model.graph().initializer();
  CHECK(initializers[0].data_location() == onnx::TensorProto::EXTERNAL);
  CHECK_FALSE(initializers[0].has_raw_data());
  CHECK(External(initializers[2], "location") == "WEIGHTS_DATA");
  CHECK(External(initializers[2], "offset") == "1088");
  CHECK(External(initializers[2], "length") == "1024");
  CHECK(initializers[1].raw_data() == small);
}

// Data in typed fields move in the form of raw data.
TEST_CASE("typed data move too", "[onnx_weights]") {
  const std::string floats = FloatBytes(std::vector<float>(300, 1.5F));
  std::string varints;
  for (int i = 0; i < 200; ++i) {
    varints += static_cast<char>(i % 100);
  }
  const SplitOnnx split = VALUE(Split(Initializers()
                                          .Initializer("w", kOnnxFloat, {300}, floats, 4)
                                          .Initializer("i", kOnnxInt64, {200}, varints, 7)
                                          .Build()));
  CHECK(split.weights.substr(0, floats.size()) == floats);
  const std::string ints = split.weights.substr(1216);
  REQUIRE(ints.size() == 1600);
  CHECK(ints[8 * 101] == 1);
  CHECK(ints[8 * 101 + 1] == 0);
}

// Outputs are named after the node that makes them, also where it has no name or an awkward one.
TEST_CASE("outputs have the names that AscendCL shows", "[onnx_weights]") {
  const std::string model = OnnxBuilder()
                                .Input("x", kOnnxFloat, {{2, ""}})
                                .Node("a:b", "Split", {"x"}, {"p", "q"})
                                .Node("", "Neg", {"p"}, {"r"})
                                .Output("q", kOnnxFloat, {{1, ""}})
                                .Output("r", kOnnxFloat, {{1, ""}})
                                .Output("x", kOnnxFloat, {{2, ""}})
                                .Build();
  CHECK(VALUE(Split(model)).output_names == std::vector<std::string>{"a_b:1:q", "r:0:r", "x:0:x"});
}

// External data of the model itself come from files beside it, small ones into the graph.
TEST_CASE("a model's own external data are read", "[onnx_weights]") {
  const std::string data = FloatBytes(std::vector<float>(300, 7.0F));
  REQUIRE_OK(WriteFileAtomically("weights.bin", "head" + data));
  const SplitOnnx split = VALUE(Split(
      Initializers()
          .ExternalInitializer("w", kOnnxFloat, {300},
                               {{"location", "weights.bin"}, {"offset", "4"}})
          .ExternalInitializer(
              "s", kOnnxFloat, {2},
              {{"location", "weights.bin"}, {"offset", "4"}, {"length", "8"}, {"checksum", "?"}})
          .Build()));
  CHECK(split.weights == data);
  const onnx::ModelProto model = Graph(split);
  CHECK(model.graph().initializer(1).raw_data() == data.substr(0, 8));
  CHECK_FALSE(model.graph().initializer(1).has_data_location());
}

// Files outside the folder, missing ones and ranges that do not fit are refused.
TEST_CASE("wrong external data are refused", "[onnx_weights]") {
  REQUIRE_OK(WriteFileAtomically("weights.bin", std::string(100, 'x')));
  const auto error = [](const std::vector<std::pair<std::string, std::string>>& entries) {
    return ErrorOf(Initializers().ExternalInitializer("w", kOnnxFloat, {20}, entries).Build());
  };
  CHECK_THAT(error({}), Catch::Contains("below the model's folder"));
  CHECK_THAT(error({{"location", "/etc/passwd"}}), Catch::Contains("below the model's folder"));
  CHECK_THAT(error({{"location", "a/../../b"}}), Catch::Contains("below the model's folder"));
  CHECK_THAT(error({{"location", "none.bin"}}), Catch::Contains("no such file"));
  CHECK_THAT(error({{"location", "weights.bin"}, {"offset", "x"}}),
             Catch::Contains("not a number"));
  CHECK_THAT(error({{"location", "weights.bin"}, {"offset", "21"}}), Catch::Contains("offset 21"));
  CHECK_THAT(error({{"location", "weights.bin"}, {"offset", "18446744073709551615"}}),
             Catch::Contains("18446744073709551615"));
  CHECK_THAT(error({{"location", "weights.bin"}, {"length", "79"}}), Catch::Contains("79 bytes"));
}

// Bytes that are no model, and data that do not fit their dims.
TEST_CASE("malformed models are refused", "[onnx_weights]") {
  CHECK_THAT(ErrorOf(""), Catch::Contains("not an ONNX model"));
  CHECK_THAT(ErrorOf("not a protobuf"), Catch::Contains("not an ONNX model"));
  CHECK_THAT(ErrorOf(OnnxBuilder().Build()), Catch::Contains("not an ONNX model"));
  CHECK_THAT(ErrorOf(Initializers().Initializer("w", kOnnxFloat, {3}, "12345678").Build()),
             Catch::Contains("8 bytes of data, but dims [3] of FLOAT need 12"));
  CHECK_THAT(ErrorOf(Initializers().Initializer("w", kOnnxFloat, {-1}, "").Build()),
             Catch::Contains("no size follows"));
  const int64_t huge = int64_t{1} << 62;
  CHECK_THAT(ErrorOf(Initializers().Initializer("w", kOnnxFloat, {huge, 4}, "").Build()),
             Catch::Contains("no size follows"));
}

}  // namespace
}  // namespace omserve::omc
