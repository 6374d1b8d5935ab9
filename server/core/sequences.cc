// SPDX-License-Identifier: Apache-2.0
#include "server/core/sequences.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "config/model_config.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"

namespace omserve::server {
namespace {

using inference::ModelSequenceBatching;
using scheduler::SequenceControl;
using scheduler::SequenceSpec;
using scheduler::SequenceState;
using Control = ModelSequenceBatching::Control;

// An hour is past any use, and keeps the sum with an instant from overflowing.
constexpr uint64_t kMostDelayUs = 3'600'000'000;
// A sequence that may idle for a year never ends for that.
constexpr uint64_t kMostIdleUs = 365ULL * 24 * 3600 * 1'000'000;

template <typename T>
std::string BytesOf(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// Names were looked up in the file when the configuration was completed.
int IndexOf(const std::vector<TensorSpec>& specs, const std::string& name) {
  return static_cast<int>(
      std::find_if(specs.begin(), specs.end(),
                   [&name](const TensorSpec& spec) { return spec.name == name; }) -
      specs.begin());
}

SequenceControl ControlOf(const Control& from, int input) {
  SequenceControl control{.input = input};
  switch (from.kind()) {
    case Control::CONTROL_SEQUENCE_READY:
      control.kind = SequenceControl::Kind::kReady;
      break;
    case Control::CONTROL_SEQUENCE_END:
      control.kind = SequenceControl::Kind::kEnd;
      break;
    case Control::CONTROL_SEQUENCE_CORRID:
      control.kind = SequenceControl::Kind::kCorrelationId;
      control.element_bytes = DataTypeSize(config::FromConfigType(from.data_type()));
      return control;
    default:
      control.kind = SequenceControl::Kind::kStart;
  }
  if (from.int32_false_true_size() == 2) {
    control.false_bytes = BytesOf(from.int32_false_true(0));
    control.true_bytes = BytesOf(from.int32_false_true(1));
  } else if (from.fp32_false_true_size() == 2) {
    control.false_bytes = BytesOf(from.fp32_false_true(0));
    control.true_bytes = BytesOf(from.fp32_false_true(1));
  } else {
    control.false_bytes = BytesOf(static_cast<uint8_t>(from.bool_false_true(0)));
    control.true_bytes = BytesOf(static_cast<uint8_t>(from.bool_false_true(1)));
  }
  control.element_bytes = control.true_bytes.size();
  return control;
}

absl::StatusOr<std::string> InitialBytes(const ModelSequenceBatching::State& state,
                                         size_t row_bytes, const std::string& folder) {
  if (state.initial_state().empty() || !state.initial_state(0).has_data_file()) {
    return std::string();
  }
  const std::string path = folder + "/initial_state/" + state.initial_state(0).data_file();
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  if (bytes.size() != row_bytes) {
    return InvalidArgument("state '{}': {} has {} bytes, expected {}, those of one row",
                           state.input_name(), path, bytes.size(), row_bytes);
  }
  return bytes;
}

// What the server makes has one size, whatever the gear.
absl::Status CheckFixed(const TensorSpec& spec) {
  if (std::find(spec.dims.begin(), spec.dims.end(), -1) != spec.dims.end()) {
    return InvalidArgument("sequence_batching: tensor '{}' has other dims at other gears: {}",
                           spec.name, DimsToString(spec.dims));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<SequenceSpec>> MakeSequenceSpec(const inference::ModelConfig& config,
                                                             const scheduler::SubgraphShape& shape,
                                                             const std::string& folder) {
  if (!config.has_sequence_batching()) {
    return std::nullopt;
  }
  const ModelSequenceBatching& batching = config.sequence_batching();
  SequenceSpec spec;
  spec.max_idle = std::chrono::microseconds(
      static_cast<int64_t>(std::min(kMostIdleUs, batching.max_sequence_idle_microseconds())));
  if (batching.has_oldest()) {
    spec.strategy = SequenceSpec::Strategy::kOldest;
    spec.slots_per_lane = batching.oldest().max_candidate_sequences();
  } else {
    spec.slots_per_lane = std::max(1, config.max_batch_size());
    for (const scheduler::Bucket& bucket : shape.buckets) {
      spec.slots_per_lane = std::min(spec.slots_per_lane, bucket.max_rows());
    }
  }
  for (const ModelSequenceBatching::ControlInput& from : batching.control_input()) {
    const int input = IndexOf(shape.inputs, from.name());
    RETURN_IF_ERROR(CheckFixed(shape.inputs[static_cast<size_t>(input)]));
    spec.controls.push_back(ControlOf(from.control(0), input));
  }
  for (const ModelSequenceBatching::State& from : batching.state()) {
    SequenceState state{.input = IndexOf(shape.inputs, from.input_name()),
                        .output = IndexOf(shape.outputs, from.output_name()),
                        .in_place = from.use_same_buffer_for_input_output()};
    const auto input = static_cast<size_t>(state.input);
    RETURN_IF_ERROR(CheckFixed(shape.inputs[input]));
    RETURN_IF_ERROR(CheckFixed(shape.outputs[static_cast<size_t>(state.output)]));
    ASSIGN_OR_RETURN(state.initial,
                     InitialBytes(from, shape.buckets.front().input_row_bytes[input], folder));
    state.is_visible =
        std::any_of(config.output().begin(), config.output().end(),
                    [&](const auto& output) { return output.name() == from.output_name(); });
    spec.states.push_back(std::move(state));
  }
  return spec;
}

scheduler::BatchPolicyOptions SequencePolicyOf(const inference::ModelConfig& config,
                                               const SequenceSpec& spec) {
  const ModelSequenceBatching& batching = config.sequence_batching();
  scheduler::BatchPolicyOptions policy;
  uint64_t delay_us = 0;
  if (batching.has_oldest()) {
    policy.preferred_rows.assign(batching.oldest().preferred_batch_size().begin(),
                                 batching.oldest().preferred_batch_size().end());
    std::sort(policy.preferred_rows.begin(), policy.preferred_rows.end());
    delay_us = batching.oldest().max_queue_delay_microseconds();
  } else if (const float share = batching.direct().minimum_slot_utilization(); share > 0) {
    // Without a share to wait for, nothing waits: any slot that is ready is enough.
    policy.preferred_rows = {
        std::clamp(static_cast<int>(std::ceil(share * static_cast<float>(spec.slots_per_lane))), 1,
                   spec.slots_per_lane)};
    delay_us = batching.direct().max_queue_delay_microseconds();
  }
  policy.max_delay =
      std::chrono::microseconds(static_cast<int64_t>(std::min(kMostDelayUs, delay_us)));
  return policy;
}

absl::Status CheckSequenceId(const scheduler::SequenceId& id) {
  constexpr size_t kLongestBytes = 128;  // As Triton.
  if (id.text.size() > kLongestBytes) {
    return InvalidArgument("sequence_id has {} bytes, expected {} at most", id.text.size(),
                           kLongestBytes);
  }
  return absl::OkStatus();
}

absl::Status CheckSequence(const Model& model, const scheduler::SequenceTurn& turn, int rows) {
  if (model.subgraph == nullptr || !model.subgraph->sequence.has_value()) {
    return absl::OkStatus();
  }
  if (turn.id.empty()) {
    return InvalidArgument(
        "inference request to model '{}' must specify a non-zero or non-empty correlation ID",
        model.name);
  }
  if (rows != 1) {
    return InvalidArgument(
        "inference request to model '{}' must specify batch-size 1 due to requirements of sequence "
        "batcher",
        model.name);
  }
  for (const SequenceControl& control : model.subgraph->sequence->controls) {
    if (control.kind != SequenceControl::Kind::kCorrelationId) {
      continue;
    }
    const TensorSpec& input = model.subgraph->shape.inputs[static_cast<size_t>(control.input)];
    uint64_t most = std::numeric_limits<uint64_t>::max();
    switch (input.type) {
      case DataType::kInt64:
        most = std::numeric_limits<int64_t>::max();
        break;
      case DataType::kUint32:
        most = std::numeric_limits<uint32_t>::max();
        break;
      case DataType::kInt32:
        most = std::numeric_limits<int32_t>::max();
        break;
      default:
        break;
    }
    if (turn.id.is_text() || turn.id.number > most) {
      return InvalidArgument(
          "sequence_id is '{}', but model '{}' reads it as {}: expected a number from 1 to {}",
          turn.id.ToString(), model.name, DataTypeName(input.type), most);
    }
  }
  return absl::OkStatus();
}

}  // namespace omserve::server
