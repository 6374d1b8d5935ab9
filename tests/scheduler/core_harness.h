// SPDX-License-Identifier: Apache-2.0
// Subgraphs and plans without a file behind them, and a core whose answers read as text.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core.h"
#include "scheduler/plan.h"

namespace omserve::scheduler {

// Gears of one bucket, by their rows.
using Gears = std::vector<int>;

// Bucket b takes rows of dims [16 * (b + 1)].
inline Subgraph MakeSubgraph(int index, const std::vector<Gears>& buckets) {
  Subgraph subgraph{.index = index, .name = "s" + std::to_string(index)};
  subgraph.shape.batched = true;
  subgraph.shape.inputs = {{"x", DataType::kFp32, {buckets.size() == 1 ? 16 : -1}}};
  subgraph.shape.outputs = {{"y", DataType::kFp32, {4}}};
  size_t model_gear = 0;
  for (size_t b = 0; b < buckets.size(); ++b) {
    Bucket bucket{.input_dims = {{static_cast<int64_t>(16 * (b + 1))}},
                  .output_dims = {{4}},
                  .input_row_bytes = {64 * (b + 1)},
                  .output_row_bytes = {16}};
    for (const int rows : buckets[b]) {
      bucket.gears.push_back({rows, model_gear++});
    }
    subgraph.shape.buckets.push_back(std::move(bucket));
  }
  return subgraph;
}

// A node of MakePlan: on the device, or on the host when `subgraph` is null.
struct TestNode {
  const Subgraph* subgraph = nullptr;
  std::vector<int> producers;  // Ascending.
  bool cached = false;
};

// Only what the core reads of a plan: nodes and what they wait for.
inline std::shared_ptr<const Plan> MakePlan(const std::vector<TestNode>& nodes,
                                            bool preserve_ordering = false) {
  auto plan = std::make_shared<Plan>();
  plan->name = "plan";
  plan->batched = true;
  plan->preserve_ordering = preserve_ordering;
  plan->max_rows = std::numeric_limits<int>::max();
  for (size_t n = 0; n < nodes.size(); ++n) {
    plan->nodes.push_back({.name = "n" + std::to_string(n),
                           .subgraph = nodes[n].subgraph,
                           .producers = nodes[n].producers,
                           .is_cached = nodes[n].cached});
    for (const int producer : nodes[n].producers) {
      plan->nodes[static_cast<size_t>(producer)].consumers.push_back(static_cast<int>(n));
    }
    if (nodes[n].subgraph != nullptr) {
      plan->max_rows = std::min(plan->max_rows, nodes[n].subgraph->shape.max_rows());
    }
  }
  PlaceInArena(*plan);
  return plan;
}

inline std::string OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kCancelled:
      return "cancelled";
    case Outcome::kDeadlineExceeded:
      return "deadline";
    case Outcome::kDropped:
      return "dropped";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kLaneHung:
      return "lane hung";
    case Outcome::kDeviceLost:
      return "device lost";
    case Outcome::kSequenceNotStarted:
      return "sequence not started";
    case Outcome::kSequenceEnded:
      return "sequence ended";
  }
  return "unknown";
}

inline Instant At(std::chrono::microseconds since_start) { return Instant(since_start); }

// "b1 = s0.0 lane 0: r1.0x2 r2.0x1, gear 4, full" is batch 1 of subgraph 0's bucket 0, on lane 0,
// with 2 rows of request 1's node 0 and 1 row of request 2's; "@3" is the row of a sequence.
inline std::string ToText(const Command& command) {
  if (const auto* launch = std::get_if<Launch>(&command)) {
    std::string rows;
    for (const RowGroup& group : launch->rows) {
      rows += fmt::format(" r{}.{}x{}", group.request, group.node, group.rows);
      rows += group.slot < 0 ? "" : fmt::format("@{}", group.row);
    }
    return fmt::format("b{} = s{}.{} lane {}:{}, gear {}, {}", launch->batch, launch->subgraph,
                       launch->bucket, launch->lane, rows, launch->gear.rows,
                       ReleaseReasonName(launch->reason));
  }
  if (const auto* host = std::get_if<StartHostStep>(&command)) {
    return fmt::format("host r{}.{}", host->request, host->node);
  }
  if (const auto* look_up = std::get_if<LookUp>(&command)) {
    return fmt::format("look up r{}.{}", look_up->request, look_up->node);
  }
  if (const auto* respond = std::get_if<Respond>(&command)) {
    const std::string why = respond->outcome == Outcome::kRefused
                                ? fmt::format(" {}", RefusalReasonName(respond->refusal.reason))
                                : "";
    return fmt::format("respond r{} {}{}", respond->request, OutcomeName(respond->outcome), why);
  }
  if (const auto* retire = std::get_if<Retire>(&command)) {
    return fmt::format("retire r{}", retire->request);
  }
  if (const auto* release = std::get_if<Release>(&command)) {
    return fmt::format("release b{}", release->batch);
  }
  if (const auto* abandon = std::get_if<AbandonLane>(&command)) {
    return fmt::format("abandon s{} lane {}: b{}", abandon->subgraph, abandon->lane,
                       abandon->batch);
  }
  if (const auto* ask = std::get_if<AskTurn>(&command)) {
    return fmt::format("ask s{} lane {}: t{}{}", ask->subgraph, ask->lane, ask->ticket,
                       ask->renews ? " again" : "");
  }
  if (const auto* back = std::get_if<ReturnTurn>(&command)) {
    return fmt::format("return s{} lane {}{}", back->subgraph, back->lane,
                       back->used ? "" : " unused");
  }
  if (const auto* pair = std::get_if<PairVerdict>(&command)) {
    return fmt::format("pair s{} s{} {}", pair->a, pair->b, pair->apart ? "apart" : "together");
  }
  if (const auto* unloaded = std::get_if<Unloaded>(&command)) {
    return fmt::format("unloaded s{}", unloaded->subgraph);
  }
  const Instant at = std::get<ArmTimer>(command).at;
  return at == Instant::max()
             ? "timer off"
             : fmt::format("timer {}us", std::chrono::duration_cast<std::chrono::microseconds>(
                                             at.time_since_epoch())
                                             .count());
}

using Lines = std::vector<std::string>;

// A core at a time that the test sets. Every call gives all commands of its event, as text.
class CoreHarness final {
 public:
  explicit CoreHarness(const Core::Options& options = {}) : core_(options) {}

  // The subgraph gets the next index.
  const Subgraph* Add(const std::vector<Gears>& buckets, const Core::SubgraphOptions& options = {},
                      const std::optional<SequenceSpec>& sequence = std::nullopt) {
    subgraphs_.push_back(
        std::make_unique<Subgraph>(MakeSubgraph(static_cast<int>(subgraphs_.size()), buckets)));
    subgraphs_.back()->sequence = sequence;
    core_.AddSubgraph(*subgraphs_.back(), options);
    return subgraphs_.back().get();
  }

  void SetTime(std::chrono::microseconds since_start) { now_ = At(since_start); }

  struct ArriveOptions {
    int rows = 1;
    uint64_t priority = 1;
    Instant deadline = Instant::max();
    Instant delay_at = Instant::max();
    std::vector<int> buckets = {};  // Empty: 0 for every node.
    SequenceTurn sequence = {};
    size_t input_bytes = 0;
  };
  Lines Arrive(RequestId id, const std::shared_ptr<const Plan>& plan) {
    return Arrive(id, plan, ArriveOptions());
  }
  Lines Arrive(RequestId id, const std::shared_ptr<const Plan>& plan,
               const ArriveOptions& options) {
    return Handle(Arrival(id, plan, options));
  }
  // Requests of one plan in one turn.
  Lines ArriveTogether(const std::vector<RequestId>& ids, const std::shared_ptr<const Plan>& plan) {
    std::vector<Event> events;
    for (const RequestId id : ids) {
      events.push_back(Arrival(id, plan, ArriveOptions()));
    }
    return HandleAll(events);
  }
  // Requests `first`, `first` + 1 and so on, with so many rows.
  Lines ArriveTogether(RequestId first, const std::shared_ptr<const Plan>& plan,
                       const std::vector<int>& rows, Instant deadline = Instant::max()) {
    scheduler::ArriveTogether event;
    for (const int part : rows) {
      event.parts.push_back({.request = first++,
                             .plan = plan,
                             .buckets = std::vector<int>(plan->nodes.size(), 0),
                             .rows = part,
                             .deadline = deadline});
    }
    return Handle(event);
  }
  Lines Cancel(RequestId id) { return Handle(scheduler::Cancel{id}); }
  Lines Done(BatchId batch, bool ok = true, Clock::duration device_time = {}) {
    return Handle(BatchDone{batch, ok, device_time});
  }
  Lines HostDone(RequestId id, int node, bool ok = true) {
    return Handle(HostStepDone{id, node, ok});
  }
  Lines LookedUp(RequestId id, int node, bool hit) {
    return Handle(scheduler::LookedUp{id, node, hit});
  }
  Lines Timer() { return Handle(TimerFired{}); }
  Lines Hurry() { return Handle(scheduler::Hurry{}); }
  Lines Drain() { return Handle(scheduler::Drain{}); }
  Lines Granted(int subgraph, int lane, uint64_t ticket, bool waited = false) {
    return Handle(TurnGranted{subgraph, lane, ticket, waited});
  }
  Lines LaneStuck(int subgraph, int lane) { return Handle(scheduler::LaneStuck{subgraph, lane}); }
  Lines LaneUp(int subgraph, int lane) { return Handle(scheduler::LaneUp{subgraph, lane}); }
  Lines DeviceLost() { return Handle(scheduler::DeviceLost{}); }
  Lines DeviceBack() { return Handle(scheduler::DeviceBack{}); }
  Lines Unload(int subgraph) { return Handle(scheduler::Unload{subgraph}); }
  // Another subgraph in the place of one that was unloaded.
  const Subgraph* Replace(int index, const std::vector<Gears>& buckets,
                          const Core::SubgraphOptions& options = {}) {
    old_.push_back(std::exchange(subgraphs_[static_cast<size_t>(index)],
                                 std::make_unique<Subgraph>(MakeSubgraph(index, buckets))));
    core_.AddSubgraph(*subgraphs_[static_cast<size_t>(index)], options);
    return subgraphs_[static_cast<size_t>(index)].get();
  }

  const Core& core() const { return core_; }
  const Subgraph* subgraph(size_t index) const { return subgraphs_[index].get(); }
  template <typename Visit>
  void VisitChanged(Visit visit) {
    core_.VisitChanged(visit);
  }
  // Of the last event.
  const std::vector<Command>& commands() const { return commands_; }

 private:
  static scheduler::Arrive Arrival(RequestId id, const std::shared_ptr<const Plan>& plan,
                                   const ArriveOptions& options) {
    scheduler::Arrive event{.request = id,
                            .plan = plan,
                            .buckets = options.buckets,
                            .rows = options.rows,
                            .priority = options.priority,
                            .deadline = options.deadline,
                            .delay_at = options.delay_at,
                            .sequence = options.sequence,
                            .input_bytes = options.input_bytes};
    event.buckets.resize(plan->nodes.size(), 0);
    return event;
  }
  Lines Handle(const Event& event) { return HandleAll({&event, 1}); }
  Lines HandleAll(std::span<const Event> events) {
    commands_.clear();
    core_.Handle(events, now_, &commands_);
    Lines lines;
    for (const Command& command : commands_) {
      lines.push_back(ToText(command));
    }
    return lines;
  }

  std::vector<std::unique_ptr<Subgraph>> subgraphs_;
  std::vector<std::unique_ptr<Subgraph>> old_;
  Core core_;
  Instant now_ = At(std::chrono::microseconds(0));
  std::vector<Command> commands_;
};

}  // namespace omserve::scheduler
