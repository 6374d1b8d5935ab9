// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_request.h"

#include <google/protobuf/stubs/logging.h>

#include <catch2/catch.hpp>
#include <random>

#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelInferRequest;

std::string Joined(const RawTensor& tensor) {
  std::string joined;
  for (const std::span<const std::byte>& piece : tensor) {
    joined.append(static_cast<const char*>(static_cast<const void*>(piece.data())), piece.size());
  }
  return joined;
}

// `bytes` as gRPC delivers them, cut into slices of at most `slice_bytes`.
grpc::ByteBuffer Buffer(const std::string& bytes, size_t slice_bytes) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += slice_bytes) {
    slices.emplace_back(bytes.substr(at, slice_bytes));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

ModelInferRequest SomeRequest(bool raw) {
  ModelInferRequest request;
  request.set_model_name("m");
  request.set_model_version("2");
  request.set_id("seven");
  (*request.mutable_parameters())["priority"].set_uint64_param(3);
  for (const char* name : {"a", "b"}) {
    auto& input = *request.add_inputs();
    input.set_name(name);
    input.set_datatype("FP32");
    input.add_shape(1);
    input.add_shape(2);
    if (raw) {
      request.add_raw_input_contents(std::string(name) + "1234567");
    } else {
      input.mutable_contents()->add_fp32_contents(1.5F);
      input.mutable_contents()->add_fp32_contents(-2.0F);
    }
  }
  request.add_outputs()->set_name("y");
  return request;
}

ModelHandle SomeModel() {
  auto model = std::make_shared<Model>();
  model->name = "m";
  return model;
}

absl::Status PrepareError(const ModelInferRequest& request) {
  const WireInferRequest wire =
      VALUE(ParseInferRequest(Buffer(request.SerializeAsString(), 1 << 20)));
  return PrepareCall(wire, SomeModel()).status();
}

void CheckRefused(const ModelInferRequest& request, absl::StatusCode code,
                  const std::string& message) {
  const absl::Status status = PrepareError(request);
  CHECK(status.code() == code);
  CHECK(MessageOf(status) == message);
}

// Any message in any cut: the walk finds what the generated parser finds.
TEST_CASE("ParseInferRequest: equal to the generated parser", "[infer_request]") {
  for (const bool raw : {true, false}) {
    const std::string bytes = SomeRequest(raw).SerializeAsString();
    for (const size_t cut : {size_t{1}, size_t{2}, size_t{7}, size_t{64}, bytes.size()}) {
      WireInferRequest walked = VALUE(ParseInferRequest(Buffer(bytes, cut)));
      for (const RawTensor& tensor : walked.raw) {
        walked.message.add_raw_input_contents(Joined(tensor));
      }
      ModelInferRequest expected;
      REQUIRE(expected.ParseFromString(bytes));
      CHECK(walked.message.DebugString() == expected.DebugString());
    }
  }
}

// A tensor in one slice: it is not copied.
TEST_CASE("ParseInferRequest: tensors stay where they are", "[infer_request]") {
  ModelInferRequest request = SomeRequest(true);
  request.set_raw_input_contents(0, std::string(100000, 'x'));
  const grpc::ByteBuffer buffer = Buffer(request.SerializeAsString(), 1 << 20);
  const WireInferRequest walked = VALUE(ParseInferRequest(buffer));
  REQUIRE(walked.raw.at(0).size() == 1);
  const void* at = walked.raw[0][0].data();
  REQUIRE(walked.slices.size() == 1);
  CHECK((at > walked.slices[0].begin() && at < walked.slices[0].end()));
}

// A message that is cut off anywhere: an error, or a shorter message, but never a crash.
TEST_CASE("ParseInferRequest: truncations", "[infer_request]") {
  const std::string bytes = SomeRequest(true).SerializeAsString();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const absl::StatusOr<WireInferRequest> walked =
        ParseInferRequest(Buffer(bytes.substr(0, length), 5));
    ModelInferRequest expected;
    CHECK(walked.ok() == expected.ParseFromString(bytes.substr(0, length)));
    if (!walked.ok()) {
      CHECK(walked.status().code() == absl::StatusCode::kInvalidArgument);
    }
  }
}

// Seeded noise and mutations: accepted exactly when the generated parser accepts.
TEST_CASE("ParseInferRequest: noise", "[infer_request]") {
  const google::protobuf::LogSilencer quiet;  // Protobuf prints what it refuses.
  std::mt19937 random(20261122);
  const std::string valid = SomeRequest(true).SerializeAsString();
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = valid;
    for (int m = 0; m < 1 + i % 4; ++m) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    ModelInferRequest expected;
    const bool accepted = expected.ParseFromString(bytes);
    CHECK(ParseInferRequest(Buffer(bytes, 1 + random() % 40)).ok() == accepted);
  }
}

// A length of 2 GiB before a few bytes: refused without the memory.
TEST_CASE("ParseInferRequest: a claim of 2 GiB", "[infer_request]") {
  const std::string bytes("\x3a\xff\xff\xff\xff\x07xyz", 9);  // Field 7, length 2^31 - 1.
  const absl::Status status = ParseInferRequest(Buffer(bytes, 4)).status();
  CHECK(MessageOf(status) ==
        "the message is not an inference.ModelInferRequest: raw_input_contents is cut off");
}

// Millions of empty tensors: refused before they cost memory.
TEST_CASE("ParseInferRequest: too many tensors", "[infer_request]") {
  std::string bytes;
  for (size_t i = 0; i <= kMostRawTensors; ++i) {
    bytes += std::string("\x3a\x00", 2);
  }
  CHECK(MessageOf(ParseInferRequest(Buffer(bytes, 1000)).status()) ==
        "raw_input_contents has more than 4096 entries");
}

// Raw and typed contents of the same values: the same bytes reach the model.
TEST_CASE("PrepareCall: raw and typed contents", "[infer_request]") {
  ModelInferRequest raw = SomeRequest(true);
  const float values[2] = {1.5F, -2.0F};
  const std::string encoded(static_cast<const char*>(static_cast<const void*>(values)), 8);
  raw.set_raw_input_contents(0, encoded);
  raw.set_raw_input_contents(1, encoded);
  for (const ModelInferRequest& request : {raw, SomeRequest(false)}) {
    const WireInferRequest wire =
        VALUE(ParseInferRequest(Buffer(request.SerializeAsString(), 1 << 20)));
    const PreparedCall prepared = VALUE(PrepareCall(wire, SomeModel()));
    REQUIRE(prepared.call.inputs.size() == 2);
    CHECK(prepared.call.inputs[1].name == "b");
    CHECK(prepared.call.inputs[1].shape == Dims{1, 2});
    CHECK(Joined(prepared.call.inputs[1].pieces) == encoded);
    CHECK(prepared.call.outputs == std::vector<std::string>{"y"});
    CHECK(prepared.call.priority == 3);
  }
}

// Both ways at once, one entry too few, one too many, and no data at all: in Triton's words where
// it has some.
TEST_CASE("PrepareCall: tensors that do not add up", "[infer_request]") {
  ModelInferRequest both = SomeRequest(true);
  both.mutable_inputs(1)->mutable_contents()->add_fp32_contents(1);
  CheckRefused(both, absl::StatusCode::kInvalidArgument,
               "contents field must not be specified when using raw_input_contents for 'b' for "
               "model 'm'");
  ModelInferRequest few = SomeRequest(true);
  few.mutable_raw_input_contents()->RemoveLast();
  CheckRefused(few, absl::StatusCode::kInvalidArgument,
               "unable to find data for input tensor 'b' for model 'm' in request.");
  ModelInferRequest many = SomeRequest(true);
  many.add_raw_input_contents("x");
  CheckRefused(many, absl::StatusCode::kInvalidArgument,
               "raw_input_contents has 3 entries but the request for model 'm' has 2 inputs; "
               "expected one entry for each");
  ModelInferRequest none = SomeRequest(false);
  none.mutable_inputs(0)->clear_contents();
  CheckRefused(none, absl::StatusCode::kInvalidArgument,
               "unable to find data for input tensor 'a' for model 'm' in request.");
}

// Parameters with a meaning, in the types that clients use.
TEST_CASE("PrepareCall: parameters that count", "[infer_request]") {
  ModelInferRequest request = SomeRequest(true);
  auto& parameters = *request.mutable_parameters();
  parameters["priority"].set_int64_param(2);
  parameters["timeout"].set_int64_param(1500);
  parameters["omserve_trace"].set_bool_param(true);
  parameters["sequence_id"].set_int64_param(0);
  parameters["binary_data_output"].set_bool_param(true);
  parameters["mine"].set_string_param("x");
  parameters["triton_enable_empty_final_response"].set_bool_param(true);
  const WireInferRequest wire =
      VALUE(ParseInferRequest(Buffer(request.SerializeAsString(), 1 << 20)));
  const PreparedCall prepared = VALUE(PrepareCall(wire, SomeModel()));
  CHECK(prepared.call.priority == 2);
  CHECK(prepared.call.timeout == std::chrono::microseconds(1500));
  CHECK(prepared.call.trace);
}

// Parameters that are refused, each with what to do instead.
TEST_CASE("PrepareCall: parameters that are refused", "[infer_request]") {
  const auto refused = [](const char* name, const auto& set, absl::StatusCode code,
                          const std::string& message) {
    ModelInferRequest request = SomeRequest(true);
    set((*request.mutable_parameters())[name]);
    CheckRefused(request, code, message);
  };
  using P = inference::InferParameter;
  refused(
      "priority", [](P& p) { p.set_string_param("high"); }, absl::StatusCode::kInvalidArgument,
      "invalid value type for 'priority' parameter, expected int64_param or uint64_param.");
  refused(
      "priority", [](P& p) { p.set_int64_param(-1); }, absl::StatusCode::kInvalidArgument,
      "parameter 'priority' must not be negative, got -1");
  refused(
      "timeout", [](P& p) { p.set_double_param(1); }, absl::StatusCode::kInvalidArgument,
      "invalid value type for 'timeout' parameter, expected int64_param or uint64_param.");
  refused(
      "sequence_id", [](P& p) { p.set_string_param("s1"); }, absl::StatusCode::kUnimplemented,
      "sequence_id is 's1', but sequences are not supported by omserve yet; send requests to "
      "model 'm' without one");
  refused(
      "sequence_id", [](P& p) { p.set_bool_param(true); }, absl::StatusCode::kInvalidArgument,
      "invalid value type for 'sequence_id' parameter, expected int64_param or string_param.");
  refused(
      "sequence_start", [](P& p) { p.set_int64_param(1); }, absl::StatusCode::kInvalidArgument,
      "invalid value type for 'sequence_start' parameter, expected bool_param.");
  refused(
      "triton_x", [](P& p) { p.set_bool_param(true); }, absl::StatusCode::kInvalidArgument,
      "parameter 'triton_x': keys starting with 'triton_' are reserved. Only the following "
      "keys starting with 'triton_' are allowed: ['triton_enable_empty_final_response']");
}

// Shared memory and classification are not built: said, and not passed over.
TEST_CASE("PrepareCall: tensors with extensions that are not built", "[infer_request]") {
  ModelInferRequest request = SomeRequest(true);
  (*request.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("r");
  CheckRefused(request, absl::StatusCode::kUnimplemented,
               "input 'a' names a shared_memory_region, but shared memory is not supported by "
               "omserve yet; send its bytes in the message");
  request = SomeRequest(true);
  (*request.mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(3);
  CheckRefused(request, absl::StatusCode::kUnimplemented,
               "output 'y' asks for classification, which is not supported by omserve yet; ask for "
               "the tensor itself");
}

}  // namespace
}  // namespace omserve::server
