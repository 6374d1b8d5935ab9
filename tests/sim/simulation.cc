// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {

using std::chrono::microseconds;

namespace {

std::span<const Arrive> ArrivalsOf(const Event& event) {
  if (const auto* together = std::get_if<ArriveTogether>(&event)) {
    return together->parts;
  }
  const auto* arrive = std::get_if<Arrive>(&event);
  return {arrive, arrive == nullptr ? size_t{0} : size_t{1}};
}

}  // namespace

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
      .patience = microseconds(random_.Between(0, 6000)),
      .pairs = {.runs = random_.Percent(60) ? random_.Between(1, 3) : 0,
                .pays = random_.Percent(70) ? 0.9 : 1.8,
                .valid = microseconds(random_.Between(1, 20000)),
                .longest_trial = microseconds(random_.Between(1, 5000))}};
  core_ = std::make_unique<Core>(options_);
  checker_ = std::make_unique<CoreChecker>(*core_, options_);
  device_fault_percent_ = random_.Percent(60) ? 0 : random_.Between(1, 30);
  launch_fault_percent_ = random_.Percent(70) ? 0 : random_.Between(1, 20);
  host_fault_percent_ = random_.Percent(60) ? 0 : random_.Between(1, 30);
  hang_percent_ = watches && random_.Percent(60) ? random_.Between(1, 15) : 0;
  slowdown_ = random_.Percent(40) ? 1 : random_.Between(2, 8);
  slowest_us_ = random_.Between(1, 2000);
  group_ = random_.Percent(20) ? random_.Between(2, 4) : 0;
  timer_late_us_ = random_.Percent(50) ? 0 : random_.Between(1, 300);
  resources_ = random_.Percent(30) ? std::make_unique<SharedResources>(random_) : nullptr;
  MakeSubgraphs();
  MakePlans();
  PostArrivals();
  MakeRegistry();
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
  if (HappenToModels(happening)) {
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
  if (!MayArrive(event)) {
    return;
  }
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

bool Simulation::HappenToModels(const Happening& happening) {
  if (const auto* added = std::get_if<ModelAdded>(&happening)) {
    Add(added->subgraph, added->options);
  } else if (std::holds_alternative<ModelUnloaded>(happening)) {
    UnloadOne();
  } else if (const auto* replaced = std::get_if<ModelReplaced>(&happening)) {
    Replace(replaced->index);
  } else if (const auto* step = std::get_if<RegistryStep>(&happening)) {
    Step(*step);
  } else if (const auto* call = std::get_if<Call>(&happening)) {
    Happen(*call);
  } else if (const auto* returns = std::get_if<ModelReturns>(&happening)) {
    Return(registry_[returns->model]);
  } else {
    return false;
  }
  return true;
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

bool Simulation::MayArrive(const Event& event) const {
  const std::span<const Arrive> arrivals = ArrivalsOf(event);
  return arrivals.empty() ||
         std::none_of(arrivals.front().plan->nodes.begin(), arrivals.front().plan->nodes.end(),
                      [this](const PlanNode& node) {
                        return node.on_device() &&
                               subgraphs_[static_cast<size_t>(node.subgraph->index)].get() !=
                                   node.subgraph;
                      });
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

void Simulation::Feed(const Event& event) {
  static constexpr std::array<const char*, std::variant_size_v<Event>> kNames = {
      "arrive",          "cancel",    "batch done",   "host step done", "timer",
      "drain",           "lane up",   "device lost",  "device back",    "lane stuck",
      "arrive together", "looked up", "turn granted", "unload",         "hurry"};
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
    } else if (const auto* unload = std::get_if<Unload>(&event)) {
      detail = fmt::format("s{}", unload->subgraph);
    }
    Log(fmt::format("{}us {} {}", now_.time_since_epoch().count() / 1000, kNames.at(event.index()),
                    detail));
  }
  for (const Arrive& arrive : ArrivalsOf(event)) {
    requests_[arrive.request] = arrive;
  }
  draining_ = draining_ || std::holds_alternative<Drain>(event);
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
  } else if (const auto* unloaded = std::get_if<Unloaded>(&command)) {
    const int index = unloaded->subgraph;
    if (resources_ != nullptr) {
      resources_->Remove(index);
    }
    gone_.push_back(std::move(subgraphs_[static_cast<size_t>(index)]));
    if (!GoneFromRegistry(index) && random_.Percent(70)) {
      Post(Later(3000), ModelReplaced{index});
    }
  } else if (const auto* respond = std::get_if<Respond>(&command)) {
    NoteAnswer(*respond);
  }
}

bool Simulation::HasCompany(int subgraph, Instant at) const {
  return std::any_of(lane_computed_.begin(), lane_computed_.end(), [&](const auto& lane) {
    return lane.first.first != subgraph && lane.second > at && lane.second != Instant::max();
  });
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
      microseconds(group_ > 0 ? slowest_us_ : random_.Between(1, slowest_us_)) *
      (HasCompany(launch.subgraph, start) ? slowdown_ : 1);
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
