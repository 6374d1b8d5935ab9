// SPDX-License-Identifier: Apache-2.0
// The simulation's models, pipelines and requests, as they are drawn.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/scheduler/core_harness.h"
#include "tests/sim/simulation.h"

namespace omserve::scheduler {

using std::chrono::microseconds;

void Simulation::MakeSubgraphs() {
  const int count = random_.Between(1, 4);
  for (int s = 0; s < count; ++s) {
    subgraphs_.push_back(RandomSubgraph(s));
    const Core::SubgraphOptions options = RandomOptions(*subgraphs_.back());
    const Instant before = s == 0 ? now_ : added_at_.back();
    if (s > 0 && (before > now_ || random_.Percent(20))) {
      added_at_.push_back(before + microseconds(random_.Between(1, 5000)));  // In their order.
      Post(added_at_.back(), ModelAdded{static_cast<size_t>(s), options});
    } else {
      added_at_.push_back(now_);
      Add(static_cast<size_t>(s), options);
    }
  }
}

std::unique_ptr<Subgraph> Simulation::RandomSubgraph(int index) {
  std::vector<Gears> buckets(static_cast<size_t>(random_.Between(1, 3)));
  for (Gears& gears : buckets) {
    int rows = random_.Between(1, 2);
    for (int g = random_.Between(1, 4); g > 0; --g) {
      gears.push_back(rows);
      rows += random_.Between(1, 4);
    }
  }
  auto subgraph = std::make_unique<Subgraph>(MakeSubgraph(index, buckets));
  if (random_.Percent(20)) {
    MakeSequences(*subgraph);
  }
  return subgraph;
}

void Simulation::UnloadOne() {
  if (serving_.empty()) {
    return;
  }
  auto chosen = serving_.begin();
  std::advance(chosen, random_.Between(0, static_cast<int>(serving_.size()) - 1));
  const int index = *chosen;
  serving_.erase(chosen);
  FeedAndRest(Unload{index});
}

void Simulation::Forget(int index) {
  for (auto* const times : {&lane_computed_, &lane_done_}) {
    std::erase_if(*times, [index](const auto& entry) { return entry.first.first == index; });
  }
}

void Simulation::Replace(int index) {
  const auto s = static_cast<size_t>(index);
  Forget(index);
  subgraphs_[s] = RandomSubgraph(index);
  const Subgraph* own = subgraphs_[s].get();
  Add(s, RandomOptions(*own));
  std::vector<TestNode> nodes = {{.subgraph = own}};
  for (const int other : serving_) {  // With others it makes a chain, where it can.
    const Subgraph* next = subgraphs_[static_cast<size_t>(other)].get();
    if (next != own && !own->sequence.has_value() && !next->sequence.has_value() &&
        random_.Percent(50)) {
      nodes.push_back({.subgraph = next, .producers = {static_cast<int>(nodes.size()) - 1}});
    }
  }
  const std::shared_ptr<const Plan> plan = MakePlan(nodes);
  Instant at = now_;
  for (int i = random_.Between(1, 12); i > 0; --i) {
    at = std::max(at, Later(500));
    Post(at, ArrivalFor(next_request_++, at, plan));
  }
  if (random_.Percent(30)) {
    Post(at, ModelUnloaded{});
  }
}

void Simulation::Add(size_t subgraph, const Core::SubgraphOptions& options) {
  serving_.insert(static_cast<int>(subgraph));
  Log(fmt::format("s{} is added", subgraph));
  core_->AddSubgraph(*subgraphs_[subgraph], options);
  checker_->AddSubgraph(*subgraphs_[subgraph], options);
}

Instant Simulation::ThereAt(const Plan& plan) const {
  Instant there = Instant::min();
  for (const PlanNode& node : plan.nodes) {
    if (node.on_device()) {
      there = std::max(there, added_at_[static_cast<size_t>(node.subgraph->index)]);
    }
  }
  return there;
}

void Simulation::MakeSequences(Subgraph& subgraph) {
  SequenceSpec spec{.slots_per_lane = subgraph.shape.buckets.front().max_rows(),
                    .max_idle = microseconds(random_.Between(1, 4000))};
  for (const Bucket& bucket : subgraph.shape.buckets) {
    spec.slots_per_lane = std::min(spec.slots_per_lane, bucket.max_rows());
  }
  if (random_.Percent(50)) {
    spec.strategy = SequenceSpec::Strategy::kOldest;
    spec.slots_per_lane = random_.Between(1, 12);
  }
  subgraph.sequence = spec;
}

Core::SubgraphOptions Simulation::RandomOptions(const Subgraph& subgraph) {
  Core::SubgraphOptions options{.lanes = group_ > 0 ? 1 : random_.Between(1, 3)};
  if (resources_ != nullptr) {
    options.lane_limits = resources_->LimitLanes(subgraph.index, options.lanes, random_);
  }
  if (random_.Percent(group_ > 0 ? 10 : 50)) {
    options.policy.max_delay = microseconds(random_.Between(1, 3000));
  }
  options.policy.derives_delay =
      random_.Percent(group_ > 0 ? 95 : 60) && !subgraph.sequence.has_value();
  if (random_.Percent(group_ > 0 ? 10 : 40)) {
    for (int rows = random_.Between(1, 4); rows <= subgraph.shape.max_rows();
         rows += random_.Between(1, 4)) {
      options.policy.preferred_rows.push_back(rows);
    }
  }
  // Now and then so few that steps wait for each other; sequences have no steps after them.
  options.output_sets =
      !subgraph.sequence.has_value() && random_.Percent(40) ? random_.Between(1, 4) : 0;
  options.max_queue_rows = random_.Percent(20) ? random_.Between(4, 40) : 0;
  if (random_.Percent(20)) {
    options.level_rows = {
        .each = random_.Percent(50) ? random_.Between(2, 20) : 0,
        .own = {{static_cast<uint64_t>(random_.Between(1, 3)), random_.Between(2, 20)}}};
  }
  options.max_queue_time = microseconds(random_.Percent(20) ? random_.Between(1, 5000) : 0);
  if (random_.Percent(group_ > 0 ? 95 : 30)) {  // Warm-up has measured.
    const size_t gears = subgraph.shape.model_gear_count();
    options.costs = CostTable(gears);
    for (size_t gear = 0; gear < gears; ++gear) {
      options.costs.Record(
          gear, microseconds(group_ > 0 ? slowest_us_ : random_.Between(1, slowest_us_)), now_);
    }
  }
  return options;
}

void Simulation::MakePlans() {
  plans_.push_back(MakePlan({{.subgraph = subgraphs_.front().get()}}));  // There from the start.
  for (int p = random_.Between(1, 4); p > 0; --p) {
    // A model that keeps sequences is called alone.
    std::vector<const Subgraph*> stateless;
    for (const auto& subgraph : subgraphs_) {
      if (!subgraph->sequence.has_value()) {
        stateless.push_back(subgraph.get());
      } else if (random_.Percent(50)) {
        plans_.push_back(MakePlan({{.subgraph = subgraph.get()}}));
      }
    }
    if (stateless.empty()) {
      plans_.push_back(MakePlan({{.subgraph = subgraphs_.front().get()}}));
      continue;
    }
    std::vector<TestNode> nodes(static_cast<size_t>(random_.Between(1, 6)));
    const int host_percent = random_.Percent(50) ? 0 : 30;
    const int edge_percent = random_.Between(10, 90);
    for (size_t n = 0; n < nodes.size(); ++n) {
      if (!random_.Percent(host_percent)) {
        nodes[n].subgraph = stateless[static_cast<size_t>(
            random_.Between(0, static_cast<int>(stateless.size()) - 1))];
      }
      for (size_t producer = 0; producer < n; ++producer) {
        if (random_.Percent(edge_percent)) {
          nodes[n].producers.push_back(static_cast<int>(producer));
        }
      }
      const bool has_inputs_on_host =
          std::all_of(nodes[n].producers.begin(), nodes[n].producers.end(), [&](int producer) {
            const TestNode& from = nodes[static_cast<size_t>(producer)];
            return from.subgraph == nullptr || from.cached;
          });
      nodes[n].cached = nodes[n].subgraph != nullptr && has_inputs_on_host && random_.Percent(25);
    }
    plans_.push_back(MakePlan(nodes, /*preserve_ordering=*/random_.Percent(25)));
  }
}

Arrive Simulation::RandomArrival(RequestId id, Instant at) {
  const std::shared_ptr<const Plan> plan =
      plans_[static_cast<size_t>(random_.Between(0, static_cast<int>(plans_.size()) - 1))];
  return ArrivalFor(id, at, ThereAt(*plan) > at ? plans_.front() : plan);
}

Arrive Simulation::ArrivalFor(RequestId id, Instant at, std::shared_ptr<const Plan> plan) {
  Arrive arrive{.request = id, .plan = std::move(plan)};
  int most = 8;
  for (const PlanNode& node : arrive.plan->nodes) {
    int bucket = 0;
    if (node.on_device()) {
      const std::vector<Bucket>& buckets = node.subgraph->shape.buckets;
      bucket = random_.Between(0, static_cast<int>(buckets.size()) - 1);
      most = std::min(most, buckets[static_cast<size_t>(bucket)].max_rows());
    }
    arrive.buckets.push_back(bucket);
  }
  arrive.rows = group_ > 0 ? 1 : random_.Between(1, most);
  if (const Subgraph* only = arrive.plan->nodes.front().subgraph;
      only != nullptr && only->sequence.has_value()) {
    arrive.rows = 1;
    arrive.sequence = {.id = {.number = static_cast<uint64_t>(random_.Between(1, 12))},
                       .start = random_.Percent(35),
                       .end = random_.Percent(20)};
  }
  arrive.input_bytes = static_cast<size_t>(64 * arrive.rows);
  arrive.priority = static_cast<uint64_t>(random_.Between(1, 3));
  if (random_.Percent(30)) {
    arrive.deadline = at + microseconds(random_.Between(-200, 8000));
  }
  if (random_.Percent(10)) {
    arrive.delay_at = at + microseconds(random_.Between(0, 4000));
  }
  return arrive;
}

void Simulation::PostArrivals() {
  const int count = random_.Between(1, 60);
  const int gap_us = random_.Percent(30) ? 5 : random_.Between(1, 1000);
  const int cancel_percent = random_.Percent(50) ? 0 : 25;
  Instant at = now_;
  for (int i = 1; i <= count; ++i) {
    const bool pauses = group_ > 0 && i % group_ == 0;
    at += microseconds(pauses ? 3000 : random_.Percent(40) ? 0 : random_.Between(0, gap_us));
    Arrive arrive = RandomArrival(static_cast<RequestId>(i), at);
    if (random_.Percent(cancel_percent)) {
      Post(at + microseconds(random_.Between(0, 6000)), Cancel{arrive.request});
    }
    if (!arrive.sequence.id.empty() || !random_.Percent(10)) {
      Post(at, std::move(arrive));
      continue;
    }
    // The parts of a large request: full ones, and what is left.
    ArriveTogether together;
    for (int parts = random_.Between(2, 4); parts > 0; --parts) {
      together.parts.push_back(arrive);
      together.parts.back().request = static_cast<RequestId>(i++);
    }
    --i;
    together.parts.back().rows = random_.Between(1, arrive.rows);
    Post(at, std::move(together));
  }
  for (int unloads = random_.Percent(30) ? random_.Between(1, 3) : 0; unloads > 0; --unloads) {
    Post(At(microseconds(random_.Between(0, count * gap_us))), ModelUnloaded{});
  }
  if (random_.Percent(30)) {
    Post(At(microseconds(random_.Between(0, count * gap_us))), Hurry{});
  }
  if (random_.Percent(40)) {
    Post(At(microseconds(random_.Between(0, count * gap_us))), Drain{});
  }
  for (int lost = random_.Percent(15) ? random_.Between(1, 3) : 0; lost > 0; --lost) {
    Post(At(microseconds(random_.Between(0, count * gap_us))), DeviceLost{});
  }
}

}  // namespace omserve::scheduler
