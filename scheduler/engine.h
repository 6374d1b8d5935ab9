// SPDX-License-Identifier: Apache-2.0
// The scheduler at work on one device: one thread owns the core, the lanes and the device pool, and
// obeys the core's commands. Everything else reaches it through messages.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "runtime/acl/device.h"
#include "runtime/acl/model.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/memory/device_pool.h"
#include "runtime/memory/host_pool.h"
#include "scheduler/active_request.h"
#include "scheduler/core.h"
#include "scheduler/diversion.h"
#include "scheduler/engine_options.h"
#include "scheduler/host_workers.h"
#include "scheduler/lane.h"
#include "scheduler/observer.h"
#include "scheduler/recovery_thread.h"
#include "scheduler/recycling_map.h"
#include "scheduler/request.h"
#include "scheduler/sequence_store.h"
#include "scheduler/shared_rate_limiter.h"
#include "scheduler/stage_times.h"

namespace omserve::scheduler {

// Thread-safe, but for the destructor.
class Engine final : private CompletionSink, private TurnSink {
 public:
  using Options = EngineOptions;
  using Load = EngineLoad;
  using ReloadInstance = scheduler::ReloadInstance;
  using SubgraphSpec = scheduler::SubgraphSpec;

  // Starts the device, completion and worker threads. The references outlive the engine.
  static absl::StatusOr<std::unique_ptr<Engine>> Start(acl::Device& device,
                                                       memory::HostPool& host_pool, Clock& clock,
                                                       Observer& observer, const Options& options);
  // Requires that Drain was called and that nothing is submitted any longer.
  ~Engine() override;

  // Warms the model up, makes the lanes (streams, buffers, events) and adds the subgraph. Blocks
  // until the device thread has done it. The result lives until RemoveSubgraph. Errors: the
  // policy's, the device's, those of its samples, and the rate limiter's for an instance that could
  // never execute.
  absl::StatusOr<const Subgraph*> AddSubgraph(SubgraphSpec spec);
  // Refuses requests for the subgraph from now on, waits until those accepted are over, and frees
  // its lanes and their memory on the caller's thread. No plan that names it may be submitted once
  // this returns. Blocks; while the device is lost, until it is back. OK: the engine has nothing
  // of it, and its instances may go. Errors: kUnavailable when the engine was drained instead;
  // then it keeps the subgraph, and its instances outlive the engine.
  absl::Status RemoveSubgraph(const Subgraph& subgraph) ABSL_LOCKS_EXCLUDED(mu_, device_work_mu_);

  // Reserves memory for what requests of a pipeline keep on the device between its steps; for the
  // plan of a single subgraph there is none. Before the plan's first request. Blocks until the
  // device thread has done it. Errors: kResourceExhausted with the numbers; nothing is reserved
  // then.
  absl::Status AddPlan(const Plan& plan);
  // Gives back what no other plan needs. Requires that no request of it is left, and comes before
  // its subgraphs go. Harmless for a plan that was not added. Blocks as AddPlan.
  void RemovePlan(const Plan& plan);

  // Always takes the request; returns without blocking. OK: `done` runs exactly once, with later
  // failures through it. Not OK: a refusal (refusal.h) for a deadline that has passed, a drain or
  // too many messages; `done` never runs. `request` must fit its plan: inputs in order, right
  // sizes, buckets resolved. With more rows than Plan::RowsPerBatch it runs in parts. With `wakes`
  // false it may lie until the next message or Wake: for who has more to submit.
  absl::Status Submit(std::unique_ptr<InferRequest> request, bool wakes = true)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Wake() { wake_.NotifyOne(); }
  // As Submit, but a request that is refused comes back; null: it was taken.
  std::unique_ptr<InferRequest> Offer(std::unique_ptr<InferRequest> request)
      ABSL_LOCKS_EXCLUDED(mu_);
  // For callers that have tensors to copy before they can submit: the refusal that certainly awaits
  // a request for its deadline or its input bytes. Reserves nothing. Never blocks.
  absl::Status CheckRoom(const Plan& plan, Instant deadline, size_t input_bytes) const;
  // The client no longer wants the answer. Harmless when it was answered already. A request that
  // the device thread has not taken up gives its memory back before this returns; one that waits,
  // with the device thread's next turn; one that runs, when its batch is over.
  void CancelRequest(RequestId id) ABSL_LOCKS_EXCLUDED(mu_);

  // Has `task` run on the device thread soon; not after the engine has ended. Does not block.
  void RunSoon(std::function<void()> task) { Post(Task{std::move(task)}); }

  // From now on no request waits for company. Does not block.
  void Hurry();
  // Refuses new requests; what was accepted goes on, without waiting for company. Idempotent.
  void CloseGate() ABSL_LOCKS_EXCLUDED(mu_);
  // Refuses new requests and waits until the accepted ones are answered. kDeadlineExceeded with the
  // number left at `deadline`: these are then cancelled, and waited for. Idempotent.
  absl::Status Drain(Instant deadline) ABSL_LOCKS_EXCLUDED(mu_);

  // As of the device thread's last turn.
  Load load() const ABSL_LOCKS_EXCLUDED(mu_);
  // False while the device is lost. Without a lock.
  bool serves() const { return serves_.load(std::memory_order_relaxed); }
  // Load::requests, without a lock.
  int64_t request_count() const { return request_count_.load(std::memory_order_relaxed); }
  size_t device_pool_bytes() const { return options_.device_pool_bytes; }
  int device_id() const { return device_.id(); }
  const Core::Options& limits() const { return options_.core; }

 private:
  // Messages to the device thread.
  struct Task {
    std::function<void()> run;
  };
  struct SlotDone {
    Slot* slot;
  };
  using Message =
      std::variant<std::unique_ptr<InferRequest>, Cancel, SlotDone, HostResult, Task, TurnGranted>;

  struct ReadyAnswer {
    std::function<void(InferResponse)> done;
    const void* group = nullptr;
    InferResponse response;
  };
  struct BatchOutput {
    // In the batch's output set or the store of its sequence's state; in_place: on the host.
    acl::DevicePtr device;
    std::shared_ptr<const void> host;  // Null when no row goes there.
    std::span<std::byte> host_bytes;   // The batch's rows, which `host` keeps.
    bool own_places = false;           // Rows of some of its requests go there instead.
    bool in_place = false;             // The model writes to the host's memory itself.
  };
  struct ActiveBatch {
    Launch launch;
    Slot* slot = nullptr;   // Null once done, or given up.
    Instant begun;          // When it was launched.
    absl::Status given_up;  // Why, once it is: not done until its lane or device was stopped.
    absl::InlinedVector<BatchOutput, 2> outputs;
    memory::HostBlock controls;  // Inputs that the server made, one after the other.
    bool is_apart = false;       // Its groups run one after the other, in gears of their own.

    void Clear() {
      launch.rows.clear();
      slot = nullptr;
      given_up = absl::OkStatus();
      outputs.clear();
      controls = memory::HostBlock();
      is_apart = false;
    }
  };
  // Memory for the outputs of a subgraph's batches; see Launch::output_set.
  struct OutputSets {
    OutputLayout layout;
    std::vector<acl::DevicePtr> blocks;  // Null where one was taken away.

    size_t size_bytes() const;
  };
  using Lanes = std::vector<std::unique_ptr<Lane>>;
  // A pipeline whose steps read each other's outputs on the device.
  struct PlanMemory {
    const Plan* plan = nullptr;  // Who it is; not looked into once it was added.
    size_t arena_bytes = 0;
    std::vector<int> read;  // The subgraphs whose outputs are read, each once.
  };
  // What the lanes of a subgraph are made from.
  struct Instances {
    std::vector<acl::Model*> models;
    ReloadInstance reload;
    const Subgraph* subgraph = nullptr;
    // Null where there are no sequences. Shared because that of a lost device stays beside the new
    // one until nothing is in flight.
    std::shared_ptr<SequenceStore> sequences;
  };
  // What the engine had of a subgraph that is gone.
  struct RemovedSubgraph {
    std::unique_ptr<Subgraph> subgraph;
    Lanes lanes;
    Instances instances;
    uint64_t generation = 0;  // Of the device when the lanes were made.
  };
  struct LaneJob {
    int subgraph = 0;
    int lane = 0;
    std::unique_ptr<Lane> old_lane;
    acl::Model* model = nullptr;
    ReloadInstance reload;
    uint64_t generation = 0;
    Instant start;
    std::unique_ptr<Lane> new_lane;
  };
  struct DeviceJob {
    Instant start;
    std::vector<std::unique_ptr<Lane>> old_lanes;
    std::vector<Instances> instances;
    bool is_stopped = false;
    std::unique_ptr<memory::DevicePool> pool;
    std::vector<std::vector<std::unique_ptr<Lane>>> new_lanes;

    void Drop();
  };

  Engine(acl::Device& device, memory::HostPool& host_pool, Clock& clock, Observer& observer,
         const Options& options)
      : device_(device),
        host_pool_(host_pool),
        clock_(clock),
        observer_(observer),
        options_(options),
        core_(options.core) {}

  void OnSlotDone(Slot* slot) override;
  void OnTurnGranted(const TurnGranted& granted) override;
  // OK: `request` was moved into the queue; else it was not touched.
  absl::Status Enqueue(std::unique_ptr<InferRequest>&& request, bool wakes)
      ABSL_LOCKS_EXCLUDED(mu_);
  Lane::Options LaneOptions() const {
    return {.slots = options_.core.batches_per_lane, .small_copy_bytes = options_.small_copy_bytes};
  }
  void Post(Message message) ABSL_LOCKS_EXCLUDED(mu_);
  // Runs `task` on the device thread and waits for it.
  void RunOnDeviceThread(std::function<void()> task);
  // engine_models.cc.
  // What each gear takes; of no size when it is not known. A model that cannot be warmed up with
  // zeros may still serve what its clients send, so a failure is only told.
  absl::StatusOr<CostTable> WarmUpModel(const SubgraphSpec& spec)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(device_work_mu_);
  // On every instance, until all have run or the gate is closed.
  absl::Status RunSamplesOf(const SubgraphSpec& spec) ABSL_EXCLUSIVE_LOCKS_REQUIRED(device_work_mu_)
      ABSL_LOCKS_EXCLUDED(mu_);
  // On the device thread: a place that is free, in every table by subgraph.
  size_t FindPlace();
  // engine_remove.cc.
  void FreeLanes(RemovedSubgraph& removed) ABSL_LOCKS_EXCLUDED(mu_, device_work_mu_);

  // The device thread.
  void Run();
  std::vector<Message> NextMessages() ABSL_LOCKS_EXCLUDED(mu_);
  void TakeAll(std::vector<Message>& messages);
  void DeliverAnswers();
  void PublishLoad() ABSL_LOCKS_EXCLUDED(mu_);
  void PublishSubgraphLoad(int subgraph);
  void Take(std::unique_ptr<InferRequest> request);
  void Take(const Cancel& cancel);
  void Take(const SlotDone& done);
  void Take(HostResult result);
  void Take(const Task& task);
  void Take(const TurnGranted& granted);
  void Feed(Event event);
  // What arrived in a row is decided on together: its first does not leave alone.
  void FeedArrivals();
  void ObeyAll();
  void NoteTaken(const InferRequest& request);
  ActiveRequest& MakeActive(std::unique_ptr<InferRequest> request);
  static Arrive ArrivalOf(const InferRequest& request);
  void Obey(Launch& command);
  void Obey(const StartHostStep& command);
  void Obey(const Respond& command);
  void Obey(const Retire& command);
  void Obey(const Release& command);
  void Obey(const ArmTimer& command);
  void Obey(const AbandonLane& command);
  void Obey(const LookUp& command);
  void Obey(const AskTurn& command);
  void Obey(const ReturnTurn& command);
  void Obey(const PairVerdict& command);
  void Obey(const Unloaded& command);
  absl::Status LaunchBatch(const Launch& launch, ActiveBatch& batch);
  absl::Status MakeOutputs(const Launch& launch, ActiveBatch& batch);
  absl::StatusOr<acl::DevicePtr> OutputsBlock(const Launch& launch) const;
  // In sources_.
  std::span<const InputSource> GatherInputs(const ActiveBatch& batch);
  void GatherInput(const Launch& launch, size_t input, size_t row_bytes, InputSource& source) const;
  // engine_apart.cc.
  // Whether the model can use pinned memory as it is.
  bool IsBindable(std::span<const std::byte> host_bytes) const;
  // Whether the batch's groups are to run one after the other; then parts_ says how.
  bool MakeParts(const ActiveBatch& batch);
  bool PaysApart(const Launch& launch) const;
  // nullopt where it cannot run by itself without copies.
  std::optional<LanePart> PartOf(const ActiveBatch& batch, const Bucket& bucket,
                                 const RowGroup& group) const;
  // engine_sequences.cc.
  absl::Status MakeControls(const Launch& launch, ActiveBatch& batch);
  InputSource ServerMadeInput(const ActiveBatch& batch, int input, size_t row_bytes) const;
  // Where a batch of one row writes its new state; null for other batches and outputs.
  acl::DevicePtr StateInPlace(const Launch& launch, int output) const;
  // Where the rows of a larger batch go from this output; empty when it is no state.
  std::vector<KeptRow> StateRows(const ActiveBatch& batch, int output) const;
  // The batch was computed: its rows' new state is read next.
  void KeepState(const Launch& launch);
  void RecordBatch(const ActiveBatch& batch, const LaunchTimes& times, const absl::Status& status);
  void PlaceOutputs(const ActiveBatch& batch, bool on_host);
  // engine_places.cc.
  absl::Status MakeHostRows(const Launch& launch, size_t output, size_t row_bytes,
                            BatchOutput& target);
  // Whether the model can use pinned memory of `host_bytes` as it is: the device has no other, and
  // the batch is one request's rows without any that only fill it up.
  bool CanBindHost(const Launch& launch, std::span<const std::byte> host_bytes) const;
  // Lets the model write where the rows are wanted, if it can.
  void BindInPlace(const Launch& launch, size_t output, size_t row_bytes,
                   BatchOutput& target) const;
  // Empty unless the output has own_places.
  std::vector<HostRows> RowsToPlaces(const ActiveBatch& batch, size_t output) const;
  // Where the client of a group wants the group's rows of an output; null where it does not say, or
  // the place is too small, or a copy by the device is not worth its while.
  const OutputPlace* OwnPlace(const Launch& launch, const RowGroup& group, size_t output,
                              size_t row_bytes) const;
  bool WantedOnHost(const Launch& launch, size_t output) const;
  void FailBatch(const ActiveBatch& batch, const absl::Status& status);
  // engine_answers.cc.
  absl::Status StatusOf(const ActiveRequest& active, const Respond& respond) const;
  absl::Status RefusalStatus(const Plan& plan, const Respond& respond) const;
  void Record(const InferRequest& request, const Respond& respond, const InferResponse& response);

  // engine_early.cc: of requests that are answered several times.
  // Outputs of it came to the host.
  void NoteOutputs(RequestId id, ActiveRequest& active);
  // Answers with what came, once all that happened in this turn is known.
  void AnswerEarly();
  // What is wanted and was not given yet: of a request or part that succeeded all of it, of one
  // that is not over what is on the host.
  std::vector<ResponseOutput> OutputsToGive(ActiveRequest& active);
  void GiveEarly(const ActiveRequest& active, InferResponse response);

  // engine_limits.cc.
  // Makes the lanes of a subgraph that is added known to the rate limiter. By lane, which of them
  // need the same: Core::SubgraphOptions::lane_limits.
  absl::StatusOr<std::vector<int>> LimitLanes(int subgraph,
                                              const std::vector<InstanceLimit>& limits);
  void DropTurnClients(size_t subgraph);
  SharedRateLimiter::Client TurnClient(int subgraph, int lane) const;
  // What was granted at once is fed after the present commands.
  void NoteGranted();

  // engine_stages.cc.
  void StampBatch(const ActiveBatch& batch, const LaunchTimes& times);
  // engine_trace.cc: of requests that are traced.
  void TraceBatch(const ActiveBatch& batch, const LaunchTimes& times, int rows, int node,
                  ActiveRequest& active) const;
  static void TraceHostStep(const HostResult& result, ActiveRequest& active);
  // " trace_id=..." with those of a batch; empty where there is none.
  std::string TraceIds(const Launch& launch) const;
  void StampHostStep(const HostResult& result);
  static StageTimes StagesOf(const ActiveRequest& active, Outcome outcome, Instant answered);

  // engine_split.cc.
  void TakeSplit(std::unique_ptr<InferRequest> request, int most_rows);
  void TakePart(SplitRequest& split, size_t part, const Respond& respond, InferResponse response);
  InferResponse JoinAnswers(SplitRequest& split);
  void AnswerSplit(SplitRequest& split, const Respond& respond, InferResponse response);
  void CancelSplit(const SplitRequest& split);
  // Where a part that is alone in its batch puts an output that the client wants: to its place in
  // the whole answer. Leaves `target` as it is for other outputs.
  absl::Status PlacePart(const Launch& launch, size_t output, size_t row_bytes,
                         BatchOutput& target);

  // engine_cache.cc.
  // The digest of a step's inputs is there.
  void FinishLookUp(const HostResult& result);
  // Keeps what the batch's cached steps have made. Its outputs are on the host.
  void KeepOutputs(const ActiveBatch& batch);

  // engine_memory.cc. On the device thread:
  // Both: all of it, or on an error nothing.
  absl::Status ReserveForSubgraph(OutputSets& sets, int count);
  absl::Status ReserveForPlan(const Plan& plan);
  void ReleaseForPlan(const PlanMemory& gone);
  // Gives a subgraph so many output sets; those beyond that no batch has are freed.
  void KeepOutputSets(size_t subgraph, size_t count);
  // The sets that a subgraph has by itself: one for each batch that can be in flight.
  size_t OwnSets(size_t subgraph) const {
    return lanes_[subgraph].size() * static_cast<size_t>(options_.core.batches_per_lane);
  }
  // Everything reserved so far, in a pool that is new.
  void ReserveAgain();
  void FreeReserved();
  // Those that were outgrown, once nothing stands in them.
  void FreeOldArenas();
  absl::Status TakeBlocks(size_t size_bytes, size_t count, std::vector<acl::DevicePtr>& blocks);

  // engine_recovery.cc. On the device thread:
  // A batch failed: perhaps the device is lost.
  void NoteFailure(const absl::Status& status);
  void ProbeDevice();
  void NoteLoss(const absl::Status& cause);
  void LoseDevice(uint64_t generation, const absl::Status& cause);
  void AbandonDevice();
  void GiveUp(ActiveBatch& batch, const absl::Status& cause);
  // Tells the core that batches that were given up are over; of one lane, or all.
  void FinishAbandoned(std::optional<std::pair<int, int>> lane);
  void TakeLane(LaneJob& job);
  void TakeDevice(DeviceJob& job, int attempts);
  void Tell(DeviceIncident incident);
  // On the recovery thread:
  void MendLane(LaneJob& job) ABSL_LOCKS_EXCLUDED(device_work_mu_);
  absl::Status MakeLane(LaneJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(device_work_mu_);
  void RecoverDevice(DeviceJob& job) ABSL_LOCKS_EXCLUDED(device_work_mu_);
  absl::Status TryToRecover(DeviceJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(device_work_mu_);

  // Constant after Start.
  acl::Device& device_;
  memory::HostPool& host_pool_;
  Clock& clock_;
  Observer& observer_;
  const Options options_;
  std::unique_ptr<HostWorkers> workers_;
  std::unique_ptr<RecoveryThread> recovery_;

  // Held while streams are made or ended outside the device thread: models that are added and lanes
  // that are mended do not meet. Held across device calls, for that is what it is for.
  Mutex device_work_mu_;
  // Replaced with the device.
  std::unique_ptr<acl::CompletionThread> completions_ ABSL_GUARDED_BY(device_work_mu_);

  // Synchronises itself.
  // All relaxed: hints for who routes or checks for room, who is put right by the core's answer.
  std::atomic<bool> serves_{true};
  std::atomic<int64_t> request_count_{0};
  std::atomic<size_t> input_bytes_{0};

  // Owned by the device thread.
  Core core_;
  std::unique_ptr<memory::DevicePool> pool_;
  std::vector<std::unique_ptr<Subgraph>> subgraphs_;  // Null where one was removed.
  std::vector<PlanMemory> plans_;
  std::vector<OutputSets> output_sets_;  // By subgraph.
  acl::DevicePtr arena_;                 // See kArena.
  size_t arena_bytes_ = 0;
  std::vector<acl::DevicePtr> old_arenas_;
  std::vector<Instances> instances_;  // By subgraph.
  std::vector<int> taken_;            // Those of the next that are not 0.
  std::vector<int64_t> taken_rows_;   // By subgraph: taken up since its load was published.
  std::vector<Lanes> lanes_;          // By subgraph; null while being mended.
  Lanes retired_lanes_;               // Stopped; see MendLane.
  RecyclingMap<RequestId, ActiveRequest> active_;
  // By subgraph and, where any is limited, by lane; absent for a lane that is not.
  std::vector<std::vector<std::optional<SharedRateLimiter::Client>>> turn_clients_;
  std::vector<TurnGranted> granted_;  // Scratch of Obey.
  std::unordered_map<RequestId, SplitRequest> splits_;
  RequestId next_part_ = RequestId{1} << 63;  // Above all ids that requests bring.
  RecyclingMap<BatchId, ActiveBatch> batches_;
  // Scratch of one launch and of one event, so that these do not allocate.
  std::vector<InputSource> sources_;
  std::vector<OutputTarget> targets_;
  std::vector<LanePart> parts_;
  std::vector<Command> commands_;
  std::vector<Event> arrivals_;       // Noted, and not yet fed.
  std::vector<RequestId> news_;       // Of this turn; see NoteOutputs.
  std::vector<ReadyAnswer> answers_;  // Of this turn; delivered at its end.
  std::vector<Event> own_events_;  // Failures found while obeying, fed after the present commands.
  Instant timer_ = Instant::max();
  absl::Status loss_;  // Why the device is lost; OK while it is not.
  bool probing_ = false;

  mutable Mutex mu_;
  CondVar wake_;
  CondVar progressed_;  // load_ or removed_ changed.
  std::vector<Message> messages_ ABSL_GUARDED_BY(mu_);
  bool gate_closed_ ABSL_GUARDED_BY(mu_) = false;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  size_t submitted_ ABSL_GUARDED_BY(mu_) = 0;  // Requests in messages_.
  Load load_ ABSL_GUARDED_BY(mu_);
  std::vector<RemovedSubgraph> removed_ ABSL_GUARDED_BY(mu_);  // Until who asked takes them.
  bool idle_ ABSL_GUARDED_BY(mu_) = true;
  size_t drain_cancelled_ ABSL_GUARDED_BY(mu_) = 0;

  std::jthread thread_;
};

}  // namespace omserve::scheduler
