// SPDX-License-Identifier: Apache-2.0
// sequence_batching: what it may not say, and how the compiled file completes it.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "tests/config/config_test_util.h"

namespace omserve::config {
namespace {

std::string CheckError(const std::string& yaml) {
  const absl::Status status = ParseStatus(yaml);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return ErrorOf(status);
}

// What Triton's examples write is accepted without a warning.
TEST_CASE("sequence_batching: a full configuration is accepted") {
  CHECK(Parsed(TextFormat::kYaml, R"(
max_batch_size: 4
input: [{name: x, data_type: TYPE_FP32, dims: [16]}]
sequence_batching:
  max_sequence_idle_microseconds: 5000000
  oldest:
    max_candidate_sequences: 8
    preferred_batch_size: [2, 4]
    max_queue_delay_microseconds: 100
  control_input:
    - {name: start, control: [{kind: CONTROL_SEQUENCE_START, fp32_false_true: [0, 1]}]}
    - {name: ready, control: [{kind: CONTROL_SEQUENCE_READY, int32_false_true: [0, 1]}]}
    - {name: end, control: [{kind: CONTROL_SEQUENCE_END, bool_false_true: [false, true]}]}
    - {name: id, control: [{kind: CONTROL_SEQUENCE_CORRID, data_type: TYPE_UINT64}]}
  state:
    - input_name: h
      output_name: h_out
      data_type: TYPE_FP32
      dims: [128]
      initial_state: [{name: begin, data_type: TYPE_FP32, dims: [128], data_file: begin.bin}]
)")
            .warnings.empty());
}

// The sample says what it means.
TEST_CASE("sequence_batching: the sample is right") {
  const std::string path = OMSERVE_SOURCE_DIR "/config/samples/sequence.config.yaml";
  const std::string text = VALUE(ReadFile(path));
  const LoadedModelConfig loaded =
      VALUE(ParseModelConfig(TextFormat::kYaml, text, path, "detector"));
  CHECK(loaded.warnings.empty());
  CHECK(loaded.config.sequence_batching().max_sequence_idle_microseconds() == 1'000'000);
}

// Each control has an input of its own and two values, or a type.
TEST_CASE("sequence_batching: wrong controls are refused") {
  const auto control = [](const std::string& text) {
    return CheckError("sequence_batching: {control_input: [{name: c, control: [" + text + "]}]}\n");
  };
  CHECK(control("{kind: CONTROL_SEQUENCE_READY}") ==
        "f:1:57: key 'sequence_batching.control_input[0].control[0]': CONTROL_SEQUENCE_READY needs "
        "one of int32_false_true, fp32_false_true and bool_false_true, of two values");
  CHECK(control("{kind: CONTROL_SEQUENCE_END, int32_false_true: [1]}").find("of two values") !=
        std::string::npos);
  CHECK(control("{kind: CONTROL_SEQUENCE_CORRID, data_type: TYPE_STRING}")
            .find("a compiled model takes no strings") != std::string::npos);
  CHECK(control("{kind: CONTROL_SEQUENCE_CORRID, data_type: TYPE_FP32}").find("got TYPE_FP32") !=
        std::string::npos);
  CHECK(control("{kind: CONTROL_SEQUENCE_END, int32_false_true: [0, 1]}, "
                "{kind: CONTROL_SEQUENCE_READY, int32_false_true: [0, 1]}")
            .find("carries 2 controls, expected one") != std::string::npos);
}

// What the server makes is no input of the client's, and is made once.
TEST_CASE("sequence_batching: an input has one maker") {
  CHECK(CheckError(R"(
input: [{name: h, data_type: TYPE_FP32, dims: [1]}]
sequence_batching: {state: [{input_name: h, output_name: o}]}
)") == "f:2:16: key 'input[0].name': \"h\" is made by the server, as sequence_batching says; take "
       "it "
       "out of the inputs");
  CHECK(CheckError("sequence_batching: {state: [{input_name: h, output_name: o}, "
                   "{input_name: h, output_name: p}]}\n")
            .find("is made by the server twice") != std::string::npos);
}

// Initial states, strategies and numbers.
TEST_CASE("sequence_batching: other wrong values are refused") {
  const auto state = [](const std::string& initial) {
    return CheckError(
        "sequence_batching: {state: [{input_name: h, output_name: o, initial_state: [" + initial +
        "]}]}\n");
  };
  CHECK(state("{name: z}").find("expected zero_data: true or a data_file") != std::string::npos);
  CHECK(state("{name: z, data_file: ../z}").find("model's folder initial_state") !=
        std::string::npos);
  CHECK(state("{name: z, zero_data: true}, {name: y, zero_data: true}")
            .find("expected one at most, got 2") != std::string::npos);
  CHECK(CheckError("sequence_batching: {oldest: {}}\n").find("expected 1 to") != std::string::npos);
  CHECK(CheckError("sequence_batching: {direct: {minimum_slot_utilization: 1.5}}\n")
            .find("expected a share from 0 to 1, got 1.5") != std::string::npos);
  for (const char* unsupported :
       {"sequence_batching: {iterative_sequence: true}\n",
        "sequence_batching: {state: [{input_name: h, output_name: o, use_growable_memory: "
        "true}]}\n",
        "sequence_batching: {oldest: {max_candidate_sequences: 2, preserve_ordering: true}}\n"}) {
    CHECK(ParseStatus(unsupported).code() == absl::StatusCode::kUnimplemented);
  }
}

ModelShape Shape() {
  return {.model_name = "m",
          .inputs = {{"x", DataType::kFp32, {-1, 16}},
                     {"h", DataType::kFp32, {-1, 8}},
                     {"start", DataType::kInt32, {-1, 1}}},
          .outputs = {{"y", DataType::kFp32, {-1, 4}}, {"h_out", DataType::kFp32, {-1, 8}}},
          .has_batch = true,
          .batch_sizes = {1, 4}};
}

// Strategy, idle time, types and dims come from defaults and the file; what the server makes is
// neither input nor output.
TEST_CASE("sequence_batching: the compiled file completes it") {
  LoadedModelConfig loaded = Parsed(TextFormat::kYaml, R"(
sequence_batching:
  control_input:
    - {name: start, control: [{kind: CONTROL_SEQUENCE_START, int32_false_true: [0, 1]}]}
  state: [{input_name: h, output_name: h_out}]
)");
  REQUIRE_OK(CompleteModelConfig(loaded, Shape()));
  const inference::ModelSequenceBatching& batching = loaded.config.sequence_batching();
  CHECK(batching.has_direct());
  CHECK(batching.max_sequence_idle_microseconds() == 1'000'000);
  CHECK(batching.state(0).data_type() == inference::TYPE_FP32);
  REQUIRE(batching.state(0).dims_size() == 1);
  CHECK(batching.state(0).dims(0) == 8);
  REQUIRE(loaded.config.input_size() == 1);
  CHECK(loaded.config.input(0).name() == "x");
  REQUIRE(loaded.config.output_size() == 1);
  CHECK(loaded.config.output(0).name() == "y");
  CHECK_FALSE(loaded.config.has_dynamic_batching());
}

// Where the file disagrees, both sides are named.
TEST_CASE("sequence_batching: disagreement with the compiled file is refused") {
  const auto error = [](const std::string& yaml) {
    LoadedModelConfig loaded = Parsed(TextFormat::kYaml, "sequence_batching:\n" + yaml);
    return ErrorOf(CompleteModelConfig(loaded, Shape()));
  };
  CHECK(error("  state: [{input_name: g, output_name: h_out}]\n").find("input 'g' is not in the") !=
        std::string::npos);
  CHECK(error("  state: [{input_name: h, output_name: y}]\n").find("one type and one size") !=
        std::string::npos);
  CHECK(error("  state: [{input_name: h, output_name: h_out, dims: [9]}]\n")
            .find("expected [8], as in the compiled file, got [9]") != std::string::npos);
  CHECK(error("  control_input: [{name: start, control: "
              "[{kind: CONTROL_SEQUENCE_START, fp32_false_true: [0, 1]}]}]\n")
            .find("the control is FP32, but input 'start' of the compiled file is INT32") !=
        std::string::npos);
  CHECK(error("  control_input: [{name: x, control: "
              "[{kind: CONTROL_SEQUENCE_START, fp32_false_true: [0, 1]}]}]\n")
            .find("expected one element") != std::string::npos);
}

}  // namespace
}  // namespace omserve::config
