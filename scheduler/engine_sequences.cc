// SPDX-License-Identifier: Apache-2.0
// The engine's part in sequences: the inputs that the server makes for a batch, and where the state
// of its rows is read and kept. State never leaves the device, and no event is needed for it: the
// next request of a sequence is launched when the one before is known to be over.
#include <algorithm>
#include <cstring>

#include "runtime/base/errors.h"
#include "scheduler/engine.h"

namespace omserve::scheduler {
namespace {

// What one row of a control says. `turn` is null for a row without a request.
std::string_view ControlBytes(const SequenceControl& control, const SequenceTurn* turn) {
  switch (control.kind) {
    case SequenceControl::Kind::kStart:
      return turn != nullptr && turn->start ? control.true_bytes : control.false_bytes;
    case SequenceControl::Kind::kEnd:
      return turn != nullptr && turn->end ? control.true_bytes : control.false_bytes;
    case SequenceControl::Kind::kReady:
      return turn != nullptr ? control.true_bytes : control.false_bytes;
    case SequenceControl::Kind::kCorrelationId:
      break;
  }
  static constexpr uint64_t kNone = 0;
  // The low bytes come first on every machine that this is built for.
  return {reinterpret_cast<const char*>(turn != nullptr ? &turn->id.number : &kNone),
          control.element_bytes};
}

}  // namespace

absl::Status Engine::MakeControls(const Launch& launch, ActiveBatch& batch) {
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(launch.subgraph)];
  if (!subgraph.sequence.has_value() || subgraph.sequence->controls.empty()) {
    return absl::OkStatus();
  }
  const auto rows = static_cast<size_t>(launch.gear.rows);
  size_t size_bytes = 0;
  for (const SequenceControl& control : subgraph.sequence->controls) {
    size_bytes += rows * control.element_bytes;
  }
  ASSIGN_OR_RETURN(batch.controls, host_pool_.Allocate(size_bytes));
  // Every row of the gear is told whose it is: one that is padded holds an old row, which must not
  // pass for a new one.
  std::byte* to = batch.controls.bytes().data();
  for (const SequenceControl& control : subgraph.sequence->controls) {
    auto group = launch.rows.begin();
    for (int row = 0; row < launch.gear.rows; ++row) {
      const bool taken = group != launch.rows.end() && group->row == row;
      const SequenceTurn* turn = taken ? &active_.at(group->request).in->sequence : nullptr;
      std::memcpy(to, ControlBytes(control, turn).data(), control.element_bytes);
      to += control.element_bytes;
      group += taken ? 1 : 0;
    }
  }
  return absl::OkStatus();
}

InputSource Engine::ServerMadeInput(const ActiveBatch& batch, int input, size_t row_bytes) const {
  const Launch& launch = batch.launch;
  const SequenceSpec& spec = *subgraphs_[static_cast<size_t>(launch.subgraph)]->sequence;
  InputSource source;
  if (const int state = spec.StateOfInput(input); state >= 0) {
    int row = 0;
    for (const RowGroup& group : launch.rows) {
      if (group.row > row) {
        source.pieces.push_back({.size_bytes = static_cast<size_t>(group.row - row) * row_bytes});
      }
      row = group.row + 1;
      const SequenceStore& store = *instances_[static_cast<size_t>(launch.subgraph)].sequences;
      const auto s = static_cast<size_t>(state);
      const acl::DevicePtr from = active_.at(group.request).in->sequence.start
                                      ? store.Initial(s)
                                      : store.Current(s, launch.lane, group.slot);
      if (launch.gear.rows == 1) {
        source.in_place = from;  // Alone, the row is read where it is.
        return source;
      }
      source.pieces.push_back({.device = from, .size_bytes = row_bytes});
    }
    return source;
  }
  size_t offset_bytes = 0;
  for (const SequenceControl& control : spec.controls) {
    const size_t size_bytes = static_cast<size_t>(launch.gear.rows) * control.element_bytes;
    if (control.input == input) {
      source.pieces.push_back({.host = batch.controls.bytes().subspan(offset_bytes, size_bytes),
                               .size_bytes = size_bytes});
    }
    offset_bytes += size_bytes;
  }
  return source;
}

acl::DevicePtr Engine::StateInPlace(const Launch& launch, int output) const {
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(launch.subgraph)];
  if (!subgraph.sequence.has_value() || launch.gear.rows != 1) {
    return {};
  }
  const int state = subgraph.sequence->StateOfOutput(output);
  return state < 0 ? acl::DevicePtr()
                   : instances_[static_cast<size_t>(launch.subgraph)].sequences->Next(
                         static_cast<size_t>(state), launch.lane, launch.rows.front().slot);
}

std::vector<KeptRow> Engine::StateRows(const ActiveBatch& batch, int output) const {
  const Launch& launch = batch.launch;
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(launch.subgraph)];
  std::vector<KeptRow> kept;
  if (!subgraph.sequence.has_value() || launch.gear.rows == 1) {
    return kept;
  }
  const int state = subgraph.sequence->StateOfOutput(output);
  if (state < 0) {
    return kept;
  }
  const SequenceStore& store = *instances_[static_cast<size_t>(launch.subgraph)].sequences;
  const auto s = static_cast<size_t>(state);
  const size_t row_bytes = store.row_bytes(s);
  for (const RowGroup& group : launch.rows) {
    kept.push_back({.from = batch.outputs[static_cast<size_t>(output)].device +
                            static_cast<size_t>(group.row) * row_bytes,
                    .to = store.Next(s, launch.lane, group.slot),
                    .size_bytes = row_bytes});
  }
  return kept;
}

void Engine::KeepState(const Launch& launch) {
  SequenceStore* store = instances_[static_cast<size_t>(launch.subgraph)].sequences.get();
  if (store == nullptr) {
    return;
  }
  for (const RowGroup& group : launch.rows) {
    store->Flip(launch.lane, group.slot);
  }
}

}  // namespace omserve::scheduler
