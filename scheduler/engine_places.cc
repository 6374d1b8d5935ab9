// SPDX-License-Identifier: Apache-2.0
// The engine's copies of outputs to the host: to a block that the batch's rows share, or straight
// to the places that clients have named. All of it runs on the device thread.
#include <algorithm>
#include <memory>
#include <utility>

#include "runtime/base/status_macros.h"
#include "scheduler/engine.h"

namespace omserve::scheduler {
namespace {

// Rows of fewer bytes go with those of others in one copy: a copy of their own would cost more than
// what the host then does to move them.
constexpr size_t kOwnCopyBytes = size_t{16} << 10;

}  // namespace

const OutputPlace* Engine::OwnPlace(const Launch& launch, const RowGroup& group, size_t output,
                                    size_t row_bytes) const {
  const ActiveRequest& active = active_.at(group.request);
  const InferRequest& in = *active.in;
  const size_t size_bytes = row_bytes * static_cast<size_t>(group.rows);
  if (in.places.empty() || (launch.rows.size() > 1 && size_bytes < kOwnCopyBytes)) {
    return nullptr;
  }
  const int tensor = in.plan->nodes[static_cast<size_t>(group.node)].outputs[output];
  for (size_t w = 0; w < in.wanted.size(); ++w) {
    if (in.plan->outputs[static_cast<size_t>(in.wanted[w])] == tensor &&
        in.places[w].owner != nullptr && in.places[w].bytes.size() >= size_bytes) {
      return &in.places[w];
    }
  }
  return nullptr;
}

bool Engine::CanBindHost(const Launch& launch, std::span<const std::byte> host_bytes) const {
  return launch.rows.size() == 1 && launch.rows.front().rows == launch.gear.rows &&
         IsBindable(host_bytes);
}

void Engine::BindInPlace(const Launch& launch, size_t output, size_t row_bytes,
                         BatchOutput& target) const {
  const OutputPlace* own =
      target.own_places ? OwnPlace(launch, launch.rows.front(), output, row_bytes) : nullptr;
  const std::span<std::byte> host_bytes = own != nullptr ? own->bytes : target.host_bytes;
  if (CanBindHost(launch, host_bytes)) {
    target.device = acl::Device::AddressOf(host_bytes);
    target.in_place = true;
  }
}

absl::Status Engine::MakeHostRows(const Launch& launch, size_t output, size_t row_bytes,
                                  BatchOutput& target) {
  const auto own = std::count_if(
      launch.rows.begin(), launch.rows.end(),
      [&](const RowGroup& group) { return OwnPlace(launch, group, output, row_bytes) != nullptr; });
  target.own_places = own > 0;
  if (static_cast<size_t>(own) == launch.rows.size()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(memory::HostBlock taken,
                   host_pool_.Allocate(row_bytes * static_cast<size_t>(launch.row_count)));
  const auto block = std::make_shared<memory::HostBlock>(std::move(taken));
  target.host_bytes = block->bytes();
  target.host = block;
  return absl::OkStatus();
}

std::vector<HostRows> Engine::RowsToPlaces(const ActiveBatch& batch, size_t output) const {
  const BatchOutput& target = batch.outputs[output];
  std::vector<HostRows> rows;
  if (!target.own_places || target.in_place) {
    return rows;
  }
  const Launch& launch = batch.launch;
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(launch.subgraph)];
  const size_t row_bytes =
      subgraph.shape.buckets[static_cast<size_t>(launch.bucket)].output_row_bytes[output];
  for (const RowGroup& group : launch.rows) {
    const size_t offset_bytes = row_bytes * static_cast<size_t>(group.row);
    const size_t size_bytes = row_bytes * static_cast<size_t>(group.rows);
    const OutputPlace* own = OwnPlace(launch, group, output, row_bytes);
    rows.push_back({offset_bytes, own != nullptr
                                      ? own->bytes.first(size_bytes)
                                      : target.host_bytes.subspan(offset_bytes, size_bytes)});
  }
  return rows;
}

}  // namespace omserve::scheduler
