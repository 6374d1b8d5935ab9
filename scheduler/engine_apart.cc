// SPDX-License-Identifier: Apache-2.0
// Batches of which each row group runs by itself, one after the other. Where the device computes in
// the host's memory, a group that runs by itself is read and written where it lies; groups that run
// together are first copied beside each other and then apart again. A model that does little with
// much data is done sooner without the copies. All of it runs on the device thread.
#include <chrono>
#include <optional>

#include "scheduler/engine.h"

namespace omserve::scheduler {
namespace {

// Of what a model reads and writes, as aclrtMalloc gives it.
constexpr uintptr_t kBufferAlignment = 64;

}  // namespace

bool Engine::IsBindable(std::span<const std::byte> host_bytes) const {
  return device_.is_one_memory() && !host_bytes.empty() &&
         acl::Device::AddressOf(host_bytes).address % kBufferAlignment == 0;
}

bool Engine::MakeParts(const ActiveBatch& batch) {
  const Launch& launch = batch.launch;
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(launch.subgraph)];
  if (!device_.is_one_memory() || launch.rows.size() < 2 || subgraph.sequence.has_value() ||
      !PaysApart(launch)) {
    return false;
  }
  const Bucket& bucket = subgraph.shape.buckets[static_cast<size_t>(launch.bucket)];
  parts_.clear();
  for (const RowGroup& group : launch.rows) {
    std::optional<LanePart> part = PartOf(batch, bucket, group);
    if (!part.has_value()) {
      return false;
    }
    parts_.push_back(*std::move(part));
  }
  return true;
}

bool Engine::PaysApart(const Launch& launch) const {
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(launch.subgraph)];
  const Bucket& bucket = subgraph.shape.buckets[static_cast<size_t>(launch.bucket)];
  const CostTable& costs = core_.costs(launch.subgraph);
  Clock::duration apart{0};
  for (const RowGroup& group : launch.rows) {
    const BatchGear& gear = bucket.GearFor(group.rows);
    const Clock::duration cost = costs.Expected(gear.model_gear);
    if (gear.rows != group.rows || cost == Clock::duration::zero()) {
      return false;
    }
    apart += cost;
  }
  const Clock::duration together = costs.Expected(launch.gear.model_gear);
  size_t row_bytes = 0;
  for (const size_t bytes : bucket.input_row_bytes) {
    row_bytes += bytes;
  }
  for (const size_t bytes : bucket.output_row_bytes) {
    row_bytes += bytes;
  }
  const std::chrono::duration<double> copies(static_cast<double>(row_bytes) * launch.row_count /
                                             options_.copy_bytes_per_second);
  return together > Clock::duration::zero() && apart <= together + copies;
}

std::optional<LanePart> Engine::PartOf(const ActiveBatch& batch, const Bucket& bucket,
                                       const RowGroup& group) const {
  const ActiveRequest& active = active_.at(group.request);
  const Plan& plan = *active.in->plan;
  if (plan.nodes.size() > 1) {
    return std::nullopt;  // Another step may read its outputs on the device.
  }
  LanePart part{.gear = bucket.GearFor(group.rows).model_gear};
  const PlanNode& node = plan.nodes[static_cast<size_t>(group.node)];
  for (const int tensor : node.inputs) {
    const TensorPlace& place = active.places[static_cast<size_t>(tensor)];
    if (place.batch != 0 || !IsBindable(place.host)) {
      return std::nullopt;
    }
    part.inputs.push_back(acl::Device::AddressOf(place.host));
  }
  for (size_t i = 0; i < batch.outputs.size(); ++i) {
    const BatchOutput& output = batch.outputs[i];
    const size_t row_bytes = bucket.output_row_bytes[i];
    const OutputPlace* own =
        output.own_places ? OwnPlace(batch.launch, group, i, row_bytes) : nullptr;
    if (own == nullptr && output.host == nullptr) {
      part.outputs.push_back(output.device);  // Nobody reads it.
      continue;
    }
    const std::span<std::byte> to =
        own != nullptr ? own->bytes
                       : output.host_bytes.subspan(row_bytes * static_cast<size_t>(group.row));
    if (!IsBindable(to)) {
      return std::nullopt;
    }
    part.outputs.push_back(acl::Device::AddressOf(to));
  }
  return part;
}

}  // namespace omserve::scheduler
