// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {

using std::chrono::microseconds;

void Simulation::MakeSubgraphs() {
  const int count = random_.Between(1, 4);
  for (int s = 0; s < count; ++s) {
    std::vector<Gears> buckets(static_cast<size_t>(random_.Between(1, 3)));
    for (Gears& gears : buckets) {
      int rows = random_.Between(1, 2);
      for (int g = random_.Between(1, 4); g > 0; --g) {
        gears.push_back(rows);
        rows += random_.Between(1, 4);
      }
    }
    subgraphs_.push_back(std::make_unique<Subgraph>(MakeSubgraph(s, buckets)));
    if (random_.Percent(20)) {
      MakeSequences(*subgraphs_.back());
    }
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

void Simulation::Add(size_t subgraph, const Core::SubgraphOptions& options) {
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
  Arrive arrive{.request = id};
  arrive.plan =
      plans_[static_cast<size_t>(random_.Between(0, static_cast<int>(plans_.size()) - 1))];
  if (ThereAt(*arrive.plan) > at) {
    arrive.plan = plans_.front();
  }
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
  if (random_.Percent(40)) {
    Post(At(microseconds(random_.Between(0, count * gap_us))), Drain{});
  }
  for (int lost = random_.Percent(15) ? random_.Between(1, 3) : 0; lost > 0; --lost) {
    Post(At(microseconds(random_.Between(0, count * gap_us))), DeviceLost{});
  }
}

std::string Simulation::Run() {
  const bool watches = random_.Percent(40);
  const int floor_us = random_.Between(1, 4000);
  const int ceiling_us = floor_us + random_.Between(0, 4000);
  options_ = {
      .batches_per_lane = random_.Between(1, 3),
      .max_rows = random_.Percent(20) ? random_.Between(1, 50) : 4000,
      .max_input_bytes = static_cast<size_t>(random_.Percent(20) ? random_.Between(64, 3000) : 0),
      .max_queue_time = microseconds(random_.Percent(20) ? random_.Between(1, 5000) : 0),
      .run_budget = {.floor = microseconds(floor_us),
                     .ceiling = microseconds(watches ? ceiling_us : 0)},
      .patience = microseconds(random_.Between(0, 6000))};
  core_ = std::make_unique<Core>(options_);
  checker_ = std::make_unique<CoreChecker>(*core_, options_);
  device_fault_percent_ = random_.Percent(60) ? 0 : random_.Between(1, 30);
  launch_fault_percent_ = random_.Percent(70) ? 0 : random_.Between(1, 20);
  host_fault_percent_ = random_.Percent(60) ? 0 : random_.Between(1, 30);
  hang_percent_ = watches && random_.Percent(60) ? random_.Between(1, 15) : 0;
  slowest_us_ = random_.Between(1, 2000);
  group_ = random_.Percent(20) ? random_.Between(2, 4) : 0;
  timer_late_us_ = random_.Percent(50) ? 0 : random_.Between(1, 300);
  resources_ = random_.Percent(30) ? std::make_unique<SharedResources>(random_) : nullptr;
  MakeSubgraphs();
  MakePlans();
  PostArrivals();
  for (int r = 0; resources_ != nullptr && r < resources_->rival_count(); ++r) {
    Post(Later(1000), RivalSteps{r, random_.Between(0, 20)});
  }
  // Far more turns than 60 requests of 6 steps can need: a core that never rests is a fault too.
  constexpr int kMostEvents = 20000;
  for (int events = 0; !events_.empty() && checker_->violation().empty(); ++events) {
    if (events == kMostEvents) {
      return "the core comes to rest";
    }
    const auto next = events_.extract(events_.begin());
    now_ = std::max(now_, next.key().first);
    Happen(next.mapped());
    CheckResources(/*ended=*/false);
    if (!resource_violation_.empty()) {
      return resource_violation_;
    }
  }
  checker_->CheckEmpty();
  if (checker_->violation().empty()) {
    CheckResources(/*ended=*/true);
    return resource_violation_;
  }
  return checker_->violation();
}

// What a lost device had in flight counts no longer: it may be away for good.
void Simulation::CheckResources(bool ended) {
  if (resources_ == nullptr || !checker_->violation().empty()) {
    return;
  }
  std::set<std::pair<int, int>> computing;
  for (const auto& [batch, lane] : in_flight_) {
    computing.insert(lane);
  }
  if (device_lost_) {
    computing.clear();
  }
  resource_violation_ = resources_->Violation({computing.begin(), computing.end()}, ended);
}

void Simulation::Grant(const std::vector<TurnGranted>& granted) {
  for (const TurnGranted& turn : granted) {
    if (!turn.waited || random_.Percent(50)) {
      at_once_.emplace_back(turn);
    } else {
      Post(Later(100), turn);
    }
  }
}

void Simulation::Step(const RivalSteps& steps) {
  std::vector<TurnGranted> granted;
  const bool is_in = resources_->StepRival(steps.rival, &granted);
  Log(fmt::format("{}us rival {} {}", now_.time_since_epoch().count() / 1000, steps.rival,
                  is_in ? (resources_->rival_holds(steps.rival) ? "holds" : "waits") : "leaves"));
  if (is_in || steps.left > 0) {
    Post(Later(1500), RivalSteps{steps.rival, steps.left - 1});
  }
  for (const TurnGranted& turn : granted) {
    Post(Later(100), turn);
  }
}

void Simulation::Happen(const Happening& happening) {
  if (const auto* stopped = std::get_if<LaneStopped>(&happening)) {
    if (stopped->life == life_) {  // Else the device's end was the lane's too.
      Stop(InFlight(stopped->lane.subgraph, stopped->lane.lane));
      Post(Later(500), LaneMended{stopped->lane, life_});
    }
    return;
  }
  if (const auto* mended = std::get_if<LaneMended>(&happening)) {
    if (mended->life == life_) {
      abandoned_.erase({mended->lane.subgraph, mended->lane.lane});
      lane_computed_[{mended->lane.subgraph, mended->lane.lane}] = now_;
      FeedAndRest(mended->lane);
    }
    return;
  }
  if (const auto* added = std::get_if<ModelAdded>(&happening)) {
    Add(added->subgraph, added->options);
    return;
  }
  if (std::holds_alternative<DeviceStopped>(happening)) {
    std::vector<BatchId> all;
    for (const auto& [batch, lane] : in_flight_) {
      all.push_back(batch);
    }
    Stop(all);
    Post(Later(500), DeviceBack{});
    return;
  }
  if (const auto* steps = std::get_if<RivalSteps>(&happening)) {
    Step(*steps);
    return;
  }
  const Event& event = std::get<Event>(happening);
  // A timer that was set back in the meantime is not told, but now and then a stray one is.
  if (std::holds_alternative<TimerFired>(event) && checker_->armed() > now_ &&
      !random_.Percent(10)) {
    return;
  }
  if (const auto* done = std::get_if<BatchDone>(&event)) {
    // What an abandoned lane still tells is not listened to.
    const auto found = in_flight_.find(done->batch);
    if (found == in_flight_.end() || device_lost_ || abandoned_.contains(found->second)) {
      return;
    }
  } else if (std::holds_alternative<DeviceLost>(event)) {
    if (device_lost_) {
      return;
    }
    device_lost_ = true;
    ++life_;
    Post(Later(1000), DeviceStopped{});
  } else if (std::holds_alternative<DeviceBack>(event)) {
    device_lost_ = false;
    abandoned_.clear();
    lane_computed_.clear();
  }
  FeedAndRest(event);
}

void Simulation::Stop(const std::vector<BatchId>& batches) {
  for (const BatchId batch : batches) {
    if (checker_->violation().empty()) {
      FeedAndRest(BatchDone{.batch = batch, .ok = false});
    }
  }
}

void Simulation::FeedAndRest(const Event& event) {
  Feed(event);
  while (!at_once_.empty() && checker_->violation().empty()) {
    const Event next = at_once_.front();
    at_once_.erase(at_once_.begin());
    Feed(next);
  }
}

std::vector<BatchId> Simulation::InFlight(int subgraph, int lane) const {
  std::vector<BatchId> batches;
  for (const auto& [batch, of] : in_flight_) {
    if (of == std::pair(subgraph, lane)) {
      batches.push_back(batch);
    }
  }
  return batches;
}

namespace {

std::span<const Arrive> ArrivalsOf(const Event& event) {
  if (const auto* together = std::get_if<ArriveTogether>(&event)) {
    return together->parts;
  }
  const auto* arrive = std::get_if<Arrive>(&event);
  return {arrive, arrive == nullptr ? size_t{0} : size_t{1}};
}

}  // namespace

void Simulation::Feed(const Event& event) {
  static constexpr std::array<const char*, std::variant_size_v<Event>> kNames = {
      "arrive",          "cancel",    "batch done",  "host step done", "timer",
      "drain",           "lane up",   "device lost", "device back",    "lane stuck",
      "arrive together", "looked up", "turn granted"};
  if (const auto* done = std::get_if<BatchDone>(&event)) {
    in_flight_.erase(done->batch);
  }
  if (log_ != nullptr) {
    std::string detail;
    for (const Arrive& arrive : ArrivalsOf(event)) {
      detail += fmt::format("r{} x{} priority {} steps {} ", arrive.request, arrive.rows,
                            arrive.priority, arrive.plan->nodes.size());
    }
    if (const auto* cancel = std::get_if<Cancel>(&event)) {
      detail = fmt::format("r{}", cancel->request);
    } else if (const auto* batch = std::get_if<BatchDone>(&event)) {
      detail = fmt::format("b{}{}", batch->batch, batch->ok ? "" : " failed");
    } else if (const auto* host = std::get_if<HostStepDone>(&event)) {
      detail = fmt::format("r{}.{}{}", host->request, host->node, host->ok ? "" : " failed");
    } else if (const auto* turn = std::get_if<TurnGranted>(&event)) {
      detail = fmt::format("s{} lane {}: t{}{}", turn->subgraph, turn->lane, turn->ticket,
                           turn->waited ? ", waited" : "");
    }
    Log(fmt::format("{}us {} {}", now_.time_since_epoch().count() / 1000, kNames.at(event.index()),
                    detail));
  }
  for (const Arrive& arrive : ArrivalsOf(event)) {
    requests_[arrive.request] = arrive;
  }
  checker_->Before(event, now_);
  std::vector<Command> commands;
  core_->Handle(event, now_, &commands);
  if (flaw_ != nullptr) {
    flaw_(&commands);
  }
  for (const Command& command : commands) {
    Log("  " + ToText(command));
    checker_->Check(command);
    if (!checker_->violation().empty()) {
      return;
    }
    Obey(command);
  }
  checker_->After();
}

void Simulation::Obey(const Command& command) {
  if (const auto* launch = std::get_if<Launch>(&command)) {
    Start(*launch);
  } else if (const auto* host = std::get_if<StartHostStep>(&command)) {
    Post(Later(slowest_us_), HostStepDone{.request = host->request,
                                          .node = host->node,
                                          .ok = !random_.Percent(host_fault_percent_)});
  } else if (const auto* look_up = std::get_if<LookUp>(&command)) {
    Post(Later(50), LookedUp{look_up->request, look_up->node, random_.Percent(40)});
  } else if (const auto* timer = std::get_if<ArmTimer>(&command)) {
    if (timer->at != Instant::max()) {
      Post(timer->at + microseconds(random_.Between(0, timer_late_us_)), TimerFired{});
    }
  } else if (const auto* abandon = std::get_if<AbandonLane>(&command)) {
    abandoned_.insert({abandon->subgraph, abandon->lane});
    Post(Later(1000), LaneStopped{{abandon->subgraph, abandon->lane}, life_});
  } else if (const auto* ask = std::get_if<AskTurn>(&command)) {
    Grant(resources_->Ask(*ask));
  } else if (const auto* back = std::get_if<ReturnTurn>(&command)) {
    Grant(resources_->Return(*back));
  }
}

// A lane computes one batch after the other, each after the batches that it reads; that it is done
// is told in the lane's order too, but after its copies to the host, so perhaps after its readers.
void Simulation::Start(const Launch& launch) {
  in_flight_[launch.batch] = {launch.subgraph, launch.lane};
  if (random_.Percent(hang_percent_ / 4)) {
    // The launch fails, and what it had enqueued does not end.
    at_once_.push_back(LaneStuck{.subgraph = launch.subgraph, .lane = launch.lane});
    for (const RowGroup& group : launch.rows) {
      computed_[{group.request, group.node}] = Instant::max();
    }
    return;
  }
  if (random_.Percent(launch_fault_percent_)) {
    at_once_.push_back(BatchDone{.batch = launch.batch, .ok = false});
    for (const RowGroup& group : launch.rows) {
      computed_[{group.request, group.node}] = now_;
    }
    return;
  }
  const std::pair<int, int> lane{launch.subgraph, launch.lane};
  Instant start = std::max(now_, lane_computed_[lane]);
  for (const RowGroup& group : launch.rows) {
    const Plan& plan = *requests_.at(group.request).plan;
    for (const int producer : plan.nodes[static_cast<size_t>(group.node)].producers) {
      const auto computed = computed_.find({group.request, producer});
      start = computed == computed_.end() ? start : std::max(start, computed->second);
    }
  }
  if (random_.Percent(hang_percent_)) {
    start = Instant::max();
  }
  if (start == Instant::max()) {
    // It hangs, or waits for one that does, and all behind it with it.
    lane_computed_[lane] = Instant::max();
    for (const RowGroup& group : launch.rows) {
      computed_[{group.request, group.node}] = Instant::max();
    }
    return;
  }
  const Clock::duration took =
      microseconds(group_ > 0 ? slowest_us_ : random_.Between(1, slowest_us_));
  lane_computed_[lane] = start + took;
  for (const RowGroup& group : launch.rows) {
    computed_[{group.request, group.node}] = start + took;
  }
  Instant& told = lane_done_[lane];
  told = std::max(told, start + took + microseconds(random_.Between(0, 200)));
  Post(told, BatchDone{.batch = launch.batch,
                       .ok = !random_.Percent(device_fault_percent_),
                       .device_time = random_.Percent(80) ? took : Clock::duration::zero()});
}

}  // namespace omserve::scheduler
