// SPDX-License-Identifier: Apache-2.0
// The scheduler's mind: which rows run together, on which lane, when; and what becomes of every
// request. A pure state machine: events in, commands out. No thread, clock, lock, log or device
// inside, so a seeded simulation drives it through millions of schedules, and a recorded trace
// replays exactly.
//
// Invariants, checked by tests/sim/core_checker.h:
//  1. Every request that arrives gets exactly one Respond and, later or with it, exactly one
//     Retire. Of requests that arrive together all are accepted or none.
//  2. No Launch holds more rows than its gear, and no lane more batches than its limit.
//  3. A row is launched for a step only when each producing device step was launched or done and
//     each producing host step done.
//  4. Nothing is launched for a request after its Respond, or at or after its deadline, or when the
//     request cannot be in time by what is predicted.
//  5. Every launched batch gets exactly one Release, after its BatchDone and after BatchDone of
//     every batch that reads its outputs.
//  6. Nothing waits for ever: while a subgraph has rows that wait, a lane of it is at work or waits
//     for its turn, or the timer is armed, or all its lanes are out of service, or one that it is
//     kept apart from is at work or has rows that are more urgent.
//  7. Within a priority a row goes behind later ones only while these arrive within
//     Options::patience of it; so, whatever arrives, its turn comes, in its bucket and among the
//     buckets of its subgraph. Rows that a queue's timeout has delayed go behind all others of
//     their priority, and priorities are strict: for both only the deadline is a bound.
//  8. Answers of a plan that preserves order, where they are OK, come in the order of arrival.
//  9. Nothing is launched on a lane between AbandonLane and LaneUp, nor between DeviceLost and
//     DeviceBack; every request with a batch on such a lane is answered with the event that took
//     the lane out.
// 10. A lane that shares resources has one batch at most, launched after TurnGranted and before the
//     next AskTurn or ReturnTurn. Between events it keeps a turn only for a batch in flight: not
//     for rows that are gone, that wait for company or for inputs, and not on a lost device.
// 11. No two unreleased batches of a subgraph have the same output set, and those in the arena are
//     of one request. A request that waits for memory alone does not wait for ever.
// 12. Of two subgraphs that are kept apart (pair_table.h) none is launched, but in the arena, while
//     the other has a batch in flight on a lane in service.
// 13. After Unload nothing is accepted for the subgraph; Unloaded comes once, with the event that
//     ends the last that holds it, and then nothing in flight or queued names it.
//
// A batch *runs* from when it is the oldest on its lane and all that it reads is computed. One that
// runs for twice the budget of its gear (run_budget.h) hangs: its lane is abandoned. Batches on an
// abandoned lane stay in flight, because the device may still touch their memory, until BatchDone
// tells that the lane was stopped.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"
#include "scheduler/backlog.h"
#include "scheduler/batch_policy.h"
#include "scheduler/core_messages.h"
#include "scheduler/core_options.h"
#include "scheduler/cost_table.h"
#include "scheduler/deadline_fit.h"
#include "scheduler/derived_delay.h"
#include "scheduler/ids.h"
#include "scheduler/pair_table.h"
#include "scheduler/plan.h"
#include "scheduler/refusal.h"
#include "scheduler/run_budget.h"
#include "scheduler/sequence.h"
#include "scheduler/sequence_table.h"

namespace omserve::scheduler {

// Thread-compatible (confined to the device thread).
class Core final {
 public:
  using Options = CoreOptions;
  using LevelBounds = scheduler::LevelBounds;
  using SubgraphOptions = scheduler::SubgraphOptions;
  explicit Core(const Options& options) : options_(options), pairs_(options.pairs) {}

  // `subgraph.index` must be a number that is free: that of one which was unloaded, or the next.
  // `subgraph` lives until it is unloaded.
  void AddSubgraph(const Subgraph& subgraph, const SubgraphOptions& options);

  // Appends what is to be done to `commands`. `now` never decreases.
  void Handle(const Event& event, Instant now, std::vector<Command>* commands) {
    Handle(std::span(&event, 1), now, commands);
  }
  // Events of one instant, in order: what leaves is decided once, after all of them.
  void Handle(std::span<const Event> events, Instant now, std::vector<Command>* commands);

  size_t request_count() const { return requests_.size(); }
  int row_count() const { return rows_; }  // Accepted and not retired.
  size_t input_bytes() const { return input_bytes_; }
  size_t batch_count() const { return batches_.size(); }
  bool idle() const { return requests_.empty() && batches_.empty(); }
  int queued_rows(int subgraph) const;
  int queued_requests(int subgraph) const;  // And steps of requests.
  // When a lane of the subgraph is free of all that was accepted, as predicted at the last event;
  // Instant::max() while no lane serves. Rows that come now and are no more urgent start then.
  Instant FreeAt(int subgraph) const;
  const CostTable& costs(int subgraph) const;
  // Calls `visit(subgraph)` for each one that events since the last call may have changed.
  template <typename Visit>
  void VisitChanged(Visit visit) {
    for (const int subgraph : changed_) {
      subgraphs_[static_cast<size_t>(subgraph)].changed = false;
      visit(subgraph);
    }
    changed_.clear();
  }
  // How many output sets the subgraph has from now on. A batch keeps the one that it has to its
  // end, also if that is one of those taken away.
  void SetOutputSets(int subgraph, int count);
  int output_sets(int subgraph) const {
    return subgraphs_[static_cast<size_t>(subgraph)].options.output_sets;
  }
  // Of them, those that an unreleased batch has.
  int output_sets_used(int subgraph) const;
  // How often a request went on by itself because all sets were taken.
  uint64_t arena_launches() const { return arena_launches_; }
  bool device_lost() const { return device_lost_; }
  bool apart(int a, int b) const { return pairs_.Apart(a, b); }
  // All 0 for a subgraph without sequences.
  SequenceTable::Counts sequence_counts(int subgraph) const;

 private:
  // kLooking: what the step puts out may be known; it waits no longer, and nothing of it runs.
  enum class NodeState : uint8_t { kWaiting, kLooking, kQueued, kLaunched, kDone };

  // A row group in a queue. Order: priority, delayed or not, due, arrival.
  struct QueueKey {
    uint64_t priority;
    bool delayed;
    Instant due;  // The deadline, or the end of Options::patience when that is earlier.
    RequestId request;
    int node;
    auto operator<=>(const QueueKey&) const = default;
  };
  struct Queued {
    int rows = 1;
    Instant since;
    Instant latest_end;  // The deadline, less the least time of the steps that follow.
  };
  // One bucket's queue. `ready`: inputs exist. `ahead`: every producer is at least launched.
  struct Queue {
    std::map<QueueKey, Queued> ready;
    std::map<QueueKey, Queued> ahead;
    // Until when the ready rows that wait for a sibling do; the others are not in it.
    std::multiset<Instant> holds;
    // The same rows by age, for the delay rule.
    std::set<std::pair<Instant, QueueKey>> ready_ages;
    std::set<std::pair<Instant, QueueKey>> ahead_ages;
    int ready_rows = 0;
    int ahead_rows = 0;
    // Where the delay is derived:
    ArrivalGaps gaps;
    int awaited_by = 0;     // Ready rows when last asked how long they wait; 0: none; -1: others.
    Instant awaited_since;  // Since there have been so many,
    Instant awaited_from;   // and since the first of them waits before an idle lane.
  };
  // What a lane has of the resources that it shares (core_limits.cc). The fewer steps to a launch,
  // the earlier it stands here.
  enum class Turn : uint8_t {
    kFree,     // It shares none.
    kGranted,  // It has them, for the batch to be launched.
    kSpent,    // It has them, and its batch is over.
    kNone,     // Nothing, and it waits for nothing.
    kAsked,    // It waits for them.
    kUsed,     // It has them, for the batch in flight.
  };
  struct LaneState {
    bool serves = true;
    Turn turn = Turn::kFree;
    int limit = 0;                 // As in SubgraphOptions::lane_limits.
    uint64_t ticket = 0;           // Of the newest AskTurn,
    Instant asked_at;              // which was then,
    bool waited = false;           // and was not granted at once
    Clock::duration turn_wait{0};  // but after so long.
    std::vector<BatchId> batches;  // In flight, the oldest first.
    Instant busy_until;            // When they are over, as predicted; in the past: now.
  };
  struct SubgraphState {
    const Subgraph* subgraph = nullptr;
    SubgraphOptions options;
    std::vector<Queue> queues;                // Per bucket.
    std::map<uint64_t, int> queued_by_level;  // Queued rows per priority that has a bound.
    std::vector<LaneState> lanes;
    CostTable costs;                 // Per model gear.
    std::vector<RunBudget> budgets;  // Per model gear.
    Backlog backlog;                 // Of accepted rows, also of those whose inputs are not made.
    std::vector<int> order;          // Scratch of OrderBuckets.
    std::vector<int> free_sets;      // The one that was used last comes first: it is warm.
    std::vector<BatchId> holders;    // Batches that have a set.
    bool starved = false;            // It is in starved_.
    Instant refused_at = Instant::min();  // For its queue, the last time.
    bool touched = false;                 // It is in touched_.
    bool changed = false;                 // It is in changed_.
    // Of a subgraph that keeps sequences, instead of `queues`.
    std::optional<SequenceTable> sequences;
    std::vector<int> apart_from;    // Subgraphs that it is kept apart from.
    std::optional<QueueKey> claim;  // Its most urgent rows, that only those keep back.
    int requests = 0;               // That were accepted, name it and are not retired.
    bool unloading = false;         // It is in unloading_.

    bool is_vacant() const { return subgraph == nullptr; }
  };
  struct NodeRecord {
    NodeState state = NodeState::kWaiting;
    BatchId batch = 0;        // The batch that ran or runs it.
    Clock::duration tail{0};  // The least time of the steps after it.
    // While it is queued: until when it waits for a sibling; min(): it does not.
    Instant held_until = Instant::min();
    bool in_backlog = false;
    Urgency cell;             // Where its work is in the backlog,
    Clock::duration work{0};  // and how much of it.
  };
  struct Request {
    std::shared_ptr<const Plan> plan;
    std::vector<int> buckets;
    std::vector<NodeRecord> nodes;
    int rows = 1;
    uint64_t priority = 1;
    Instant deadline;
    Instant due;       // As in QueueKey.
    Instant delay_at;  // max() once it is delayed.
    bool delayed = false;
    size_t input_bytes = 0;
    int nodes_left = 0;
    int in_flight = 0;  // Batches and host steps running for it.
    bool accepted = false;
    bool ran = false;
    bool responded = false;
  };
  struct Batch {
    int subgraph = 0;
    int lane = 0;
    size_t model_gear = 0;
    int output_set = 0;
    std::vector<RowGroup> rows;
    bool done = false;
    Instant ends_at;  // As predicted at launch.
    std::optional<Instant> runs_since;
    Instant hangs_at = Instant::max();
    // Uses of its outputs by device steps that have not run: one per row group and consuming step.
    int uses_left = 0;
  };

  void On(const Arrive& event);
  void On(const Cancel& event);
  void On(const BatchDone& event);
  void On(const HostStepDone& event);
  void On(const TimerFired& event);
  void On(const Hurry& event);
  void On(const Drain& event);
  void On(const LaneUp& event);
  void On(const DeviceLost& event);
  void On(const DeviceBack& event);
  void On(const LaneStuck& event);
  void On(const ArriveTogether& event);
  void On(const LookedUp& event);
  void On(const TurnGranted& event);
  void On(const Unload& event);
  // Accepts all, or refuses all.
  void Receive(std::span<const Arrive> arrivals);
  Request& Register(const Arrive& event);

  LaneState& LaneAt(int subgraph, int lane);

  // core_models.cc.
  // Vacates the places of those that are to go and that nothing holds any longer.
  void VacateIdle();
  void Vacate(SubgraphState& state);
  // Whether a step of the plan is of a subgraph that is to go, or has gone.
  bool IsUnloading(const Plan& plan) const;
  // Counts an accepted request in or out of its subgraphs.
  void CountRequest(const Plan& plan, int count);

  // core_batching.cc.
  // Launches what can be launched of the subgraphs that were touched, and sets their wakes.
  void ScheduleTouched();
  // Launches one batch of `state` if the policy says so of a bucket; false when all wait.
  bool TryLaunch(SubgraphState& state);
  // The buckets with rows, the most urgent first, into state.order.
  static void OrderBuckets(SubgraphState& state);
  static int PreferredFill(const SubgraphState& state, const Queue& queue);
  Instant LatestStart(const SubgraphState& state, const Queue& queue, const Bucket& shape) const;
  static bool HasOtherIdleLane(const SubgraphState& state, int lane);
  void LaunchFrom(SubgraphState& state, int bucket, int lane, const BatchDecision& decision);
  QueueSnapshot Snapshot(const SubgraphState& state, const Queue& queue, int bucket,
                         int lane) const;
  int BestLane(const SubgraphState& state) const;
  // Until when the ready rows of a bucket wait for company before the lane, which is idle; min():
  // they do not.
  Instant CompanyUntil(SubgraphState& state, int bucket, int lane);
  SubgraphState& StateOf(const Request& request, int node);
  Queue& QueueOf(const Request& request, int node);
  QueueKey KeyOf(RequestId id, const Request& request, int node) const;
  void Enqueue(RequestId id, Request& request, int node, bool ready);
  void Dequeue(RequestId id, Request& request, int node);
  // Whether the subgraph's queues take so many rows more of that priority.
  bool HasRoom(const SubgraphState& state, uint64_t priority, int rows) const;
  static void CountLevel(SubgraphState& state, uint64_t priority, int rows);

  // core_siblings.cc.
  // Until when the step, if its rows are queued now, may wait for a heavier sibling; min(): not.
  Instant HoldOf(const Request& request, int node) const;
  Clock::duration FullBatchCost(const Request& request, int node) const;
  void Hold(Request& request, int node);
  void Unhold(Request& request, int node);
  // `node` was launched: what waited for it goes on.
  void ReleaseSiblings(Request& request, int node);

  // core_order.cc.
  // Puts the rows of requests whose delay_at has come behind all others of their priority.
  void DelayRequests();
  // Answers the finished requests of plans that preserve order whose turn has come.
  void AnswerInOrder();

  // Gears, marks and enqueues a batch whose rows are chosen.
  void Send(SubgraphState& state, Launch launch);
  // When a batch of `rows` rows has to start for `tightest`; `oldest` is when it began to wait.
  Instant LatestStartFor(const SubgraphState& state, const Bucket& shape, int rows,
                         Instant tightest, Instant oldest) const;

  // core_sequences.cc.
  // The sequences of the node's subgraph; null where it keeps none.
  SequenceTable* SequencesOf(const Request& request, int node);
  // False when the request belongs to a sequence that is not open.
  bool JoinSequences(const Arrive& event);
  // The request was accepted and has no answer: its sequences end, and who waits behind it in them.
  void EndSequencesOf(RequestId id, const Request& request);
  void EndWaiting(const std::vector<RequestId>& requests);
  void ExpireSequences();
  Instant NextSequenceExpiry() const;
  // As TryLaunch, for a subgraph that keeps sequences.
  bool TryLaunchSequences(SubgraphState& state);
  bool LaunchSequences(SubgraphState& state, int lane);
  bool DropLateSequences(SubgraphState& state, int lane, const Bucket& shape);
  // Of the requests in `chosen_`.
  void SendSequences(SubgraphState& state, Launch launch);
  // The subgraph's rows, lanes or time have changed: its turn comes within this event.
  void Touch(int subgraph);
  void TouchNode(const Request& request, int node);  // Its subgraph, if it is a device step.
  void TouchAll();
  // Those whose wake has come.
  void TouchDue();
  void SetWake(int subgraph, Instant wake);

  // core_admission.cc.
  // Why the arrivals, parts of one request, have to be refused, if they have to; without the
  // request's id. O(steps x lanes), whatever waits.
  std::optional<Respond> Refuse(std::span<const Arrive> arrivals);
  std::optional<Respond> RefuseForBounds(std::span<const Arrive> arrivals) const;
  std::optional<Respond> RefuseForDeadline(std::span<const Arrive> arrivals);
  Respond QueueRefusal(const Plan& plan, RefusalReason reason) const;
  // How long the arrivals' batches of `node` take on the subgraph's lanes, at least; with `company`
  // in those of the rows that wait already.
  Clock::duration StepTime(std::span<const Arrive> arrivals, size_t node, bool company) const;
  // How long each lane that serves is still at work: a scratch, until the next call.
  std::span<Clock::duration> BusyTimes(const SubgraphState& state) const;
  // When a lane is free for a row of this urgency; now_ while no lane serves: nothing is known.
  Instant StartOf(const SubgraphState& state, const Urgency& row) const;
  const BatchGear& GearOf(const PlanNode& node, int bucket, int rows) const;
  void Accept(RequestId id, Request& request);
  // Puts the work of the request's device steps into their subgraphs' backlogs.
  void AddToBacklogs(Request& request);
  // How long the steps after each one take at least.
  void SetTails(Request& request);
  // A batch is about to leave: drops the requests that would be late, or makes it smaller so that
  // none is. True: some were dropped, so decide anew.
  bool FitDeadlines(SubgraphState& state, int bucket, int lane, BatchDecision& decision);
  // Ends a request that cannot be in time any longer, by `late_by`.
  void Drop(RequestId id, Request& request, Clock::duration late_by);
  // The end of a batch that `node` of the request reads; now_ when there is none to wait for.
  Instant InputsAt(const Request& request, int node) const;
  void RemoveFromBacklog(Request& request, int node);
  // Device time of `rows` rows in full batches of the bucket; 0: not known.
  static Clock::duration WorkOf(const SubgraphState& state, int bucket, int rows);
  // Predicts the end of a batch that is launched, and of those that stay when one is over.
  void PredictEnd(Batch& batch, SubgraphState& state);
  void PredictLane(LaneState& lane, const SubgraphState& state);

  // core_memory.cc.
  // Gives the batch its memory, and takes it back.
  static void TakeOutputs(SubgraphState& state, Launch& launch);
  void ReturnOutputs(BatchId id, const Batch& batch);
  // The subgraph has rows and no output set.
  void Starve(SubgraphState& state);
  // Where memory stands still, launches one request's rows in the arena, or drops a request that
  // would be late there; false when there is nothing to do.
  bool LaunchInArena();
  bool TryLaunchInArena(SubgraphState& state, int lane);
  // Nothing runs that brings a set back, now or later.
  bool StandsStill(const SubgraphState& state);
  bool GoesOn(const Request& request);
  static bool IsAtWork(const SubgraphState& state);
  std::optional<QueueKey> NextInArena(const SubgraphState& state) const;
  // As FitDeadlines, of one request's rows.
  bool DropFromArena(const SubgraphState& state, const QueueKey& key, int lane);
  // Nothing of the request is or will be in the arena any longer.
  void LeaveArena(RequestId id);

  // core_limits.cc.
  // Whether the lane may be chosen: it is not limited, or has no batch and waits for no turn, and
  // lanes that need the same are not waiting for enough turns already.
  static bool MayTakeTurn(const SubgraphState& state, const LaneState& lane);
  // False when the lane is limited and has no turn: then it asks for one. The rows wait in their
  // queue meanwhile, and perhaps leave by another lane.
  bool HasTurn(SubgraphState& state, int lane);
  // The lane's turn is this batch's.
  void UseTurn(LaneState& lane, Launch& launch) const;
  // Gives back the turns that lanes have or wait for and nothing can be launched with.
  // `keeps_granted`: those that the arena may be launched with later in this event stay.
  void ReturnTurns(SubgraphState& state, bool keeps_granted);
  static bool AwaitsTurn(const SubgraphState& state);
  // Whether rows wait that a turn of the lane is for.
  static bool HasRowsFor(const SubgraphState& state, size_t lane);

  // core_pairs.cc.
  // Passes on what was measured, and notes who is kept apart from now on.
  void TakeVerdicts();
  // The turns of subgraphs that this one is kept apart from come within this event.
  void TouchApart(const SubgraphState& state);
  // Whether nothing that the subgraph is kept apart from runs, or is to run before rows like these.
  bool MayGoNow(const SubgraphState& state, const QueueKey& head) const;
  void Claim(SubgraphState& state, const QueueKey& head);
  void Unclaim(SubgraphState& state);
  // No lane can be chosen: the claim is that of the rows which wait for a turn now.
  void RenewClaim(SubgraphState& state);

  // core_hangs.cc.
  // Notes which batches have begun to run, and abandons the lanes of those that hang. The instant
  // at which the next one does.
  Instant WatchBatches(SubgraphState& state);
  bool HasInputs(const Batch& batch) const;
  void Abandon(const AbandonLane& command);
  // Answers all requests of the lane's batches.
  void EndAllOn(const LaneState& lane, Outcome outcome);

  // Moves waiting consumers of `node` on, now that it is launched or done.
  void AdvanceConsumers(RequestId id, Request& request, int node);
  void AdvanceNode(RequestId id, Request& request, int node);
  void FinishNode(RequestId id, Request& request, int node);
  // Ends the request for its client and takes its queued rows out.
  void End(RequestId id, Request& request, Outcome outcome);
  void End(RequestId id, Request& request, Respond respond);
  void RetireIfIdle(RequestId id);
  void DropUse(BatchId batch);
  void DropUsesOf(const Request& request, int node);
  void ReleaseIfUnused(BatchId id);
  bool ProducersAtLeast(const Request& request, int node, NodeState device, NodeState host) const;
  void ExpireDeadlines();

  const Options options_;
  std::vector<SubgraphState> subgraphs_;  // Vacant where one was unloaded.
  std::vector<int> unloading_;            // Of these.
  std::vector<int> with_sequences_;       // Likewise.
  PairTable pairs_;                       // Of those without.
  std::unordered_map<RequestId, Request> requests_;
  std::unordered_map<BatchId, Batch> batches_;
  std::set<std::pair<Instant, RequestId>> deadlines_;  // Of unanswered requests that have one.
  // By subgraph: when it needs a turn without any event. Contiguous, and read through when the next
  // one is over: a nanosecond for each subgraph, where an ordered set would allocate.
  std::vector<Instant> wakes_;
  Instant next_wake_ = Instant::max();              // The least of them.
  std::vector<int> touched_;                        // Each once.
  std::vector<int> changed_;                        // Each once; for VisitChanged.
  std::vector<int> round_;                          // Scratch of ScheduleTouched.
  mutable std::vector<Clock::duration> busy_;       // Scratch of BusyTimes.
  std::set<std::pair<Instant, RequestId>> delays_;  // The same by delay_at.
  // By plan that preserves order: its requests in the order of arrival, from the oldest that is not
  // answered on.
  std::unordered_map<const Plan*, std::deque<RequestId>> orders_;
  std::vector<const Plan*> moved_;  // Those of which a request was finished or answered.
  // Scratch of RefuseForDeadline: when each step ends, with what waits and without.
  std::vector<std::pair<Instant, Instant>> ends_;
  std::vector<FitGear> fit_gears_;  // Scratch of FitDeadlines and CompanyUntil.
  std::vector<FitRow> fit_rows_;
  std::vector<std::pair<RequestId, int>> fit_groups_;
  int rows_ = 0;
  size_t input_bytes_ = 0;
  BatchId next_batch_ = 1;
  std::vector<int> starved_;   // Subgraphs that have rows and may have no output set; each once.
  RequestId arena_owner_ = 0;  // 0: nobody.
  uint64_t arena_launches_ = 0;
  uint64_t next_ticket_ = 1;
  bool hurries_ = false;
  bool draining_ = false;
  bool device_lost_ = false;
  Instant armed_ = Instant::max();

  Instant now_;  // Of the last event.
  // Valid during Handle.
  Instant wake_ = Instant::max();             // Of the subgraph whose turn it is.
  std::vector<SequenceTable::Ready> chosen_;  // Scratch of LaunchSequences.
  std::vector<Command>* out_ = nullptr;
};

}  // namespace omserve::scheduler
