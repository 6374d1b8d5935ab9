// SPDX-License-Identifier: Apache-2.0
#include "server/http/generate.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "runtime/base/bytes_tensor.h"
#include "tests/server/http/test_model.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;

// A model "m", version 3, that batches.
std::shared_ptr<Model> MakeModel(std::vector<TensorSpec> inputs) {
  return TestModel(std::move(inputs),
                   {{"text_output", DataType::kBytes, {-1, 1}}, {"y", DataType::kFp32, {-1, 2}}});
}

std::string Infer(const std::string& body, const Model& model) {
  return VALUE(InferBodyOfGenerate(body, model));
}

std::string Refusal(const std::string& body, const Model& model) {
  const absl::Status status = InferBodyOfGenerate(body, model).status();
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(status));
}

// Members are tensors where the model has such inputs, wherever they stand, and parameters else.
TEST_CASE("Generate: a request",
          "[1.10/scalar][1.10/array][1.10/parameters][1.10/shape][1.10/id]") {
  const auto model = MakeModel({{"text_input", DataType::kBytes, {-1, 1}},
                                {"x", DataType::kFp32, {-1, 2}},
                                {"ids", DataType::kInt64, {-1, -1}}});
  CHECK(boost::json::parse(Infer(R"({"text_input": "hi", "id": "a", "priority": 2, "x": [1, 2.5],
                                     "parameters": {"ids": [1, 2, 3], "top_p": 0.5}})",
                                 *model)) == boost::json::parse(R"({
      "id": "a", "parameters": {"priority": 2, "top_p": 0.5},
      "inputs": [{"name": "text_input", "shape": [1, 1], "datatype": "BYTES", "data": ["hi"]},
                 {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2.5]},
                 {"name": "ids", "shape": [1, 3], "datatype": "INT64", "data": [1, 2, 3]}]})"));
  // Two members of the name "id": the inner one is a parameter like others.
  CHECK_THAT(Infer(R"({"parameters": {"id": "b"}})", *model),
             Contains(R"("parameters":{"id":"b"})"));
}

TEST_CASE("Generate: errors of a request", "[1.10/shape]") {
  const auto model =
      MakeModel({{"x", DataType::kFp32, {-1, 2}}, {"free", DataType::kFp32, {-1, -1, 3, -1}}});
  CHECK_THAT(Refusal("{", *model), Contains("not a JSON object"));
  CHECK_THAT(Refusal("[]", *model), Contains("not a JSON object"));
  CHECK_THAT(Refusal(R"({"parameters": 1})", *model), Contains("'parameters' must be an object"));
  CHECK_THAT(Refusal(R"({"x": 1})", *model),
             Contains("input 'x' of model 'm' got 1 elements, expected 2"));
  CHECK_THAT(Refusal(R"({"x": [[1, 2]]})", *model), Contains("a value or an array of values"));
  CHECK_THAT(Refusal(R"({"x": null})", *model), Contains("a value or an array of values"));
  CHECK_THAT(Refusal(R"({"x": {"a": 1}})", *model), Contains("a value or an array of values"));
  CHECK_THAT(Refusal(R"({"free": [1, 2, 3]})", *model), Contains("several dims of any length"));
  const auto one_free = MakeModel({{"f", DataType::kFp32, {-1, 3, -1}}});
  CHECK_THAT(Infer(R"({"f": [1, 2, 3, 4, 5, 6]})", *one_free), Contains(R"("shape":[1,3,2])"));
  CHECK_THAT(Infer(R"({"f": []})", *one_free), Contains(R"("shape":[1,3,0])"));
  CHECK_THAT(Refusal(R"({"f": [1, 2]})", *one_free), Contains("expected a multiple of 3"));
}

// One element is a value, several are an array, and there is an id where one was given.
TEST_CASE("Generate: an answer", "[1.10/answer][1.10/id]") {
  InferResult result;
  result.model = MakeModel({});
  std::string text;
  REQUIRE_OK(AppendBytesElement("[\"hi\"]", &text));
  const float numbers[] = {1.5F, -2};
  const auto bytes = [](const void* data, size_t size) {
    return std::span(static_cast<const std::byte*>(data), size);
  };
  result.outputs.push_back({.output = 0, .dims = {1, 1}, .bytes = bytes(text.data(), text.size())});
  result.outputs.push_back({.output = 1, .dims = {1, 2}, .bytes = bytes(numbers, sizeof(numbers))});
  CHECK(boost::json::parse(VALUE(GenerateAnswer("q", result))) == boost::json::parse(R"({
      "id": "q", "model_name": "m", "model_version": "3", "text_output": "[\"hi\"]",
      "y": [1.5, -2]})"));
  CHECK_THAT(VALUE(GenerateAnswer("", result)), !Contains("\"id\""));
}

}  // namespace
}  // namespace omserve::server
