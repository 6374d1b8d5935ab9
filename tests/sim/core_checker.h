// SPDX-License-Identifier: Apache-2.0
// A second, simple opinion on the core: it follows events and commands, and says when a command
// breaks an invariant of scheduler/core.h or when one is missing.
#pragma once

#include <array>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "scheduler/core.h"

namespace omserve::scheduler {

// What the schedules met, so that a simulation can show that it is not hollow.
struct CheckerCounts {
  std::array<size_t, kOutcomeCount> outcomes{};        // By Outcome.
  std::array<size_t, kReleaseReasonCount> reasons{};   // By ReleaseReason.
  std::array<size_t, kRefusalReasonCount> refusals{};  // By RefusalReason.
  size_t launches = 0;
  size_t launches_ahead = 0;
  size_t launches_behind = 0;     // On a lane that was at work.
  size_t launches_overtaken = 0;  // The same, and not full.
  size_t waits_for_siblings = 0;  // After an event, of a bucket before an idle lane.
  size_t models_added = 0;        // While others were serving.
  size_t unloads = 0;
  size_t unloads_busy = 0;   // Of these, with requests in flight.
  size_t places_reused = 0;  // By a model, after another one.
  // What a registry does, by itself,
  size_t versions_switched = 0;       // A new version takes the requests from now on,
  size_t versions_switched_busy = 0;  // while the one before has some.
  size_t versions_switched_back = 0;  // The one before, still loaded, takes them again.
  size_t answers_by_replaced = 0;     // OK, by a version that serves no longer.
  size_t loads_given_up = 0;          // Added and unloaded before any request.
  size_t pipelines_rebuilt = 0;       // Over a step that was replaced,
  size_t pipelines_rebuilt_busy = 0;  // while requests end on the one before.
  size_t replaced_memory_first = 0;   // The old version gone, and then the new one added.
  size_t models_evicted = 0;          // Without requests.
  size_t models_returned = 0;         // For the requests that wait for them.
  size_t sets_given = 0;              // Output sets, for a plan that reads them;
  size_t sets_taken_busy = 0;         // taken away while batches have them.
  // and at what times.
  size_t registry_lost = 0;      // On a lost device.
  size_t registry_mending = 0;   // While lanes are mended.
  size_t registry_draining = 0;  // After a drain has begun.
  size_t shared = 0;             // Batches with rows of several requests.
  size_t two_steps = 0;          // Batches with rows of several steps.
  size_t host_steps = 0;
  size_t delayed = 0;            // Requests that their queue's timeout put behind.
  size_t launches_delayed = 0;   // Row groups of such.
  size_t together_accepted = 0;  // Groups of requests that arrived together,
  size_t together_refused = 0;   // and of these refused for want of room.
  size_t kept_in_order = 0;      // Finished requests that waited for earlier ones.
  size_t cache_hits = 0;
  size_t cache_misses = 0;
  size_t company_waits = 0;  // Waits before an idle lane that were derived.
  size_t turns_asked = 0;
  size_t turns_waited = 0;  // Granted, but not at once.
  size_t turns_used = 0;
  size_t turns_unused = 0;  // Given back for nothing, granted or not.
  size_t turns_renewed = 0;
  size_t turns_lost = 0;  // Given back by a lost device, with a batch in flight.
  size_t turns_late = 0;  // Grants of turns that had been given back.
  size_t abandoned = 0;
  size_t lanes_up = 0;
  size_t devices_lost = 0;
  size_t sequences = 0;
  size_t sequence_launches = 0;
  size_t sequence_gaps = 0;     // Batches that leave a row out.
  size_t sequences_shared = 0;  // Batches with rows of several sequences.
  size_t sequences_idle = 0;    // That ended for having nothing to do.
  size_t sequences_broken = 0;  // That ended with a request that was lost.
  size_t pairs_together = 0;    // Pairs measured, and left together,
  size_t pairs_apart = 0;       // or kept apart from then on.
  size_t waits_apart = 0;       // Rows that waited for a subgraph that is kept apart.
  size_t arena = 0;             // Batches in the arena,
  size_t arena_together = 0;    // of which these were there with another one.

  void Add(const CheckerCounts& other);
  // What a number of random schedules met less often than it must to prove anything; empty when
  // there is nothing.
  std::string Missing(size_t schedules) const;
  // One line each.
  std::string ToText() const;

 private:
  struct Named {
    std::string name;
    size_t count = 0;
    size_t least = 0;  // In 4000 schedules.
  };
  std::vector<Named> All() const;
};

class CoreChecker final {
 public:
  // `core` is the one that is checked; it outlives the checker.
  CoreChecker(const Core& core, const Core::Options& options) : core_(core), options_(options) {}

  void AddSubgraph(const Subgraph& subgraph, const Core::SubgraphOptions& options);
  // To be called around Core::Handle with the same event, and with all its commands in between.
  void Before(const Event& event, Instant now);
  void Check(const Command& command);
  void After();
  // After the last event: nothing is left anywhere.
  void CheckEmpty();

  // The first violation; empty while there is none.
  const std::string& violation() const { return violation_; }
  Instant armed() const { return armed_; }
  bool answered(RequestId id) const {
    const auto found = requests_.find(id);
    return found == requests_.end() || found->second.answered;
  }
  const CheckerCounts& counts() const { return counts_; }
  // What the core is not told of, but what the schedules have to meet.
  void Count(size_t CheckerCounts::*what, size_t more = 1) { counts_.*what += more; }

 private:
  enum class State { kWaiting, kLooking, kRunning, kDone };
  enum class Kind { kNone, kAhead, kReady };  // How a step stands in a queue.
  struct Step {
    State state = State::kWaiting;
    BatchId batch = 0;
    bool looked_up = false;
    Kind kind = Kind::kNone;  // As last seen, since `since`.
    Instant since;
  };
  struct Request {
    Arrive arrival;
    size_t order = 0;        // Of arrival.
    RequestId together = 0;  // The first of those that arrived with it.
    bool delayed = false;
    std::vector<Step> steps;
    int running = 0;
    bool failed = false;
    bool answered = false;
    Instant arrived;
    uint64_t sequence = 0;               // In sequences_; 0: in none.
    std::vector<Clock::duration> tails;  // By step: the least time of those after it.
  };
  struct Sequence {
    const Subgraph* subgraph = nullptr;
    SequenceId id;
    bool open = true;  // Takes requests.
    bool broken = false;
    std::vector<RequestId> left;  // That wait or run, in order.
    RequestId running = 0;
    Instant idle_until = Instant::max();
    int lane = -1;  // -1: nothing was launched yet.
    int slot = -1;
  };
  struct Batch {
    Launch launch;
    bool done = false;
    Instant runs_since = Instant::max();
  };
  // A limited lane's.
  struct Turn {
    bool asked = false;
    bool held = false;  // As far as the core was told.
    bool used = false;  // A batch was launched with what it holds.
    bool waited = false;
    uint64_t ticket = 0;
    Instant asked_at;
    Instant granted_at;
  };
  struct SubgraphRef {
    const Subgraph* subgraph;
    Core::SubgraphOptions options;
    std::vector<int> in_flight;  // By lane.
    std::vector<bool> serves;    // By lane.
    CostTable costs;
    std::vector<Turn> turns;  // By lane.
    bool unloading = false;
    bool gone = false;

    int LimitOf(size_t lane) const {
      return options.lane_limits.empty() ? 0 : options.lane_limits[lane];
    }
  };
  // A row group that waits.
  struct Waiting {
    uint64_t priority;
    bool delayed;
    Instant due;  // Its deadline, within the core's patience.
    RequestId request;
    int node;
    int rows;
    Instant since;
    Instant deadline;
    bool operator<(const Waiting& other) const;
  };

  static const PlanNode& NodeOf(const Arrive& arrival, int node) {
    return arrival.plan->nodes[static_cast<size_t>(node)];
  }
  // Reports a violation unless `holds`.
  void Expect(bool holds, const std::string& what);

  void Apply(const Arrive& event);
  void Apply(const Cancel& event);
  void Apply(const BatchDone& event);
  void Apply(const HostStepDone& event);
  void Apply(const TimerFired& event);
  void Apply(const Hurry& event);
  void Apply(const Drain& event);
  void Apply(const LaneUp& event);
  void Apply(const DeviceLost& event);
  void Apply(const DeviceBack& event);
  void Apply(const LaneStuck& event);
  void Apply(const ArriveTogether& event);
  void Apply(const LookedUp& event);
  void Apply(const TurnGranted& event);
  void Apply(const Unload& event);
  void Arrived(std::span<const Arrive> arrivals);
  // The request that arrives, the first of several; 0 for none.
  RequestId Newcomer() const { return arriving_.empty() ? 0 : *arriving_.begin(); }

  void CheckCommand(const Launch& launch);
  void CheckCommand(const StartHostStep& start);
  void CheckCommand(const Respond& respond);
  void CheckCommand(const Retire& retire);
  void CheckCommand(const Release& release);
  void CheckCommand(const ArmTimer& arm);
  void CheckCommand(const AbandonLane& abandon);
  void CheckCommand(const LookUp& look_up);
  void CheckCommand(const AskTurn& ask);
  void CheckCommand(const ReturnTurn& back);
  void CheckCommand(const PairVerdict& verdict);
  void CheckCommand(const Unloaded& unloaded);

  void CheckGroup(const Launch& launch, const RowGroup& group);
  void CheckOrder(const Launch& launch, Kind kind);
  void CheckBuckets(const Launch& launch, Kind kind, const std::vector<Waiting>& queue);
  void CheckFullSize(const Launch& launch, const std::vector<Waiting>& queue);
  void CheckReason(const Launch& launch, Kind kind, const std::vector<Waiting>& queue);
  // core_checker_models.cc.
  void CheckUnloadsAfter();
  static bool Names(const Plan& plan, const Subgraph* subgraph);
  bool IsUnloading(const Plan& plan) const;
  // Why the subgraph cannot go yet; empty when it can.
  std::string HolderOf(const SubgraphRef& ref) const;
  // core_checker_pairs.cc.
  // No subgraph that is kept apart from the batch's is at work.
  void CheckApart(const Launch& launch);
  // Whether rows wait rightly for one that is, or whose rows are more urgent.
  bool WaitsApart(const SubgraphRef& ref);
  // The most urgent rows of each queue, in order.
  std::vector<Waiting> FrontsOf(const SubgraphRef& ref);
  // On lanes in service.
  static bool IsAtWorkInService(const SubgraphRef& ref);
  // core_checker_turns.cc.
  void CheckTurn(const Launch& launch);
  void CheckTurnReason(const Launch& launch, bool full);
  void CheckTurnsAfter();
  // Whether a lane waits for what this one would wait for, so that this one need not.
  static bool AsksFor(const SubgraphRef& ref, int limit);
  // Batches on a lane that rows of this kind could be launched on now; -1 where they cannot.
  static int LoadOf(const SubgraphRef& ref, size_t lane, Kind kind);
  Turn& TurnOf(int subgraph, int lane) {
    return subgraphs_.at(static_cast<size_t>(subgraph)).turns.at(static_cast<size_t>(lane));
  }
  // core_checker_sequences.cc.
  static const Subgraph* SequenceSubgraph(const Arrive& arrival);
  // The request that arrives is accepted: it belongs to a sequence from now on.
  void JoinSequence();
  void IdleOut();
  void BreakSequence(Sequence& sequence);
  void LeaveSequence(RequestId id, bool ran);
  void CheckSequenceLaunch(const Launch& launch);
  void CheckSequenceReason(const Launch& launch);
  void CheckSequencesAfter();
  // Whether the request is answered before what arrives now is looked at.
  bool IsOver(const Request& request) const;

  void CheckRequestsAfter();
  void CheckBatchesAfter();
  void CheckRunsAfter();
  // Whether the request has a batch in flight on a lane that is out of service.
  bool OnStoppedLane(RequestId id) const;
  // The oldest batch in flight on the lane; 0 for none.
  BatchId OldestOn(int subgraph, int lane) const;
  bool HasInputs(const Batch& batch) const;
  void CheckQueuesAfter();
  void CheckBucketAfter(const SubgraphRef& ref, int bucket);
  void CheckCompany(const SubgraphRef& ref, int bucket, const std::vector<Waiting>& queue,
                    Instant from);

  Kind KindOf(const Request& request, size_t node) const;
  // Queued row groups of one kind in their order.
  std::vector<Waiting> QueueOf(int subgraph, int bucket, Kind kind);
  // Of one priority, 0 for all.
  int QueuedRows(int subgraph, bool without_expired, uint64_t priority = 0);
  // Whether a request of its plan that came before is not answered yet, and that matters.
  bool WaitsForEarlier(const Request& request) const;
  bool HasUses(const Batch& batch) const;
  // core_checker_memory.cc.
  // The batch's memory is free, and it may have it.
  void CheckMemory(const Launch& launch);
  void CheckArenaOrder(const Launch& launch, Kind kind);
  void CheckArenaOwner();
  int SetsUsed(int subgraph) const;
  static bool IsAtWork(const SubgraphRef& ref);
  bool HoldersGoOn(const SubgraphRef& ref);
  // No device step of the request is in flight.
  static bool Rests(const Request& request);
  // Whether rows of the subgraph rightly wait for memory.
  bool WaitsForMemory(const SubgraphRef& ref);
  // Whether a batch of it leaves at once.
  static bool IsFilled(const SubgraphRef& ref, int bucket, const std::vector<Waiting>& queue);
  static int SumOf(const std::vector<Waiting>& queue);
  bool IsFull(std::span<const Arrive> arrivals);
  bool IsFullOfBytes(std::span<const Arrive> arrivals) const;
  // Requests that are not retired, but for those that the event at hand retires for their deadline.
  bool IsHeld(const Request& request) const;
  void SetTails(Request& request) const;
  Clock::duration CostOf(const Request& request, size_t node) const;
  // Every row of the queue may wait for a sibling that was not launched.
  bool WaitsForSiblings(const std::vector<Waiting>& queue) const;
  void CheckRefusal(const Request& request, const Respond& respond);
  void CheckBoundsAfter();

  const Core& core_;
  const Core::Options options_;
  std::vector<SubgraphRef> subgraphs_;
  std::map<RequestId, Request> requests_;  // Not retired.
  std::set<RequestId> seen_;
  std::map<BatchId, Batch> batches_;  // Not released.
  std::map<uint64_t, Sequence> sequences_;
  uint64_t last_sequence_ = 0;
  BatchId last_batch_ = 0;
  bool hurries_ = false;
  bool draining_ = false;
  bool device_lost_ = false;
  Instant armed_ = Instant::max();
  RequestId arena_owner_ = 0;
  uint64_t last_ticket_ = 0;
  // Rows that wait for company before an idle lane, by subgraph and bucket, and since when.
  std::map<std::pair<int, int>, Instant> company_;
  CheckerCounts counts_;
  std::string violation_;

  // The event at hand.
  Instant now_;
  std::set<RequestId> arriving_;
  RequestId cancelling_ = 0;
  bool arrival_full_ = false;
  bool arrival_full_of_bytes_ = false;
  bool losing_ = false;
  std::pair<int, int> stuck_{-1, -1};
  bool joined_ = false;
  std::set<int> lanes_abandoned_;  // Subgraphs of these.
  std::set<BatchId> released_;
};

}  // namespace omserve::scheduler
