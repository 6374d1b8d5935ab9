// SPDX-License-Identifier: Apache-2.0
// From sequence_batching to what the scheduler needs, and what a request must say.
#include "server/core/sequences.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <string>

#include "config/model_config.h"
#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using scheduler::SequenceControl;
using scheduler::SequenceSpec;
using std::chrono::microseconds;

inference::ModelConfig Config(const std::string& yaml) {
  inference::ModelConfig config =
      VALUE(config::ParseModelConfig(config::TextFormat::kYaml, yaml, "f", "m")).config;
  return config;
}

// x, h, id in; y, h_out out; gears of 1 and 4 rows.
scheduler::SubgraphShape Shape() {
  scheduler::SubgraphShape shape;
  shape.batched = true;
  shape.inputs = {
      {"x", DataType::kFp32, {16}}, {"h", DataType::kFp32, {2}}, {"id", DataType::kInt32, {1}}};
  shape.outputs = {{"y", DataType::kFp32, {1}}, {"h_out", DataType::kFp32, {2}}};
  scheduler::Bucket bucket;
  bucket.input_row_bytes = {64, 8, 4};
  bucket.gears = {{1, 0}, {4, 1}};
  shape.buckets.push_back(bucket);
  return shape;
}

constexpr char kBatching[] = R"(
max_batch_size: 4
sequence_batching:
  max_sequence_idle_microseconds: 3000
  control_input: [{name: id, control: [{kind: CONTROL_SEQUENCE_CORRID, data_type: TYPE_INT32}]}]
  state: [{input_name: h, output_name: h_out, initial_state: [{name: h0, data_file: h0.bin}]}]
)";

// Places of tensors, bytes of values, slots by strategy.
TEST_CASE("A configuration becomes a specification", "[sequences]") {
  mkdir("initial_state", 0755);
  REQUIRE_OK(WriteFileAtomically("initial_state/h0.bin", "01234567"));
  const auto spec = VALUE(MakeSequenceSpec(Config(kBatching), Shape(), "."));
  REQUIRE(spec.has_value());
  CHECK(spec->strategy == SequenceSpec::Strategy::kDirect);
  CHECK(spec->slots_per_lane == 4);
  CHECK(spec->max_idle == microseconds(3000));
  REQUIRE(spec->controls.size() == 1);
  CHECK(spec->controls[0].kind == SequenceControl::Kind::kCorrelationId);
  CHECK(spec->controls[0].input == 2);
  CHECK(spec->controls[0].element_bytes == 4);
  REQUIRE(spec->states.size() == 1);
  CHECK(spec->states[0].input == 1);
  CHECK(spec->states[0].output == 1);
  CHECK(spec->states[0].initial == "01234567");
  CHECK_FALSE(spec->states[0].is_visible);
  CHECK_FALSE(VALUE(MakeSequenceSpec(Config("max_batch_size: 4\n"), Shape(), ".")).has_value());

  REQUIRE_OK(WriteFileAtomically("initial_state/h0.bin", "0123"));
  CHECK(MessageOf(MakeSequenceSpec(Config(kBatching), Shape(), ".").status()) ==
        "state 'h': ./initial_state/h0.bin has 4 bytes, expected 8, those of one row");
}

// A share of the slots is a number of rows; without one nothing waits.
TEST_CASE("A strategy becomes a policy", "[sequences]") {
  const SequenceSpec spec{.slots_per_lane = 4};
  const auto policy = [&](const std::string& strategy) {
    return SequencePolicyOf(
        Config(fmt::format("max_batch_size: 4\nsequence_batching: {{{}}}\n", strategy)), spec);
  };
  CHECK(policy("direct: {max_queue_delay_microseconds: 500}").max_delay == microseconds(0));
  const scheduler::BatchPolicyOptions direct =
      policy("direct: {minimum_slot_utilization: 0.6, max_queue_delay_microseconds: 500}");
  CHECK(direct.preferred_rows == std::vector<int>{3});
  CHECK(direct.max_delay == microseconds(500));
  const scheduler::BatchPolicyOptions oldest = policy(
      "oldest: {max_candidate_sequences: 9, preferred_batch_size: [4, 2], "
      "max_queue_delay_microseconds: 70}");
  CHECK(oldest.preferred_rows == std::vector<int>{2, 4});
  CHECK(oldest.max_delay == microseconds(70));
}

// A request has one row and an id that the model can be told.
TEST_CASE("A request says which sequence it is of", "[sequences]") {
  scheduler::Subgraph subgraph{.name = "m", .shape = Shape()};
  subgraph.sequence =
      SequenceSpec{.controls = {{.kind = SequenceControl::Kind::kCorrelationId, .input = 2}}};
  Model model{.name = "m"};
  const auto error = [&](const scheduler::SequenceId& id, int rows) {
    return std::string(MessageOf(CheckSequence(model, {.id = id}, rows)));
  };
  CHECK(error({}, 3) == "");  // It keeps no sequences.
  model.subgraph = &subgraph;
  CHECK(error({.number = 2147483647}, 1) == "");
  CHECK(error({}, 1) ==
        "inference request to model 'm' must specify a non-zero or non-empty correlation ID");
  CHECK(error({.number = 1}, 2) ==
        "inference request to model 'm' must specify batch-size 1 due to requirements of sequence "
        "batcher");
  CHECK(error({.number = 2147483648}, 1) ==
        "sequence_id is '2147483648', but model 'm' reads it as INT32: expected a number from 1 to "
        "2147483647");
  CHECK(error({.text = "a"}, 1).find("sequence_id is 'a'") == 0);
}

}  // namespace
}  // namespace omserve::server
