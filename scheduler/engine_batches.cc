// SPDX-License-Identifier: Apache-2.0
// The engine's batches: where their inputs come from, where their outputs go, and when these are
// freed. All of it runs on the device thread.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "runtime/acl/device_error.h"
#include "runtime/base/log.h"
#include "runtime/base/status_macros.h"
#include "scheduler/engine.h"

namespace omserve::scheduler {

void Engine::Obey(Launch& command) {
  ActiveBatch& batch = batches_.Add(command.batch);
  batch.launch = std::move(command);
  batch.begun = clock_.Now();
  const absl::Status status = LaunchBatch(batch.launch, batch);
  if (status.ok()) {
    return;
  }
  FailBatch(batch, status);
  NoteFailure(status);
  if (!loss_.ok()) {
    // A lost device cannot be waited for: what had been enqueued may touch memory until its reset.
    batch.given_up = status;
    return;
  }
  const Launch& launch = batch.launch;
  if (lanes_[static_cast<size_t>(launch.subgraph)][static_cast<size_t>(launch.lane)]->stuck()) {
    // Part of it may still run: it is over when the lane was stopped.
    batch.given_up = status;
    own_events_.emplace_back(LaneStuck{.subgraph = launch.subgraph, .lane = launch.lane});
    return;
  }
  RecordBatch(batch, {}, status);
  own_events_.emplace_back(BatchDone{.batch = launch.batch, .ok = false});
}

absl::Status Engine::LaunchBatch(const Launch& launch, ActiveBatch& batch) {
  RETURN_IF_ERROR(MakeControls(launch, batch));
  RETURN_IF_ERROR(MakeOutputs(launch, batch));
  Lane& lane = *lanes_[static_cast<size_t>(launch.subgraph)][static_cast<size_t>(launch.lane)];
  if (MakeParts(batch)) {
    batch.is_apart = true;
    ASSIGN_OR_RETURN(batch.slot, lane.LaunchApart(parts_));
    batch.slot->batch = launch.batch;
    PlaceOutputs(batch, /*on_host=*/false);
    return absl::OkStatus();
  }
  targets_.clear();
  for (size_t i = 0; i < batch.outputs.size(); ++i) {
    const BatchOutput& output = batch.outputs[i];
    targets_.push_back(
        {.device = output.device,
         .host = output.own_places || output.in_place ? std::span<std::byte>() : output.host_bytes,
         .rows = RowsToPlaces(batch, i),
         .kept = StateRows(batch, static_cast<int>(i))});
  }
  const std::span<const InputSource> sources = GatherInputs(batch);
  // The completion can be posted before this returns, but it is taken up by this thread, later.
  ASSIGN_OR_RETURN(batch.slot, lane.Launch(launch.gear.model_gear, sources, targets_));
  batch.slot->batch = launch.batch;
  PlaceOutputs(batch, /*on_host=*/false);
  return absl::OkStatus();
}

absl::Status Engine::MakeOutputs(const Launch& launch, ActiveBatch& batch) {
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(launch.subgraph)];
  const Bucket& bucket = subgraph.shape.buckets[static_cast<size_t>(launch.bucket)];
  const OutputLayout& layout = output_sets_[static_cast<size_t>(launch.subgraph)].layout;
  ASSIGN_OR_RETURN(const acl::DevicePtr block, OutputsBlock(launch));
  for (size_t i = 0; i < bucket.output_row_bytes.size(); ++i) {
    const size_t row_bytes = bucket.output_row_bytes[i];
    const acl::DevicePtr state = StateInPlace(launch, static_cast<int>(i));
    BatchOutput& target = batch.outputs.emplace_back();
    target.device = state ? state : block + layout.offsets[i];
    if (launch.rows.size() == 1 && active_.at(launch.rows.front().request).split != nullptr) {
      RETURN_IF_ERROR(PlacePart(launch, i, row_bytes, target));
    }
    if (target.host == nullptr && WantedOnHost(launch, i)) {
      RETURN_IF_ERROR(MakeHostRows(launch, i, row_bytes, target));
    }
    if (!state) {
      BindInPlace(launch, i, row_bytes, target);
    }
  }
  return absl::OkStatus();
}

bool Engine::WantedOnHost(const Launch& launch, size_t output) const {
  return std::any_of(launch.rows.begin(), launch.rows.end(), [&](const RowGroup& group) {
    const InferRequest& in = *active_.at(group.request).in;
    const int tensor = in.plan->nodes[static_cast<size_t>(group.node)].outputs[output];
    if (tensor < 0) {
      return false;
    }
    const PlanTensor& plan_tensor = in.plan->tensors[static_cast<size_t>(tensor)];
    return plan_tensor.needed_on_host;
  });
}

std::span<const InputSource> Engine::GatherInputs(const ActiveBatch& batch) {
  const Launch& launch = batch.launch;
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(launch.subgraph)];
  const Bucket& bucket = subgraph.shape.buckets[static_cast<size_t>(launch.bucket)];
  const size_t count = bucket.input_row_bytes.size();
  sources_.resize(std::max(sources_.size(), count));  // Never fewer: they keep their memory.
  for (size_t i = 0; i < count; ++i) {
    if (subgraph.sequence.has_value() && subgraph.sequence->MakesInput(static_cast<int>(i))) {
      sources_[i] = ServerMadeInput(batch, static_cast<int>(i), bucket.input_row_bytes[i]);
    } else {
      GatherInput(launch, i, bucket.input_row_bytes[i], sources_[i]);
    }
  }
  return std::span(sources_).first(count);
}

void Engine::GatherInput(const Launch& launch, size_t input, size_t row_bytes,
                         InputSource& source) const {
  source.pieces.clear();
  source.in_place = acl::DevicePtr();
  // Rows that were computed together, stand from the front and in the same order, are read where
  // they are. `together` is that batch's output; it holds while every piece continues the last.
  const TensorPlace* first = nullptr;
  size_t expected_offset = 0;
  bool together = true;
  int row = 0;
  for (const RowGroup& group : launch.rows) {
    if (group.row > row) {  // Of a sequence that has nothing to do.
      source.pieces.push_back({.size_bytes = row_bytes * static_cast<size_t>(group.row - row)});
      together = false;
    }
    row = group.row + group.rows;
    const ActiveRequest& active = active_.at(group.request);
    const int tensor = active.in->plan->nodes[static_cast<size_t>(group.node)].inputs[input];
    const TensorPlace& place = active.places[static_cast<size_t>(tensor)];
    if (place.batch == 0 && CanBindHost(launch, place.host)) {
      source.in_place = acl::Device::AddressOf(place.host);
      return;
    }
    if (place.batch == 0) {
      // Empty when the producer could not be launched: that request has failed, and its rows keep
      // their place so that those behind them keep theirs.
      source.pieces.push_back(
          {.host = place.host, .size_bytes = row_bytes * static_cast<size_t>(group.rows)});
      together = false;
      continue;
    }
    const ActiveBatch& producer = batches_.at(place.batch);
    source.pieces.push_back(
        {.device =
             producer.outputs[static_cast<size_t>(place.batch_output)].device + place.offset_bytes,
         .size_bytes = place.size_bytes,
         .computed = producer.slot != nullptr ? &producer.slot->computed() : nullptr});
    first = first == nullptr ? &place : first;
    together = together && place.batch == first->batch &&
               place.batch_output == first->batch_output && place.offset_bytes == expected_offset;
    expected_offset += place.size_bytes;
  }
  if (together && first != nullptr) {
    const ActiveBatch& producer = batches_.at(first->batch);
    const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(producer.launch.subgraph)];
    const Bucket& bucket = subgraph.shape.buckets[static_cast<size_t>(producer.launch.bucket)];
    const size_t held_bytes = bucket.output_row_bytes[static_cast<size_t>(first->batch_output)] *
                              static_cast<size_t>(producer.launch.gear.rows);
    if (held_bytes >= row_bytes * static_cast<size_t>(launch.gear.rows)) {
      source.in_place = producer.outputs[static_cast<size_t>(first->batch_output)].device;
    }
  }
}

void Engine::PlaceOutputs(const ActiveBatch& batch, bool on_host) {
  const Launch& launch = batch.launch;
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(launch.subgraph)];
  const Bucket& bucket = subgraph.shape.buckets[static_cast<size_t>(launch.bucket)];
  for (const RowGroup& group : launch.rows) {
    ActiveRequest& active = active_.at(group.request);
    const PlanNode& node = active.in->plan->nodes[static_cast<size_t>(group.node)];
    for (size_t i = 0; i < batch.outputs.size(); ++i) {
      const int tensor = node.outputs[i];
      if (tensor < 0) {
        continue;
      }
      const size_t offset_bytes = bucket.output_row_bytes[i] * static_cast<size_t>(group.row);
      const size_t size_bytes = bucket.output_row_bytes[i] * static_cast<size_t>(group.rows);
      TensorPlace& place = active.places[static_cast<size_t>(tensor)];
      place.batch = launch.batch;
      place.batch_output = static_cast<int>(i);
      place.offset_bytes = offset_bytes;
      place.size_bytes = size_bytes;
      const BatchOutput& output = batch.outputs[i];
      const OutputPlace* own = on_host && output.own_places
                                   ? OwnPlace(launch, group, i, bucket.output_row_bytes[i])
                                   : nullptr;
      if (on_host && (own != nullptr || output.host)) {
        place.owner = own != nullptr ? own->owner : output.host;
        place.host = own != nullptr ? own->bytes.first(size_bytes)
                                    : output.host_bytes.subspan(offset_bytes, size_bytes);
        place.host_dims = bucket.output_dims[i];
        if (subgraph.shape.batched) {
          place.host_dims.insert(place.host_dims.begin(), group.rows);
        }
      }
    }
    if (on_host) {
      NoteOutputs(group.request, active);
    }
  }
}

void Engine::FailBatch(const ActiveBatch& batch, const absl::Status& status) {
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(batch.launch.subgraph)];
  OMSERVE_LOG(kError, "scheduler",
              "batch failed model={} version={} lane={} rows={} error=\"{}\"{}", subgraph.name,
              subgraph.version, batch.launch.lane, batch.launch.row_count, MessageOf(status),
              TraceIds(batch.launch));
  for (const RowGroup& group : batch.launch.rows) {
    ActiveRequest& active = active_.at(group.request);
    if (active.failure.ok()) {
      active.failure = WithContext(
          status, "step '" + active.in->plan->nodes[static_cast<size_t>(group.node)].name + "'");
    }
  }
}

void Engine::RecordBatch(const ActiveBatch& batch, const LaunchTimes& times,
                         const absl::Status& status) {
  const auto between = [](std::optional<uint64_t> from, std::optional<uint64_t> to) {
    return from.has_value() && to.has_value() && *to > *from
               ? Clock::duration(std::chrono::microseconds(*to - *from))
               : Clock::duration::zero();
  };
  const Launch& launch = batch.launch;
  const Subgraph* subgraph = subgraphs_[static_cast<size_t>(launch.subgraph)].get();
  const auto steps =
      std::count_if(launch.rows.begin(), launch.rows.end(), [&](const RowGroup& group) {
        return active_.at(group.request).in->plan->name != subgraph->name;
      });
  int64_t row_elements = 0;
  for (const Dims& dims : subgraph->shape.buckets[static_cast<size_t>(launch.bucket)].input_dims) {
    row_elements += ElementCount(dims).value_or(0);
  }
  int rows = 0;  // Not those that are left out.
  int64_t lengthened = 0;
  for (const RowGroup& group : launch.rows) {
    rows += group.rows;
    const ActiveRequest& active = active_.at(group.request);
    for (const int tensor : active.in->plan->nodes[static_cast<size_t>(group.node)].inputs) {
      lengthened += tensor < 0 ? 0 : active.places[static_cast<size_t>(tensor)].padding_elements;
    }
  }
  const int gear_rows = batch.is_apart ? rows : launch.gear.rows;
  observer_.OnBatch({.subgraph = subgraph,
                     .lane = launch.lane,
                     .rows = rows,
                     .groups = static_cast<int>(launch.rows.size()),
                     .step_groups = static_cast<int>(steps),
                     .gear_rows = gear_rows,
                     .input_elements = gear_rows * row_elements,
                     .padding_elements = (gear_rows - rows) * row_elements + lengthened,
                     .reason = launch.reason,
                     .launched = batch.begun,
                     .ok = status.ok(),
                     .device_error = acl::DeviceErrorCode(status),
                     .total_queued = launch.total_queued,
                     .limited = launch.limited,
                     .turn_wait = launch.turn_wait,
                     .input = between(times.input_start, times.input_end),
                     .compute = between(times.compute_start, times.compute_end),
                     .output = between(times.compute_end, times.output_end)});
  for (const RowGroup& group : launch.rows) {
    ActiveRequest& active = active_.at(group.request);
    if (active.in->trace) {
      TraceBatch(batch, times, rows, group.node, active);
    }
  }
}

void Engine::Obey(const PairVerdict& command) {
  const Subgraph& a = *subgraphs_[static_cast<size_t>(command.a)];
  const Subgraph& b = *subgraphs_[static_cast<size_t>(command.b)];
  if (command.apart) {
    OMSERVE_LOG(kInfo, "scheduler",
                "models kept apart device={} model={} version={} speed={:.2f} beside={} "
                "beside_version={} beside_speed={:.2f}",
                device_.id(), a.name, a.version, command.speed_a, b.name, b.version,
                command.speed_b);
  }
  observer_.OnPair({.device = device_.id(),
                    .a = &a,
                    .b = &b,
                    .speed_a = command.speed_a,
                    .speed_b = command.speed_b,
                    .apart = command.apart});
}

void Engine::Obey(const Release& command) {
  const auto found = batches_.find(command.batch);
  const auto s = static_cast<size_t>(found->second.launch.subgraph);
  const int set = found->second.launch.output_set;
  batches_.Erase(found);
  if (set >= core_.output_sets(static_cast<int>(s))) {
    pool_->Free(std::exchange(output_sets_[s].blocks[static_cast<size_t>(set)], {}));
  }
  if (!old_arenas_.empty()) {
    FreeOldArenas();
  }
}

}  // namespace omserve::scheduler
