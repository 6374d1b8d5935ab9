// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_response.h"

#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <numeric>

#include "proto/inference/grpc_service.pb.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

struct Owned {
  std::shared_ptr<std::vector<std::byte>> bytes;
  scheduler::ResponseOutput output;
};

Owned Output(int index, Dims dims, size_t size) {
  auto bytes = std::make_shared<std::vector<std::byte>>(size);
  for (size_t i = 0; i < size; ++i) {
    (*bytes)[i] = static_cast<std::byte>(i * 7 + static_cast<size_t>(index));
  }
  return {bytes, {.output = index, .dims = std::move(dims), .bytes = *bytes, .owner = bytes}};
}

InferResult Result(const std::vector<Owned>& outputs) {
  InferResult result{
      .model = std::make_shared<const Model>(
          Model{.name = "m",
                .version = 12,
                .outputs = {{"y", DataType::kFp32, {-1, -1}}, {"z", DataType::kBytes, {-1}}}})};
  for (const Owned& owned : outputs) {
    result.outputs.push_back(owned.output);
  }
  return result;
}

inference::ModelInferResponse Parsed(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  REQUIRE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(static_cast<const char*>(static_cast<const void*>(slice.begin())), slice.size());
  }
  inference::ModelInferResponse response;
  REQUIRE(response.ParseFromString(bytes));
  return response;
}

std::string Text(const std::vector<std::byte>& bytes) {
  return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

// Outputs that are copied, aliased and empty: the generated parser reads the message it would have
// written itself.
TEST_CASE("BuildInferResponse: equal to the generated message", "[infer_response]") {
  const std::vector<Owned> outputs = {Output(1, {2}, 11), Output(0, {250, 4}, 4000),
                                      Output(0, {0, 4}, 0)};
  const InferResult result = Result(outputs);
  const inference::ModelInferResponse response = Parsed(BuildInferResponse("seven", result));
  inference::ModelInferResponse expected;
  expected.set_model_name("m");
  expected.set_model_version("12");
  expected.set_id("seven");
  for (const Owned& owned : outputs) {
    auto& tensor = *expected.add_outputs();
    const TensorSpec& spec = result.model->outputs[static_cast<size_t>(owned.output.output)];
    tensor.set_name(spec.name);
    tensor.set_datatype(std::string(DataTypeName(spec.type)));
    tensor.mutable_shape()->Assign(owned.output.dims.begin(), owned.output.dims.end());
    expected.add_raw_output_contents(Text(*owned.bytes));
  }
  CHECK(response.DebugString() == expected.DebugString());
}

// A large output: the response holds its block until the buffer goes, and no longer.
TEST_CASE("BuildInferResponse: large outputs are held, not copied", "[infer_response]") {
  Owned owned = Output(0, {1000, 1000}, 4'000'000);
  const std::weak_ptr<std::vector<std::byte>> watched = owned.bytes;
  const void* data = owned.bytes->data();
  {
    grpc::ByteBuffer buffer = BuildInferResponse("", Result({owned}));
    owned = {};
    CHECK_FALSE(watched.expired());
    std::vector<grpc::Slice> slices;
    REQUIRE(buffer.Dump(&slices).ok());
    REQUIRE(slices.size() == 2);
    CHECK(slices[1].begin() == data);
  }
  CHECK(watched.expired());
}

// No outputs asked for cannot happen, yet a message without tensors is a message.
TEST_CASE("BuildInferResponse: without outputs", "[infer_response]") {
  const inference::ModelInferResponse response = Parsed(BuildInferResponse("", Result({})));
  CHECK(response.model_name() == "m");
  CHECK(response.id().empty());
  CHECK(response.outputs_size() == 0);
}

// A trace: the parameter holds a JSON array with a step's times and place.
TEST_CASE("BuildInferResponse: the trace is a parameter", "[infer_response]") {
  InferResult result = Result({});
  result.trace = {{.step = "s\"1",
                   .model = "m",
                   .lane = 1,
                   .stream = 4,
                   .batch_rows = 3,
                   .gear_rows = 4,
                   .reason = "full",
                   .start_us = 10,
                   .end_us = 25}};
  const inference::ModelInferResponse response = Parsed(BuildInferResponse("", result));
  CHECK(response.parameters().at("omserve_trace").string_param() ==
        R"([{"step":"s\"1","model":"m","lane":1,"stream":4,"batch_rows":3,"gear_rows":4,)"
        R"("reason":"full","start_us":10,"end_us":25}])");
}

}  // namespace
}  // namespace omserve::server
