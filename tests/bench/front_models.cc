// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/front_models.h"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "tests/onnx_bytes.h"
#include "tools/omc/compile.h"

namespace omserve::bench {
namespace {

using testing::Floats;
using testing::kOnnxFloat;
using testing::Message;
using testing::Node;
using testing::ValueInfo;

constexpr char kGears[] = "1,2,4,8,16,32";

// A matrix whose values do not matter, but are not all alike.
Message Matrix(const std::string& name, int64_t rows, int64_t columns) {
  std::vector<float> values;
  for (int64_t i = 0; i < rows * columns; ++i) {
    values.push_back(static_cast<float>(i % 17 - 8) / static_cast<float>(8 * rows));
  }
  return Floats(name, {rows, columns}, values);
}

std::string Identity(int64_t width) {
  Message graph;
  graph.Sub(1, Node("copy", "Identity", {"x"}, "y"))
      .Text(2, "identity")
      .Sub(11, ValueInfo("x", kOnnxFloat, {-1, width}))
      .Sub(12, ValueInfo("y", kOnnxFloat, {-1, width}));
  return OnnxModel(graph);
}

std::string Scale(int64_t width) {
  Message graph;
  graph.Sub(1, Node("scale", "Mul", {"x", "w"}, "y"))
      .Text(2, "scale")
      .Sub(5, Floats("w", {1}, {2.0F}))
      .Sub(11, ValueInfo("x", kOnnxFloat, {-1, width}))
      .Sub(12, ValueInfo("y", kOnnxFloat, {-1, width}));
  return OnnxModel(graph);
}

std::string Sum(int64_t width) {
  Message graph;
  graph.Sub(1, Node("sum", "Add", {"a", "b"}, "y"))
      .Text(2, "sum")
      .Sub(11, ValueInfo("a", kOnnxFloat, {-1, width}))
      .Sub(11, ValueInfo("b", kOnnxFloat, {-1, width}))
      .Sub(12, ValueInfo("y", kOnnxFloat, {-1, width}));
  return OnnxModel(graph);
}

// Two matrices with a Relu between; with `second` the input is the sum of two.
std::string Mlp(int64_t width, int64_t hidden, bool second) {
  Message graph;
  if (second) {
    graph.Sub(1, Node("join", "Add", {"a", "b"}, "x"));
  }
  graph.Sub(1, Node("up", "MatMul", {"x", "w1"}, "h"))
      .Sub(1, Node("relu", "Relu", {"h"}, "r"))
      .Sub(1, Node("down", "MatMul", {"r", "w2"}, "y"))
      .Text(2, "mlp")
      .Sub(5, Matrix("w1", width, hidden))
      .Sub(5, Matrix("w2", hidden, width));
  for (const char* input : {"a", "b"}) {
    if (second) {
      graph.Sub(11, ValueInfo(input, kOnnxFloat, {-1, width}));
    }
  }
  if (!second) {
    graph.Sub(11, ValueInfo("x", kOnnxFloat, {-1, width}));
  }
  graph.Sub(12, ValueInfo("y", kOnnxFloat, {-1, width}));
  return OnnxModel(graph);
}

class Repository final {
 public:
  Repository(std::string folder, std::string ort_library)
      : folder_(std::move(folder)), ort_library_(std::move(ort_library)) {}

  absl::Status Add(const std::string& name, const std::string& onnx, const std::string& gears) {
    const std::string source = folder_ + ".onnx";
    RETURN_IF_ERROR(WriteFileAtomically(source, onnx));
    ASSIGN_OR_RETURN(const omc::CompiledModel compiled,
                     omc::Compile({.model_path = source,
                                   .name = name,
                                   .gears = {.batch_gears = gears},
                                   .ort_library = ort_library_}));
    std::error_code ignored;
    std::filesystem::remove(source, ignored);
    return Write(name + "/1/model.om", compiled.file);
  }

  // Steps `left` and `right` read x, and `join` their results.
  absl::Status AddDiamond(const std::string& name, const std::string& branch,
                          const std::string& join, int64_t width) {
    const std::string tensor = "data_type: TYPE_FP32, dims: [" + std::to_string(width) + "]";
    return Write(name + "/config.yaml",
                 fmt::format("name: {0}\n"
                             "max_batch_size: 32\n"
                             "input:\n  - {{name: x, {1}}}\n"
                             "output:\n  - {{name: y, {1}}}\n"
                             "pipeline:\n  step:\n"
                             "    - name: left\n      model_name: {2}_left\n"
                             "      input_map: {{x: x}}\n      output_map: {{y: l}}\n"
                             "    - name: right\n      model_name: {2}_right\n"
                             "      input_map: {{x: x}}\n      output_map: {{y: r}}\n"
                             "    - name: join\n      model_name: {3}\n"
                             "      input_map: {{a: l, b: r}}\n      output_map: {{y: y}}\n",
                             name, tensor, branch, join));
  }

  absl::Status Write(const std::string& file, const std::string& contents) const {
    const std::filesystem::path path = std::filesystem::path(folder_) / file;
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    return WriteFileAtomically(path.string(), contents);
  }

 private:
  const std::string folder_;
  const std::string ort_library_;
};

}  // namespace

absl::Status MakeFrontModels(const std::string& repository, const std::string& ort_library) {
  Repository models(repository, ort_library);
  RETURN_IF_ERROR(models.Add("identity16", Identity(16), kGears));
  RETURN_IF_ERROR(models.Add("identity150528", Identity(150528), "1,2,4,8"));
  RETURN_IF_ERROR(models.Add("picture", Identity(150528), "1"));
  RETURN_IF_ERROR(models.Add("mlp", Mlp(256, 1024, false), kGears));
  RETURN_IF_ERROR(models.Write("mlp/config.yaml", "name: mlp\ndynamic_batching: {}\n"));
  RETURN_IF_ERROR(models.Add("tiny_left", Scale(16), kGears));
  RETURN_IF_ERROR(models.Add("tiny_right", Scale(16), kGears));
  RETURN_IF_ERROR(models.Add("tiny_join", Sum(16), kGears));
  RETURN_IF_ERROR(models.AddDiamond("tiny_diamond", "tiny", "tiny_join", 16));
  RETURN_IF_ERROR(models.Add("small_left", Mlp(64, 256, false), kGears));
  RETURN_IF_ERROR(models.Add("small_right", Mlp(64, 256, false), kGears));
  RETURN_IF_ERROR(models.Add("small_join", Mlp(64, 256, true), kGears));
  RETURN_IF_ERROR(models.AddDiamond("mlp_diamond", "small", "small_join", 64));
  return models.Write("one_step/config.yaml",
                      "name: one_step\nmax_batch_size: 32\n"
                      "input:\n  - {name: x, data_type: TYPE_FP32, dims: [16]}\n"
                      "output:\n  - {name: y, data_type: TYPE_FP32, dims: [16]}\n"
                      "pipeline:\n  step:\n    - name: only\n      model_name: identity16\n"
                      "      input_map: {x: x}\n      output_map: {y: y}\n");
}

}  // namespace omserve::bench
