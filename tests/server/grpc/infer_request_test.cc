// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_request.h"

#include <google/protobuf/stubs/logging.h>

#include <catch2/catch.hpp>
#include <random>

#include "tests/server/grpc/same_request.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelInferRequest;

// `bytes` as gRPC delivers them, cut into slices of at most `slice_bytes`.
grpc::ByteBuffer Buffer(const std::string& bytes, size_t slice_bytes) {
  return InSlices(bytes, [slice_bytes] { return slice_bytes; });
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
  WireInferRequest wire = VALUE(ParseInferRequest(Buffer(request.SerializeAsString(), 1 << 20)));
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
      const WireInferRequest walked = VALUE(ParseInferRequest(Buffer(bytes, cut)));
      ModelInferRequest expected;
      REQUIRE(expected.ParseFromString(bytes));
      CHECK(Difference(walked, expected).empty());
    }
  }
}

// A field: its tag and what belongs to it.
std::string Field(uint32_t number, const std::string& value) {
  return static_cast<char>(number << 3 | 2) + std::string(1, static_cast<char>(value.size())) +
         value;
}

// Both parsers on the same bytes, in slices of 3: whether they accept them, and that they agree.
bool Accepted(const std::string& bytes) {
  const google::protobuf::LogSilencer quiet;  // Protobuf prints what it refuses.
  const absl::StatusOr<WireInferRequest> walked = ParseInferRequest(Buffer(bytes, 3));
  ModelInferRequest expected;
  CHECK(walked.ok() == expected.ParseFromString(bytes));
  if (walked.ok()) {
    CHECK(Difference(*walked, expected).empty());
  }
  return walked.ok();
}

// What the generated parser accepts though no serialiser writes it: the last of a scalar and of a
// oneof, an entry of a map again, a message in parts, packed and not, unknown fields and groups.
TEST_CASE("ParseInferRequest: unusual messages", "[infer_request]") {
  CHECK(Accepted(Field(1, "first") + Field(1, "last")));
  const std::string as_bool("\x08\x01", 2);
  const std::string as_int("\x10\x07", 2);
  CHECK(Accepted(Field(4, Field(1, "k") + Field(2, as_bool + as_int))));
  CHECK(Accepted(Field(4, Field(2, as_bool) + Field(1, "k") + Field(2, ""))));
  CHECK(Accepted(Field(4, Field(1, "k") + Field(2, as_bool)) + Field(4, Field(1, "k"))));
  CHECK(Accepted(Field(4, "")));
  const std::string unpacked("\x18\x05\x18\x06", 4);
  CHECK(Accepted(Field(5, unpacked + Field(3, "\x01\x02") + unpacked)));
  CHECK(Accepted(Field(5, Field(5, std::string("\x10\x03", 2)) + Field(5, Field(2, "\x04")))));
  CHECK(Accepted(Field(1, "m") + Field(15, "unknown") + std::string("\x7b\x08\x01\x7c", 4)));
  CHECK(Accepted(std::string("\x8a\x80\x00\x81\x80\x00m", 7)));  // Tag and length too long.
  CHECK(Accepted(std::string("\x08\x05", 2)));                   // model_name as a number.
}

// What it refuses.
TEST_CASE("ParseInferRequest: damaged messages", "[infer_request]") {
  CHECK_FALSE(Accepted(Field(1, "\xff")));                          // Not UTF-8.
  CHECK_FALSE(Accepted(Field(1, "\xff") + Field(1, "m")));          // Though overwritten.
  CHECK_FALSE(Accepted(Field(4, Field(1, "\xc0\x80"))));            // A key.
  CHECK_FALSE(Accepted(std::string("\x00", 1)));                    // Tag 0.
  CHECK_FALSE(Accepted(std::string("\x02\x00", 2)));                // Field 0.
  CHECK_FALSE(Accepted(std::string("\x7c", 1)));                    // An end of no group.
  CHECK_FALSE(Accepted(std::string("\x7b\x74", 2)));                // Of another.
  CHECK_FALSE(Accepted(std::string("\x7b\x08\x01", 3)));            // A group without end.
  CHECK_FALSE(Accepted(std::string("\x0e\x00", 2)));                // Wire type 6.
  CHECK_FALSE(Accepted(std::string(11, '\x88')));                   // A varint of 11 bytes.
  CHECK_FALSE(Accepted(Field(5, std::string("\x0a\x05m", 3))));     // Longer than the input.
  CHECK_FALSE(Accepted(Field(5, Field(5, Field(6, "\x01\x02")))));  // Half a float.
}

// Groups within groups: as deep as protobuf goes, and not one deeper.
TEST_CASE("ParseInferRequest: depth", "[infer_request]") {
  for (const size_t depth : {size_t{1}, size_t{99}, size_t{100}, size_t{101}}) {
    const std::string groups = std::string(depth, '\x7b') + std::string(depth, '\x7c');
    CHECK(Accepted(groups) == (depth <= 100));
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
  for (const bool raw : {true, false}) {
    const std::string bytes = SomeRequest(raw).SerializeAsString();
    for (size_t length = 0; length < bytes.size(); ++length) {
      Accepted(bytes.substr(0, length));
    }
  }
}

// Seeded noise and mutations: accepted exactly when the generated parser accepts.
TEST_CASE("ParseInferRequest: noise", "[infer_request]") {
  std::mt19937 random(20261122);
  const std::string valid = SomeRequest(true).SerializeAsString();
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = valid;
    for (int m = 0; m < 1 + i % 4; ++m) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    Accepted(bytes);
  }
}

// A length of 2 GiB before a few bytes: refused without the memory.
TEST_CASE("ParseInferRequest: a claim of 2 GiB", "[infer_request]") {
  const std::string bytes("\x3a\xff\xff\xff\xff\x07xyz", 9);  // Field 7, length 2^31 - 1.
  const absl::Status status = ParseInferRequest(Buffer(bytes, 4)).status();
  CHECK(MessageOf(status) ==
        "the message is not an inference.ModelInferRequest: field 7 is cut off, does not fit its "
        "type, or is a string and not UTF-8");
}

// Millions of empty tensors: refused before they cost memory.
TEST_CASE("ParseInferRequest: too many tensors", "[infer_request]") {
  std::string bytes;
  for (size_t i = 0; i <= kMostTensors; ++i) {
    bytes += std::string("\x3a\x00", 2);
  }
  CHECK(MessageOf(ParseInferRequest(Buffer(bytes, 1000)).status()) ==
        "raw_input_contents has more than 4096 entries");
}

// Raw and typed contents of the same values: the same bytes reach the model.
TEST_CASE("PrepareCall: raw and typed contents", "[infer_request][1.4/raw][1.4/typed-FP32]") {
  ModelInferRequest raw = SomeRequest(true);
  const float values[2] = {1.5F, -2.0F};
  const std::string encoded(static_cast<const char*>(static_cast<const void*>(values)), 8);
  raw.set_raw_input_contents(0, encoded);
  raw.set_raw_input_contents(1, encoded);
  for (const ModelInferRequest& request : {raw, SomeRequest(false)}) {
    WireInferRequest wire = VALUE(ParseInferRequest(Buffer(request.SerializeAsString(), 1 << 20)));
    const InferCall call = VALUE(PrepareCall(wire, SomeModel()));
    REQUIRE(call.inputs.size() == 2);
    const InferInput& input = call.inputs[1];
    CHECK(input.name == "b");
    CHECK(input.shape == Dims{1, 2});
    CHECK(input.size_bytes() == encoded.size());
    if (input.encode) {
      std::string written(input.size_bytes(), '\0');
      REQUIRE_OK(input.encode(input, std::as_writable_bytes(std::span(written))));
      CHECK(written == encoded);
    } else {
      CHECK(Joined(input.pieces) == encoded);
    }
    CHECK(call.outputs == std::vector<std::string>{"y"});
    CHECK(call.priority == 3);
  }
}

// Both ways at once, one entry too few, one too many, and no data at all: in Triton's words where
// it has some.
TEST_CASE("PrepareCall: tensors that do not add up",
          "[infer_request][1.4/raw-and-typed][1.4/raw-too-few][1.4/raw-too-many]") {
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
TEST_CASE("PrepareCall: parameters that count",
          "[infer_request][1.8/sequence-id][1.8/sequence-start-end][1.8/priority][1.8/timeout]"
          "[1.8/others][1.8/empty-final-response]") {
  ModelInferRequest request = SomeRequest(true);
  auto& parameters = *request.mutable_parameters();
  parameters["priority"].set_int64_param(2);
  parameters["timeout"].set_int64_param(1500);
  parameters["omserve_trace"].set_bool_param(true);
  parameters["sequence_id"].set_int64_param(42);
  parameters["sequence_start"].set_bool_param(true);
  parameters["sequence_end"].set_bool_param(false);
  parameters["binary_data_output"].set_bool_param(true);
  parameters["mine"].set_string_param("x");
  parameters["triton_enable_empty_final_response"].set_bool_param(true);
  WireInferRequest wire = VALUE(ParseInferRequest(Buffer(request.SerializeAsString(), 1 << 20)));
  const InferCall call = VALUE(PrepareCall(wire, SomeModel()));
  CHECK(call.priority == 2);
  CHECK(call.timeout == std::chrono::microseconds(1500));
  CHECK(call.trace);
  CHECK(call.sequence.id == scheduler::SequenceId{.number = 42});
  CHECK(call.sequence.start);
  CHECK_FALSE(call.sequence.end);
}

// A sequence's id is a number or a text, and another one when it is the other kind.
TEST_CASE("PrepareCall: a sequence with a text for its id", "[infer_request][1.8/sequence-id]") {
  ModelInferRequest request = SomeRequest(true);
  (*request.mutable_parameters())["sequence_id"].set_string_param("42");
  WireInferRequest wire = VALUE(ParseInferRequest(Buffer(request.SerializeAsString(), 1 << 20)));
  const InferCall call = VALUE(PrepareCall(wire, SomeModel()));
  CHECK(call.sequence.id == scheduler::SequenceId{.text = "42"});
}

// Parameters that are refused, each with what to do instead.
TEST_CASE("PrepareCall: parameters that are refused",
          "[infer_request][1.8/reserved][1.8/wrong-type]") {
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
      "sequence_id", [](P& p) { p.set_string_param(std::string(129, 's')); },
      absl::StatusCode::kInvalidArgument, "sequence_id has 129 bytes, expected 128 at most");
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

// Places in shared memory, beside a tensor that is in the message: that one's raw contents are the
// first, whatever its own place.
TEST_CASE("PrepareCall: tensors in shared memory",
          "[infer_request][1.4/positional][1.8/shared-memory][1.11/input-with-data]") {
  ModelInferRequest request = SomeRequest(true);
  auto& parameters = *request.mutable_inputs(0)->mutable_parameters();
  parameters["shared_memory_region"].set_string_param("r");
  CheckRefused(request, absl::StatusCode::kInvalidArgument,
               "'shared_memory_byte_size' must be specified along with 'shared_memory_region' for "
               "input 'a'");
  parameters["shared_memory_byte_size"].set_int64_param(16);
  parameters["shared_memory_offset"].set_int64_param(-1);
  CheckRefused(request, absl::StatusCode::kInvalidArgument,
               "parameter 'shared_memory_offset' must not be negative, got -1");
  parameters["shared_memory_offset"].set_int64_param(64);
  CheckRefused(request, absl::StatusCode::kInvalidArgument,
               "raw_input_contents has 2 entries but the request for model 'm' has 1 inputs that "
               "are not in shared memory; expected one entry for each");
  request.mutable_raw_input_contents()->erase(request.raw_input_contents().begin());
  auto& place = *request.mutable_outputs(0)->mutable_parameters();
  place["shared_memory_region"].set_string_param("out");
  place["shared_memory_byte_size"].set_uint64_param(32);
  WireInferRequest wire = VALUE(ParseInferRequest(Buffer(request.SerializeAsString(), 64)));
  const InferCall call = VALUE(PrepareCall(wire, SomeModel()));
  REQUIRE(call.inputs.size() == 2);
  REQUIRE(call.inputs[0].shared.has_value());
  CHECK(call.inputs[0].shared->region == "r");
  CHECK(call.inputs[0].shared->offset_bytes == 64);
  CHECK(call.inputs[0].size_bytes() == 16);
  CHECK_FALSE(call.inputs[1].shared.has_value());
  CHECK(call.inputs[1].size_bytes() == request.raw_input_contents(0).size());
  REQUIRE(call.places.size() == 1);
  CHECK(call.places[0]->region == "out");
  CHECK(call.places[0]->size_bytes == 32);
  parameters["shared_memory_region"].set_bool_param(true);
  CheckRefused(request, absl::StatusCode::kInvalidArgument,
               "invalid value type for 'shared_memory_region' parameter, expected string_param.");
  parameters["shared_memory_region"].set_string_param("r");
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  CheckRefused(request, absl::StatusCode::kInvalidArgument,
               "unexpected 'content' provided when using shared memory for input tensor 'a' for "
               "model 'm'");
}

// How many classes an output is wanted as; 0 asks for the tensor.
TEST_CASE("PrepareCall: classification", "[infer_request][1.8/classification]") {
  ModelInferRequest request = SomeRequest(true);
  inference::InferParameter& classes =
      (*request.mutable_outputs(0)->mutable_parameters())["classification"];
  classes.set_int64_param(3);
  WireInferRequest wire = VALUE(ParseInferRequest(Buffer(request.SerializeAsString(), 64)));
  CHECK(VALUE(PrepareCall(wire, SomeModel())).classes == std::vector<uint64_t>{3});
  classes.set_int64_param(0);
  wire = VALUE(ParseInferRequest(Buffer(request.SerializeAsString(), 64)));
  CHECK(VALUE(PrepareCall(wire, SomeModel())).classes.empty());
  classes.set_int64_param(-1);
  CheckRefused(request, absl::StatusCode::kInvalidArgument,
               "parameter 'classification' must not be negative, got -1");
  classes.set_string_param("3");
  CheckRefused(request, absl::StatusCode::kInvalidArgument,
               "invalid value type for 'classification' parameter, expected int64_param or "
               "uint64_param.");
}

}  // namespace
}  // namespace omserve::server
