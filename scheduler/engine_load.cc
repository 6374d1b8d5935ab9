// SPDX-License-Identifier: Apache-2.0
// What the engine tells of its load: to metrics under the lock, and to who routes without one.
#include <algorithm>
#include <chrono>
#include <utility>

#include "scheduler/engine.h"

namespace omserve::scheduler {

Engine::Load Engine::load() const {
  const MutexLock lock(mu_);
  return load_;
}

void Engine::PublishLoad() {
  const size_t requests = core_.request_count();
  request_count_.store(static_cast<int64_t>(requests), std::memory_order_relaxed);
  input_bytes_.store(core_.input_bytes(), std::memory_order_relaxed);
  absl::InlinedVector<int, 16> changed;  // Without allocating, for as many models as are at work.
  core_.VisitChanged([&changed](int subgraph) { changed.push_back(subgraph); });
  {
    const MutexLock lock(mu_);
    load_.requests = requests;
    load_.rows = core_.row_count();
    load_.input_bytes = core_.input_bytes();
    load_.device_lost = core_.device_lost();
    // A lost device has no pool.
    load_.device_pool_used = pool_ == nullptr ? 0 : pool_->used_bytes();
    load_.device_pool_peak = pool_ == nullptr ? 0 : pool_->peak_bytes();
    load_.device_pool_allocations = pool_ == nullptr ? 0 : pool_->allocations();
    load_.arena_launches = core_.arena_launches();
    load_.queued_rows.resize(subgraphs_.size());
    load_.queued_requests.resize(subgraphs_.size());
    load_.free_at.resize(subgraphs_.size());
    load_.sequences.resize(subgraphs_.size());
    load_.output_sets.resize(subgraphs_.size());
    load_.output_sets_used.resize(subgraphs_.size());
    load_.output_bytes.resize(subgraphs_.size());
    load_.arena_bytes = arena_bytes_;
    for (const int subgraph : changed) {
      load_.queued_rows[static_cast<size_t>(subgraph)] = core_.queued_rows(subgraph);
      load_.queued_requests[static_cast<size_t>(subgraph)] = core_.queued_requests(subgraph);
      load_.free_at[static_cast<size_t>(subgraph)] = core_.FreeAt(subgraph);
      load_.sequences[static_cast<size_t>(subgraph)] = core_.sequence_counts(subgraph);
      load_.output_sets[static_cast<size_t>(subgraph)] = core_.output_sets(subgraph);
      load_.output_sets_used[static_cast<size_t>(subgraph)] = core_.output_sets_used(subgraph);
      load_.output_bytes[static_cast<size_t>(subgraph)] =
          output_sets_[static_cast<size_t>(subgraph)].size_bytes();
      PublishSubgraphLoad(subgraph);
    }
    // Also where the core did nothing with them: a step further on, a request that was refused.
    for (const int subgraph : taken_) {
      if (taken_rows_[static_cast<size_t>(subgraph)] != 0) {
        PublishSubgraphLoad(subgraph);
      }
    }
    taken_.clear();
    idle_ = core_.idle() && messages_.empty();
  }
  progressed_.NotifyAll();
}

void Engine::PublishSubgraphLoad(int subgraph) {
  const auto s = static_cast<size_t>(subgraph);
  if (subgraphs_[s] == nullptr) {
    taken_rows_[s] = 0;  // They were refused, in the turn in which it went.
    return;
  }
  SubgraphLoad& load = *subgraphs_[s]->load;
  const CostTable& costs = core_.costs(subgraph);
  int64_t batch_ns = 0;
  int64_t row_ns = 0;
  const auto take_least = [](int64_t& least, int64_t ns) {
    least = least == 0 ? ns : std::min(least, ns);
  };
  for (const Bucket& bucket : subgraphs_[s]->shape.buckets) {
    for (const BatchGear& gear : bucket.gears) {
      const int64_t ns = std::chrono::nanoseconds(costs.Expected(gear.model_gear)).count();
      if (ns > 0) {
        take_least(batch_ns, ns);
        take_least(row_ns, std::max<int64_t>(1, ns / gear.rows));
      }
    }
  }
  load.batch_ns.store(batch_ns, std::memory_order_relaxed);
  load.row_ns.store(row_ns, std::memory_order_relaxed);
  load.free_at_ns.store(std::chrono::nanoseconds(core_.FreeAt(subgraph).time_since_epoch()).count(),
                        std::memory_order_relaxed);
  // The rows that were taken up are in that now.
  load.sent_rows.fetch_sub(std::exchange(taken_rows_[s], 0), std::memory_order_relaxed);
}

void Engine::NoteTaken(const InferRequest& request) {
  for (const PlanNode& node : request.plan->nodes) {
    if (node.on_device()) {
      int64_t& taken = taken_rows_[static_cast<size_t>(node.subgraph->index)];
      if (taken == 0) {
        taken_.push_back(node.subgraph->index);
      }
      taken += request.rows;
    }
  }
}

}  // namespace omserve::scheduler
