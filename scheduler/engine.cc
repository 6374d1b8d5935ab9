// SPDX-License-Identifier: Apache-2.0
#include "scheduler/engine.h"

#include <algorithm>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"

namespace omserve::scheduler {
namespace {

// After a drain's deadline the rest is cancelled; what runs on the device then still has to end.
constexpr std::chrono::seconds kCancelGrace{5};
// For the bound on input bytes, where it is noticed before the core could predict anything.
constexpr std::chrono::milliseconds kBytesRetry{10};
// A cancellation looks through so many messages at most for its request: the device thread finds
// the others.
constexpr size_t kMostLookedThrough = 1024;

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Start(acl::Device& device,
                                                      memory::HostPool& host_pool, Clock& clock,
                                                      Observer& observer, const Options& options) {
  RETURN_IF_ERROR(device.Bind());
  std::unique_ptr<Engine> engine(  // NOLINT: private constructor.
      new Engine(device, host_pool, clock, observer, options));
  {
    const MutexLock lock(engine->device_work_mu_);
    ASSIGN_OR_RETURN(engine->completions_, acl::CompletionThread::Start(device));
  }
  ASSIGN_OR_RETURN(engine->pool_, memory::DevicePool::Create(device, options.device_pool_bytes));
  Engine* self = engine.get();
  engine->workers_ =
      std::make_unique<HostWorkers>(std::max(1, options.host_workers), host_pool, clock,
                                    [self](HostResult result) { self->Post(std::move(result)); });
  engine->recovery_ =
      std::make_unique<RecoveryThread>("recover-" + std::to_string(device.id()), clock);
  engine->thread_ = StartThread("device-" + std::to_string(device.id()), [self] { self->Run(); });
  return engine;
}

Engine::~Engine() {
  workers_.reset();
  recovery_.reset();  // Its jobs need the device thread.
  {
    const MutexLock lock(mu_);
    OMSERVE_CHECK(!thread_.joinable() || idle_, "an engine is drained before it is destroyed");
    stop_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) {
    thread_.join();
  }
  const MutexLock lock(device_work_mu_);
  completions_.reset();
}

absl::Status Engine::CheckRoom(const Plan& plan, Instant deadline, size_t input_bytes) const {
  if (const Instant now = clock_.Now(); deadline <= now) {
    return RefusalStatus(
        plan, {.refusal = {.reason = RefusalReason::kDeadlinePassed}, .late_by = now - deadline});
  }
  const size_t held = input_bytes_.load(std::memory_order_relaxed);
  const size_t most = options_.core.max_input_bytes;
  if (most > 0 && held > 0 && held + input_bytes > most) {
    return RefusalStatus(
        plan, {.refusal = {.reason = RefusalReason::kQueueBytes, .retry_after = kBytesRetry}});
  }
  return absl::OkStatus();
}

absl::Status Engine::Submit(std::unique_ptr<InferRequest> request, bool wakes) {
  return Enqueue(std::move(request), wakes);
}

std::unique_ptr<InferRequest> Engine::Offer(std::unique_ptr<InferRequest> request) {
  Enqueue(std::move(request), /*wakes=*/true).IgnoreError();
  return request;
}

absl::Status Engine::Enqueue(std::unique_ptr<InferRequest>&& request, bool wakes) {
  if (const Instant now = clock_.Now(); request->deadline <= now) {
    return RefusalStatus(*request->plan, {.refusal = {.reason = RefusalReason::kDeadlinePassed},
                                          .late_by = now - request->deadline});
  }
  std::optional<RefusalReason> refused;
  {
    const MutexLock lock(mu_);
    if (gate_closed_) {
      refused = RefusalReason::kDraining;
    } else if (submitted_ >= options_.max_messages) {
      refused = RefusalReason::kQueueMessages;
    } else {
      ++submitted_;
      idle_ = false;
      for (const PlanNode& node : request->plan->nodes) {
        if (node.on_device()) {
          node.subgraph->load->sent_rows.fetch_add(request->rows, std::memory_order_relaxed);
        }
      }
      messages_.emplace_back(std::move(request));
    }
  }
  if (refused.has_value()) {
    return RefusalStatus(*request->plan, {.refusal = {.reason = *refused}});
  }
  if (wakes) {
    Wake();
  }
  return absl::OkStatus();
}

void Engine::CancelRequest(RequestId id) {
  std::vector<RequestInput> freed;  // Outside the lock.
  {
    const MutexLock lock(mu_);
    // The newest first: who gives up at once is the one that still waits here.
    const size_t first = messages_.size() - std::min(messages_.size(), kMostLookedThrough);
    for (size_t at = messages_.size(); at-- > first;) {
      auto* const request = std::get_if<std::unique_ptr<InferRequest>>(&messages_[at]);
      if (request != nullptr && *request != nullptr && (*request)->id == id) {
        (*request)->cancelled = true;
        freed = std::move((*request)->inputs);
        return;
      }
    }
  }
  Post(Cancel{id});
}

void Engine::Hurry() {
  Post(Task{[this] { Feed(scheduler::Hurry{}); }});
}

void Engine::CloseGate() {
  {
    const MutexLock lock(mu_);
    gate_closed_ = true;
  }
  Post(Task{[this] { Feed(scheduler::Drain{}); }});
}

absl::Status Engine::Drain(Instant deadline) {
  CloseGate();
  {
    const MutexLock lock(mu_);
    while (!idle_ && clock_.WaitUntil(progressed_, mu_, deadline)) {
    }
    if (idle_) {
      return absl::OkStatus();
    }
  }
  Post(Task{[this] {
    std::vector<RequestId> unanswered;
    for (auto& [id, active] : active_) {
      active.failure = Unavailable("the server shut down before the request was finished");
      unanswered.push_back(id);
    }
    for (const RequestId id : unanswered) {
      Feed(Cancel{id});
    }
    // Counted here, where requests that were still on their way have arrived.
    const MutexLock lock(mu_);
    drain_cancelled_ = unanswered.size();
  }});
  const Instant grace = clock_.Now() + kCancelGrace;
  const MutexLock lock(mu_);
  while (!idle_ && clock_.WaitUntil(progressed_, mu_, grace)) {
  }
  return DeadlineExceeded("{} requests were unfinished when the drain's time was over",
                          std::max(drain_cancelled_, load_.requests));
}

void Engine::OnSlotDone(Slot* slot) { Post(SlotDone{slot}); }

void Engine::Post(Message message) {
  {
    const MutexLock lock(mu_);
    messages_.push_back(std::move(message));
  }
  wake_.NotifyOne();
}

void Engine::RunOnDeviceThread(std::function<void()> task) {
  Mutex mu;
  CondVar ran;
  bool done = false;
  Post(Task{[&] {
    task();
    const MutexLock lock(mu);
    done = true;
    ran.NotifyOne();  // Under the lock: `ran` dies as soon as the waiter sees `done`.
  }});
  const MutexLock lock(mu);
  while (!done) {
    ran.Wait(mu);
  }
}

// ---- The device thread ----

void Engine::Run() {
  const absl::Status bound = device_.Bind();
  OMSERVE_CHECK(bound.ok(), "the device's context can be bound to a thread");
  while (true) {
    std::vector<Message> messages = NextMessages();
    if (messages.empty() && clock_.Now() < timer_) {
      break;  // Stopped.
    }
    if (clock_.Now() >= timer_) {
      timer_ = Instant::max();
      Feed(TimerFired{});
    }
    TakeAll(messages);
    AnswerEarly();
    DeliverAnswers();
    PublishLoad();
  }
  lanes_.clear();
  retired_lanes_.clear();
  {
    const MutexLock lock(mu_);
    removed_.clear();  // Of who did not wait for it.
  }
  instances_.clear();  // State of sequences is the device's too.
  FreeReserved();
  pool_.reset();
}

std::vector<Engine::Message> Engine::NextMessages() {
  std::vector<Message> messages;
  const MutexLock lock(mu_);
  while (messages_.empty() && !stop_ && clock_.WaitUntil(wake_, mu_, timer_)) {
  }
  messages.swap(messages_);
  submitted_ = 0;
  return messages;
}

void Engine::TakeAll(std::vector<Message>& messages) {
  for (Message& message : messages) {
    if (!std::holds_alternative<std::unique_ptr<InferRequest>>(message)) {
      FeedArrivals();
    }
    std::visit([this](auto& m) { Take(std::move(m)); }, message);
  }
  FeedArrivals();
}

void Engine::Take(std::unique_ptr<InferRequest> request) {
  NoteTaken(*request);
  if (request->cancelled) {
    const RequestId id = request->id;
    MakeActive(std::move(request));
    Obey(Respond{.request = id, .outcome = Outcome::kCancelled});
    Obey(Retire{id});
    return;
  }
  const int most_rows = request->plan->RowsPerBatch(request->buckets);
  if (request->rows > most_rows) {
    FeedArrivals();  // It does not overtake them.
    TakeSplit(std::move(request), most_rows);
    return;
  }
  arrivals_.push_back(ArrivalOf(*request));
  MakeActive(std::move(request));
}

Arrive Engine::ArrivalOf(const InferRequest& request) {
  size_t input_bytes = 0;
  for (const RequestInput& input : request.inputs) {
    input_bytes += input.bytes.size();
  }
  return {.request = request.id,
          .plan = request.plan,
          .buckets = request.buckets,
          .rows = request.rows,
          .priority = request.priority,
          .deadline = request.deadline,
          .delay_at = request.delay_at,
          .sequence = request.sequence,
          .input_bytes = input_bytes};
}

ActiveRequest& Engine::MakeActive(std::unique_ptr<InferRequest> request) {
  ActiveRequest& active = active_.Add(request->id);
  active.in = std::move(request);
  active.arrived = clock_.Now();
  const InferRequest& in = *active.in;
  active.places.resize(in.plan->tensors.size());
  active.stamps.resize(in.plan->nodes.size());
  for (size_t i = 0; i < in.inputs.size(); ++i) {
    TensorPlace& place = active.places[static_cast<size_t>(in.plan->inputs[i])];
    place.host = in.inputs[i].bytes;
    place.host_dims = in.inputs[i].dims;
    place.padding_elements = in.inputs[i].padding_elements;
  }
  return active;
}

void Engine::Take(const Cancel& cancel) {
  const auto split = splits_.find(cancel.request);
  if (split != splits_.end()) {
    CancelSplit(split->second);
    return;
  }
  if (options_.diversion != nullptr && active_.find(cancel.request) == active_.end()) {
    options_.diversion->CancelDiverted(cancel.request);
    return;
  }
  Feed(cancel);
}

void Engine::Take(const SlotDone& done) {
  const auto found = batches_.find(done.slot->batch);
  if (found == batches_.end() || found->second.slot != done.slot) {
    return;  // Of a lane that was given up; its slots are kept for this.
  }
  ActiveBatch& batch = found->second;
  const Launch& launch = batch.launch;
  LaunchTimes times;
  const absl::Status status =
      lanes_[static_cast<size_t>(launch.subgraph)][static_cast<size_t>(launch.lane)]->Finish(
          batch.slot, &times);
  batch.slot = nullptr;
  if (status.ok()) {
    PlaceOutputs(batch, /*on_host=*/true);
    KeepState(launch);
    KeepOutputs(batch);
  } else {
    FailBatch(batch, status);
    NoteFailure(status);
  }
  StampBatch(batch, times);
  RecordBatch(batch, times, status);
  Clock::duration device_time{0};
  if (times.compute_start.has_value() && times.compute_end.has_value() &&
      *times.compute_end > *times.compute_start) {
    device_time = std::chrono::microseconds(*times.compute_end - *times.compute_start);
  }
  Feed(BatchDone{.batch = launch.batch, .ok = status.ok(), .device_time = device_time});
}

void Engine::Take(HostResult result) {
  if (result.digest.has_value()) {
    FinishLookUp(result);
    return;
  }
  StampHostStep(result);
  ActiveRequest& active = active_.at(result.request);
  const PlanNode& node = active.in->plan->nodes[static_cast<size_t>(result.node)];
  if (result.status.ok()) {
    for (size_t i = 0; i < result.outputs.size(); ++i) {
      if (node.outputs[i] < 0) {
        continue;
      }
      HostTensor& made = result.outputs[i];
      auto owner = std::make_shared<memory::HostBlock>(std::move(made.block));
      TensorPlace& place = active.places[static_cast<size_t>(node.outputs[i])];
      place.host = owner->bytes().first(made.size_bytes);
      place.host_dims = std::move(made.dims);
      place.owner = std::move(owner);
    }
    NoteOutputs(result.request, active);
  } else if (active.failure.ok()) {
    active.failure = WithContext(result.status, "step '" + node.name + "'");
  }
  if (active.in->trace) {
    TraceHostStep(result, active);
  }
  Feed(HostStepDone{.request = result.request, .node = result.node, .ok = result.status.ok()});
}

void Engine::Take(const Task& task) { task.run(); }

void Engine::Feed(Event event) {
  own_events_.push_back(std::move(event));
  ObeyAll();
}

void Engine::FeedArrivals() {
  if (arrivals_.empty()) {
    return;
  }
  commands_.clear();
  core_.Handle(arrivals_, clock_.Now(), &commands_);
  arrivals_.clear();
  for (Command& command : commands_) {
    std::visit([this](auto& c) { Obey(c); }, command);
  }
  ObeyAll();
}

void Engine::ObeyAll() {
  // Obeying may add events (a launch that fails): they are fed after the commands at hand.
  for (size_t next = 0; next < own_events_.size(); ++next) {
    const Event current = std::move(own_events_[next]);
    commands_.clear();
    if (std::holds_alternative<DeviceLost>(current)) {
      AbandonDevice();  // Before the core answers the requests: their failure is noted here.
    }
    core_.Handle(current, clock_.Now(), &commands_);
    for (Command& command : commands_) {
      std::visit([this](auto& c) { Obey(c); }, command);
    }
  }
  own_events_.clear();
}

void Engine::Obey(const StartHostStep& command) {
  ActiveRequest& active = active_.at(command.request);
  const PlanNode& node = active.in->plan->nodes[static_cast<size_t>(command.node)];
  HostTask task{.request = command.request,
                .node = command.node,
                .op = node.op.get(),
                .rows = active.in->rows};
  for (const int tensor : node.inputs) {
    const TensorPlace& place = active.places[static_cast<size_t>(tensor)];
    task.inputs.push_back({.dims = place.host_dims, .bytes = place.host});
  }
  workers_->Submit(std::move(task));
}

void Engine::Obey(const Retire& command) {
  const auto found = active_.find(command.request);
  SplitRequest* split = found->second.split;
  active_.Erase(found);
  if (split != nullptr && --split->unretired == 0) {
    splits_.erase(split->in->id);
  }
}

void Engine::Obey(const ArmTimer& command) { timer_ = command.at; }

}  // namespace omserve::scheduler
