// SPDX-License-Identifier: Apache-2.0
// One random schedule: models, plans, arrivals, deadlines, cancels, failures and a drain on a
// made-up device whose lanes hang and which is lost now and then, and a registry whose models come
// and go, with CoreChecker watching every command.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "scheduler/core.h"
#include "tests/sim/choices.h"
#include "tests/sim/core_checker.h"
#include "tests/sim/shared_resources.h"

namespace omserve::scheduler {

// Thread-compatible: each has a core of its own.
class Simulation final {
 public:
  // `log` gets events and commands as text; null for none.
  Simulation(sim::Choices choices, std::ostream* log) : random_(std::move(choices)), log_(log) {}

  // The first violation; empty for none.
  std::string Run();
  const CheckerCounts& counts() const { return checker_->counts(); }
  // What the schedule drew; the same again gives the same schedule.
  const std::vector<uint32_t>& choices() const { return random_.given(); }

  // Changes the commands of an event before anybody sees them: a fault in the core, as far as the
  // checker can tell.
  using Flaw = std::function<void(std::vector<Command>*)>;
  void PlantFlaw(Flaw flaw) { flaw_ = std::move(flaw); }

 private:
  void MakeSubgraphs();
  std::unique_ptr<Subgraph> RandomSubgraph(int index);
  void MakeSequences(Subgraph& subgraph);
  Core::SubgraphOptions RandomOptions(const Subgraph& subgraph);
  void Add(size_t subgraph, const Core::SubgraphOptions& options);
  void MakePlans();
  // When all subgraphs of the plan are there.
  Instant ThereAt(const Plan& plan) const;
  void PostArrivals();
  Arrive RandomArrival(RequestId id, Instant at);
  Arrive ArrivalFor(RequestId id, Instant at, std::shared_ptr<const Plan> plan);
  // A model that serves is to go.
  void UnloadOne();
  // Another model in the place of one that has gone, and requests for it.
  void Replace(int index);
  // Nobody has a plan any longer that names what is gone.
  bool MayArrive(const Event& event) const;
  // simulation_registry.cc.
  struct Version {
    std::shared_ptr<const Plan> plan;
    std::vector<RequestId> calls;  // That were sent to it.
  };
  struct RegisteredModel {
    std::map<int, Version> versions;  // By subgraph; also those that are going.
    int serving = -1;                 // The subgraph; -1: none.
    int kept = -1;                    // The one before, for a switch back.
    int replaced = -1;                // What goes before the next one comes.
    bool evicted = false;             // It comes back for the next request.
    std::vector<RequestId> waiting;   // For that.
  };
  void MakeRegistry();
  // Another subgraph; `is_step`: one that pipelines can have.
  int AddVersion(bool is_step);
  int LoadVersion(RegisteredModel& model);
  void UnloadVersion(int index);
  void Serve(RegisteredModel& model, int index);
  void RebuildPipeline();
  // A plan reads what this subgraph puts out, and none reads the one before; -1: none.
  void ReadOutputsOf(int index);
  bool IsHeld(const Version& version) const;
  void NoteRegistry(const std::string& what, size_t CheckerCounts::*count);
  void Switch(RegisteredModel& model);
  void SwitchBack(RegisteredModel& model);
  void GiveUpLoad();
  void ReplaceMemoryFirst(RegisteredModel& model);
  void Evict(RegisteredModel& model);
  void Return(RegisteredModel& model);
  void Send(Version& version, RequestId request);
  // Whether the subgraph was the registry's.
  bool GoneFromRegistry(int index);
  void NoteAnswer(const Respond& respond);
  // All batches of a lane, or of the device, are over: the device touches their memory no longer.
  // Nothing comes of a lane's when the device was lost meanwhile.
  struct LaneStopped {
    LaneUp lane;
    int life;
  };
  struct LaneMended {
    LaneUp lane;
    int life;
  };
  struct DeviceStopped {};
  // A model is loaded while others serve.
  struct ModelAdded {
    size_t subgraph;
    Core::SubgraphOptions options;
  };
  struct ModelUnloaded {};
  struct ModelReplaced {
    int index;
  };
  // Another device's instance wants what the lanes share, or is done with it; so often more.
  struct RivalSteps {
    int rival;
    int left;
  };
  // The registry does something with its models; so often more.
  struct RegistryStep {
    int left;
    bool is_first = false;
  };
  // A request for what serves then; kPipeline: for the pipeline.
  struct Call {
    int model;
    RequestId request;
  };
  // What was evicted, or made room first.
  struct ModelReturns {
    size_t model;
  };
  using Happening =
      std::variant<Event, LaneStopped, LaneMended, DeviceStopped, ModelAdded, RivalSteps,
                   ModelUnloaded, ModelReplaced, RegistryStep, Call, ModelReturns>;
  void Post(Instant at, Happening happening) {
    events_.emplace(std::pair(at, next_order_++), std::move(happening));
  }
  void Happen(const Happening& happening);
  // False: it is an event of the core, or of lanes and the device.
  bool HappenToModels(const Happening& happening);
  void Stop(const std::vector<BatchId>& batches);
  void FeedAndRest(const Event& event);
  std::vector<BatchId> InFlight(int subgraph, int lane) const;
  void Feed(const Event& event);
  void Obey(const Command& command);
  // Tells the core of turns, some at once, some later.
  void Grant(const std::vector<TurnGranted>& granted);
  void Step(const RivalSteps& steps);
  void Step(const RegistryStep& step);
  void Happen(const Call& call);
  // Nothing is known of the place any longer.
  void Forget(int index);
  void CheckResources(bool ended);
  // Whether another subgraph computes then.
  bool HasCompany(int subgraph, Instant at) const;
  void Start(const Launch& launch);
  void Log(const std::string& line) {
    if (log_ != nullptr) {
      *log_ << line << '\n';
    }
  }
  Instant Later(int most_us) {
    return now_ + std::chrono::microseconds(random_.Between(0, most_us));
  }

  sim::Choices random_;
  Flaw flaw_;
  std::ostream* log_;
  Core::Options options_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<CoreChecker> checker_;
  std::unique_ptr<SharedResources> resources_;  // Null: no lane is limited.
  std::string resource_violation_;
  std::vector<std::unique_ptr<Subgraph>> subgraphs_;
  std::vector<std::unique_ptr<Subgraph>> gone_;
  std::set<int> serving_;          // Subgraphs that were added and are not to go.
  RequestId next_request_ = 1000;  // Of requests that come with a model which replaces another.
  std::vector<Instant> added_at_;  // By subgraph.
  std::vector<std::shared_ptr<const Plan>> plans_;
  std::map<RequestId, Arrive> requests_;
  std::map<std::pair<RequestId, int>, Instant> computed_;  // When a step's outputs exist.
  std::map<std::pair<int, int>, Instant> lane_computed_;   // When a lane has computed all it has.
  std::map<std::pair<int, int>, Instant> lane_done_;
  std::map<BatchId, std::pair<int, int>> in_flight_;  // To subgraph and lane.
  std::set<std::pair<int, int>> abandoned_;           // Lanes, until they are up.
  std::vector<RegisteredModel> registry_;             // Empty: there is none.
  bool has_pipeline_ = false;  // Over the first of them and a subgraph of its own,
  int pipeline_own_ = -1;      // which comes with its first plan.
  bool step_is_first_ = false;
  Version pipeline_;
  int read_ = -1;                   // The subgraph whose outputs the pipeline's second step reads,
  int sets_alone_ = 0;              // and the output sets that it has without that.
  std::set<int> registered_going_;  // Subgraphs of the registry that were told to go.
  std::set<int> free_places_;       // Where some have been.
  bool draining_ = false;
  bool device_lost_ = false;
  int life_ = 0;  // Of the device; the next begins when it is lost.
  std::map<std::pair<Instant, uint64_t>, Happening> events_;  // By time, then as posted.
  std::vector<Event> at_once_;  // Failed launches: told before anything else happens.
  uint64_t next_order_ = 0;
  Instant now_ = Instant(Clock::duration::zero());
  // Above 0: requests of one row come in groups of so many, to batches that all take as long, as
  // from clients that are answered together. Where it pays to wait for company.
  int group_ = 0;
  int device_fault_percent_ = 0;
  int launch_fault_percent_ = 0;
  int host_fault_percent_ = 0;
  int hang_percent_ = 0;
  int slowdown_ = 1;  // So many times longer takes what begins while another subgraph computes.
  int slowest_us_ = 1;
  int timer_late_us_ = 0;
};

}  // namespace omserve::scheduler
