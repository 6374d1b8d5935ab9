// SPDX-License-Identifier: Apache-2.0
// Bodies of inferences over HTTP: what they mean, what is refused, what the answer looks like.
#include "server/http/infer_json.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "tests/server/http/test_model.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using namespace std::chrono_literals;  // NOLINT: durations as people write them.

// A model "m" of these inputs and an output "y" FP32 [-1,2].
ModelHandle MakeModel(std::vector<TensorSpec> inputs) {
  return TestModel(std::move(inputs),
                   {{"y", DataType::kFp32, {-1, 2}}, {"n", DataType::kInt8, {-1, 1}}});
}

ModelHandle TwoInputs() {
  return MakeModel({{"x", DataType::kFp32, {-1, 2}}, {"t", DataType::kBytes, {-1, 1}}});
}

std::string BytesOf(const InferInput& input) {
  std::string bytes(input.encoded_bytes, '\0');
  if (input.encode) {
    REQUIRE_OK(input.encode(input, std::as_writable_bytes(std::span(bytes))));
  }
  for (const auto piece : input.pieces) {
    bytes.append(static_cast<const char*>(static_cast<const void*>(piece.data())), piece.size());
  }
  return bytes;
}

// Of a body that is read, and whose tensors are then read into memory.
absl::Status Refused(const std::string& body, std::optional<size_t> header_bytes = std::nullopt) {
  ASSIGN_OR_RETURN(const RestCall rest, ParseInferBody(body, header_bytes, TwoInputs()));
  for (const InferInput& input : rest.call.inputs) {
    if (input.encode) {
      std::string bytes(input.size_bytes(), '\0');
      RETURN_IF_ERROR(input.encode(input, std::as_writable_bytes(std::span(bytes))));
    }
  }
  return absl::OkStatus();
}

std::string Refusal(const std::string& body, std::optional<size_t> header_bytes = std::nullopt) {
  const absl::Status status = Refused(body, header_bytes);
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(status));
}

// A whole request in JSON: tensors, outputs and parameters.
TEST_CASE("ParseInferBody: JSON",
          "[1.3/BYTES][1.3/parameters][1.8/priority][1.8/timeout][1.8/others]"
          "[1.8/classification][1.8/binary-data]") {
  const std::string body = R"({"id": "a1",
      "parameters": {"priority": 2, "timeout": 5000, "omserve_trace": true, "other": 1.5},
      "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2.5]]},
                 {"name": "t", "shape": [1, 1], "datatype": "BYTES", "data": ["hi"]}],
      "outputs": [{"name": "n"},
                  {"name": "y", "parameters": {"binary_data": true, "classification": 2}}]})";
  const RestCall rest = VALUE(ParseInferBody(body, std::nullopt, TwoInputs()));
  CHECK(rest.id == "a1");
  CHECK(rest.call.priority == 2);
  CHECK(rest.call.timeout == 5ms);
  CHECK(rest.call.trace);
  REQUIRE(rest.call.inputs.size() == 2);
  CHECK(rest.call.inputs[0].shape == Dims{1, 2});
  CHECK(rest.call.inputs[0].size_bytes() == 8);
  CHECK(BytesOf(rest.call.inputs[0]) == std::string("\0\0\x80\x3f\0\0\x20\x40", 8));
  CHECK(BytesOf(rest.call.inputs[1]) == std::string("\2\0\0\0hi", 6));
  CHECK(rest.call.outputs == std::vector<std::string>{"n", "y"});
  CHECK(rest.binary_by_output == std::vector<std::optional<bool>>{std::nullopt, true});
  CHECK_FALSE(rest.binary_default);
  CHECK(rest.call.classes == std::vector<uint64_t>{0, 2});
}

// Tensors after the JSON, in the order of the inputs that have no data.
TEST_CASE("ParseInferBody: binary tensors",
          "[1.6/binary-data-size][1.6/leftover][1.6/too-few][1.6/header-length]") {
  const std::string json = R"({"parameters": {"binary_data_output": true}, "inputs": [
      {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
      {"name": "t", "shape": [1, 1], "datatype": "BYTES",
       "parameters": {"binary_data_size": 5}}]})";
  const std::string body = json + "12345678" + std::string("\1\0\0\0z", 5);
  const RestCall rest = VALUE(ParseInferBody(body, json.size(), TwoInputs()));
  CHECK(BytesOf(rest.call.inputs[0]) == "12345678");
  CHECK(BytesOf(rest.call.inputs[1]) == std::string("\1\0\0\0z", 5));
  CHECK(rest.binary_default);
  CHECK_THAT(Refusal(body.substr(0, body.size() - 1), json.size()),
             Contains("unexpected size for input 't'") && Contains("only 4 are left"));
  CHECK_THAT(Refusal(body + "!", json.size()),
             Contains("unexpected additional input data for model 'm'"));
  CHECK_THAT(Refusal(body, body.size() + 1), Contains("Inference-Header-Content-Length"));
}

// A body that is the one input itself.
TEST_CASE("ParseInferBody: a raw body", "[1.6/raw-body]") {
  const std::string floats(24, '\0');
  const RestCall fixed =
      VALUE(ParseInferBody(floats, 0, MakeModel({{"x", DataType::kFp32, {-1, 6}}})));
  CHECK(fixed.call.inputs[0].shape == Dims{1, 6});
  CHECK(fixed.binary_default);
  const RestCall open =
      VALUE(ParseInferBody(floats, 0, MakeModel({{"x", DataType::kFp32, {-1, 3, -1}}})));
  CHECK(open.call.inputs[0].shape == Dims{1, 3, 2});
  const RestCall text =
      VALUE(ParseInferBody("picture", 0, MakeModel({{"t", DataType::kBytes, {-1, 1}}})));
  CHECK(text.call.inputs[0].shape == Dims{1, 1});
  CHECK(BytesOf(text.call.inputs[0]) == std::string("\7\0\0\0picture", 11));
  CHECK_THAT(Refusal("x", 0), Contains("models of one input, but 'm' has 2"));
  CHECK_FALSE(ParseInferBody("x", 0, MakeModel({{"x", DataType::kFp32, {-1, -1, -1}}})).ok());
}

// Each way to be wrong, by the name of what is.
TEST_CASE("ParseInferBody: refusals",
          "[1.3/shape-negative][1.3/shape-overflow][1.3/data-count][1.3/parameter-values]"
          "[1.8/wrong-type][1.8/reserved][1.11/input-with-data][1.11/with-binary-data]") {
  CHECK_THAT(Refusal("{"), Contains("not a JSON object"));
  CHECK_THAT(Refusal("[]"), Contains("not a JSON object"));
  CHECK_THAT(Refusal(R"({"id": 1})"), Contains("'id'"));
  CHECK_THAT(Refusal(R"({"inputs": {}})"), Contains("'inputs' must be an array"));
  CHECK_THAT(Refusal(R"({"inputs": [1]})"), Contains("an element of 'inputs'"));
  CHECK_THAT(Refusal(R"({"inputs": [{"name": "x"}]})"), Contains("input 'x': 'datatype'"));
  const auto input = [](const std::string& rest) {
    return R"({"inputs": [{"name": "x", "datatype": "FP32", )" + rest + "}]}";
  };
  CHECK_THAT(Refusal(input(R"("data": [1])")), Contains("'shape'"));
  CHECK_THAT(Refusal(input(R"("shape": [-1], "data": [1])")), Contains("-1 is no size"));
  CHECK_THAT(Refusal(input(R"("shape": [1.5], "data": [1])")), Contains("is no size"));
  CHECK_THAT(Refusal(input(R"("shape": [4294967296, 4294967296], "data": [1])")),
             Contains("too large"));
  CHECK_THAT(Refusal(input(R"("shape": [1])")), Contains("either 'data' or"));
  CHECK_THAT(Refusal(input(R"("shape": [2], "data": [1])")), Contains("its shape needs 2"));
  CHECK_THAT(Refusal(input(R"("shape": [1], "data": ["a"])")), Contains("a number for FP32"));
  CHECK_THAT(Refusal(input(R"("shape": [1], "parameters": 1, "data": [1])")),
             Contains("'parameters' must be an object"));
  CHECK_THAT(Refusal(R"({"parameters": {"priority": "1"}})"), Contains("'priority'"));
  CHECK_THAT(Refusal(R"({"parameters": {"timeout": -1}})"), Contains("'timeout'"));
  CHECK_THAT(Refusal(R"({"parameters": {"nested": {}}})"), Contains("'nested'"));
  CHECK_THAT(Refusal(R"({"parameters": {"triton_x": 1}})"), Contains("reserved"));
  CHECK_THAT(Refusal(R"({"outputs": [{}]})"), Contains("an element of 'outputs'"));
  CHECK_THAT(Refusal(R"({"parameters": {"sequence_id": -7}})"), Contains("'sequence_id'"));
  CHECK_THAT(Refusal(R"({"parameters": {"sequence_id": true}})"), Contains("'sequence_id'"));
  CHECK_THAT(Refusal(R"({"parameters": {"sequence_start": 1}})"), Contains("'sequence_start'"));
  CHECK_THAT(Refusal(R"({"parameters": {"sequence_id": ")" + std::string(129, 'x') + "\"}}"),
             Contains("sequence_id has 129 bytes"));
  CHECK(Refused(R"({"parameters": {"sequence_id": 0}})").ok());
  CHECK_THAT(Refusal(R"({"outputs": [{"name": "y", "parameters": {"classification": -1}}]})"),
             Contains("'classification'"));
  CHECK_THAT(Refusal(input(R"("shape": [1], "parameters": {"shared_memory_region": "r"})")),
             Contains("'shared_memory_byte_size' must be specified"));
  CHECK_THAT(Refusal(input(R"("shape": [1], "data": [1],
                               "parameters": {"shared_memory_region": "r",
                                              "shared_memory_byte_size": 4})")),
             Contains("when using shared memory for input tensor"));
  CHECK_THAT(Refusal(R"({"outputs": [{"name": "y", "parameters": {
                 "shared_memory_region": "r", "shared_memory_byte_size": 4,
                 "binary_data": true}}]})"),
             Contains("exclude each other"));
}

InferResult TwoOutputs(const std::string& y, const std::string& n) {
  InferResult result;
  result.model = TwoInputs();
  result.outputs.push_back({.output = 0, .dims = {1, 2}, .bytes = std::as_bytes(std::span(y))});
  result.outputs.push_back({.output = 1, .dims = {1, 1}, .bytes = std::as_bytes(std::span(n))});
  return result;
}

// An answer in JSON alone, with the id that came.
TEST_CASE("BuildInferAnswer: JSON", "[1.3/id][1.3/model-version]") {
  const std::string y(8, '\0');
  const RestAnswer answer = VALUE(BuildInferAnswer({.id = "q"}, TwoOutputs(y, "\5")));
  CHECK_FALSE(answer.is_binary);
  CHECK(answer.json == R"({"id":"q","model_name":"m","model_version":"3","outputs":[)"
                       R"({"name":"y","datatype":"FP32","shape":[1,2],"data":[0,0]},)"
                       R"({"name":"n","datatype":"INT8","shape":[1,1],"data":[5]}]})");
  CHECK(answer.size_bytes() == answer.json.size());
}

// Some outputs as bytes: they follow the JSON and say their sizes.
TEST_CASE("BuildInferAnswer: binary tensors", "[1.3/id][1.3/nan-inf][1.6/binary-data]") {
  const std::string y("12345678");
  const RestAnswer answer = VALUE(BuildInferAnswer(
      {.binary_default = true, .binary_by_output = {std::nullopt, false}}, TwoOutputs(y, "\5")));
  CHECK(answer.is_binary);
  CHECK(answer.json ==
        R"({"model_name":"m","model_version":"3","outputs":[)"
        R"({"name":"y","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},)"
        R"({"name":"n","datatype":"INT8","shape":[1,1],"data":[5]}]})");
  REQUIRE(answer.binary.size() == 1);
  CHECK(answer.size_bytes() == answer.json.size() + 8);
  const std::string nan("\0\0\xc0\x7f\0\0\0\0", 8);
  CHECK(BuildInferAnswer({}, TwoOutputs(nan, "\5")).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace omserve::server
