// SPDX-License-Identifier: Apache-2.0
// The engine when a stream hangs or the device is lost: what is in flight is given up, lanes are
// made anew on the recovery thread, and come back into service.
//
// Who may touch what: the device thread gives lanes and pool away with a job and gets new ones back
// by a task. The generation of the device tells whether what a job holds is still of this life.
#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/acl/device_error.h"
#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "scheduler/engine.h"

namespace omserve::scheduler {
namespace {

// A lane that cannot be made again in so many attempts is taken as a sign that the device is lost.
constexpr int kLaneAttempts = 3;

int64_t Ms(Clock::duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

}  // namespace

// ---- The device thread ----

void Engine::Tell(DeviceIncident incident) {
  incident.device = device_.id();
  observer_.OnIncident(incident);
}

void Engine::NoteFailure(const absl::Status& status) {
  switch (acl::DeviceStateAfter(status)) {
    case acl::DeviceState::kUsable:
      break;
    case acl::DeviceState::kDoubtful:
      ProbeDevice();
      break;
    case acl::DeviceState::kLost:
      NoteLoss(status);
      break;
  }
}

void Engine::ProbeDevice() {
  if (probing_ || core_.device_lost()) {
    return;
  }
  probing_ = true;
  recovery_->Submit([this, generation = device_.generation()] {
    absl::Status status = device_.Bind();
    if (status.ok()) {
      status = device_.Probe();
    }
    Post(Task{[this, generation, status] {
      probing_ = false;
      if (!status.ok()) {
        LoseDevice(generation, status);
      }
    }});
  });
}

// Only fed here: commands at hand may still name lanes, which then are still there.
void Engine::NoteLoss(const absl::Status& cause) {
  if (!core_.device_lost() && loss_.ok()) {
    loss_ = cause;
    own_events_.emplace_back(DeviceLost{});
  }
}

void Engine::LoseDevice(uint64_t generation, const absl::Status& cause) {
  if (generation == device_.generation() && !core_.device_lost()) {
    loss_ = cause;
    Feed(DeviceLost{});
  }
}

void Engine::GiveUp(ActiveBatch& batch, const absl::Status& cause) {
  batch.slot = nullptr;
  if (batch.given_up.ok()) {  // Else it failed by itself, and what became of it is the reason.
    batch.given_up = cause;
  }
  for (const RowGroup& group : batch.launch.rows) {
    ActiveRequest& active = active_.at(group.request);
    active.failure = WithContext(
        cause, "step '" + active.in->plan->nodes[static_cast<size_t>(group.node)].name + "'");
  }
}

void Engine::Obey(const AbandonLane& command) {
  const auto s = static_cast<size_t>(command.subgraph);
  const auto l = static_cast<size_t>(command.lane);
  const Subgraph& subgraph = *subgraphs_[s];
  const absl::Status cause =
      command.batch == 0
          ? Unavailable("the stream took no more work and was given up; a retry can help")
          : Unavailable(
                "the stream hung: a batch did not finish in {} ms and was given up; a retry "
                "can help",
                Ms(command.ran));
  OMSERVE_LOG(kError, "scheduler",
              "lane abandoned model={} version={} lane={} stream={} error=\"{}\"", subgraph.name,
              subgraph.version, command.lane, lanes_[s][l]->compute_stream_id(), MessageOf(cause));
  size_t requests = 0;
  for (auto& [id, batch] : batches_) {
    const bool is_on_lane =
        batch.launch.subgraph == command.subgraph && batch.launch.lane == command.lane;
    if (is_on_lane && (batch.slot != nullptr || !batch.given_up.ok())) {
      GiveUp(batch, cause);
      requests += batch.launch.rows.size();
    }
  }
  Tell({.kind = DeviceIncident::Kind::kLaneAbandoned,
        .subgraph = &subgraph,
        .lane = command.lane,
        .requests = requests,
        .cause = cause});
  auto job = std::make_shared<LaneJob>(LaneJob{.subgraph = command.subgraph,
                                               .lane = command.lane,
                                               .old_lane = std::move(lanes_[s][l]),
                                               .model = instances_[s].models[l],
                                               .reload = instances_[s].reload,
                                               .generation = device_.generation(),
                                               .start = clock_.Now()});
  recovery_->Submit([this, job] { MendLane(*job); });
}

void Engine::AbandonDevice() {
  serves_.store(false, std::memory_order_relaxed);
  device_.Abandon();
  const absl::Status cause = loss_;
  OMSERVE_LOG(kError, "scheduler", "device lost device={} requests={} error=\"{}\"", device_.id(),
              active_.size(), MessageOf(cause));
  for (auto& [id, batch] : batches_) {
    if (batch.slot != nullptr || !batch.given_up.ok()) {
      GiveUp(batch, cause);
    }
  }
  Tell({.kind = DeviceIncident::Kind::kDeviceLost, .requests = active_.size(), .cause = cause});
  auto job = std::make_shared<DeviceJob>();
  job->start = clock_.Now();
  job->instances = instances_;
  for (std::vector<std::unique_ptr<Lane>>& lanes : lanes_) {
    for (std::unique_ptr<Lane>& lane : lanes) {
      if (lane != nullptr) {
        job->old_lanes.push_back(std::move(lane));
      }
    }
  }
  recovery_->Submit([this, job] { RecoverDevice(*job); });
}

void Engine::FinishAbandoned(std::optional<std::pair<int, int>> lane) {
  std::vector<BatchId> finished;
  for (const auto& [id, batch] : batches_) {
    if (!batch.given_up.ok() &&
        (!lane.has_value() || *lane == std::pair(batch.launch.subgraph, batch.launch.lane))) {
      finished.push_back(id);
    }
  }
  std::sort(finished.begin(), finished.end());
  for (const BatchId id : finished) {
    ActiveBatch& batch = batches_.at(id);
    const absl::Status why = std::exchange(batch.given_up, absl::OkStatus());
    RecordBatch(batch, {}, why);
    Feed(BatchDone{.batch = id, .ok = false});
  }
}

// ---- The recovery thread ----

void Engine::MendLane(LaneJob& job) {
  const MutexLock lock(device_work_mu_);
  absl::Status status = device_.Bind();
  if (status.ok()) {
    status = job.old_lane->Stop();
  }
  // Kept for good: a completion of it may still be on its way. It holds nothing of the device.
  const auto retired = std::make_shared<std::unique_ptr<Lane>>(std::move(job.old_lane));
  Post(Task{[this, retired] { retired_lanes_.push_back(std::move(*retired)); }});
  if (status.ok()) {
    Post(Task{[this, generation = job.generation, s = job.subgraph, l = job.lane] {
      if (generation == device_.generation()) {  // Else all is finished with the device's reset.
        FinishAbandoned(std::pair(s, l));
      }
    }});
    status = MakeLane(job);
  }
  if (!status.ok()) {
    Post(Task{[this, generation = job.generation, status] {
      LoseDevice(generation, WithContext(status, "a lane that hung could not be mended"));
    }});
    return;
  }
  auto made = std::make_shared<LaneJob>(std::move(job));
  Post(Task{[this, made] { TakeLane(*made); }});
}

absl::Status Engine::MakeLane(LaneJob& job) {
  absl::Status status;
  for (int attempt = 1; attempt <= kLaneAttempts; ++attempt) {
    if (attempt > 1 && !recovery_->Pause(options_.recovery.first_pause)) {
      return status;
    }
    // A stream that was destroyed by force says nothing of what the model's own streams are in.
    if (job.reload) {
      absl::StatusOr<acl::Model*> model = job.reload(static_cast<size_t>(job.lane));
      status = model.status();
      if (!model.ok()) {
        continue;
      }
      job.model = *model;
    }
    absl::StatusOr<std::unique_ptr<Lane>> lane =
        Lane::Create(device_, *completions_, *job.model, LaneOptions(), *this);
    status = lane.status();
    if (lane.ok()) {
      job.new_lane = *std::move(lane);
      return status;
    }
  }
  return status;
}

void Engine::TakeLane(LaneJob& job) {
  if (job.generation != device_.generation()) {
    return;  // The device was lost meanwhile, and the new lane with it.
  }
  const auto s = static_cast<size_t>(job.subgraph);
  const auto l = static_cast<size_t>(job.lane);
  lanes_[s][l] = std::move(job.new_lane);
  instances_[s].models[l] = job.model;
  const Clock::duration took = clock_.Now() - job.start;
  OMSERVE_LOG(kInfo, "scheduler", "lane mended model={} version={} lane={} ms={}",
              subgraphs_[s]->name, subgraphs_[s]->version, job.lane, Ms(took));
  Tell({.kind = DeviceIncident::Kind::kLaneMended,
        .subgraph = subgraphs_[s].get(),
        .lane = job.lane,
        .took = took});
  Feed(LaneUp{job.subgraph, job.lane});
}

void Engine::RecoverDevice(DeviceJob& job) {
  const MutexLock lock(device_work_mu_);
  for (const std::unique_ptr<Lane>& lane : job.old_lanes) {
    lane->Stop().IgnoreError();  // Of a device that was abandoned: it only lets go.
  }
  completions_.reset();
  const auto retired =
      std::make_shared<std::vector<std::unique_ptr<Lane>>>(std::move(job.old_lanes));
  Post(Task{[this, retired] {
    for (std::unique_ptr<Lane>& lane : *retired) {
      retired_lanes_.push_back(std::move(lane));
    }
  }});
  Clock::duration pause = options_.recovery.first_pause;
  for (int attempt = 1;; ++attempt) {
    const absl::Status status = TryToRecover(job);
    if (status.ok()) {
      RunOnDeviceThread([this, &job, attempt] { TakeDevice(job, attempt); });
      return;
    }
    device_.Abandon();  // What the attempt has made is void.
    job.Drop();
    const bool gives_up = options_.recovery.attempts > 0 && attempt >= options_.recovery.attempts;
    OMSERVE_LOG(kError, "scheduler",
                "device not recovered device={} attempt={} next_ms={} error=\"{}\"", device_.id(),
                attempt, gives_up ? 0 : Ms(pause), MessageOf(status));
    Post(Task{[this, status, attempt, gives_up] {
      Tell({.kind = gives_up ? DeviceIncident::Kind::kRecoveryGivenUp
                             : DeviceIncident::Kind::kRecoveryFailed,
            .attempts = attempt,
            .cause = status});
    }});
    if (gives_up || !recovery_->Pause(pause)) {
      return;
    }
    pause = std::min(2 * pause, options_.recovery.longest_pause);
  }
}

absl::Status Engine::TryToRecover(DeviceJob& job) {
  RETURN_IF_ERROR(device_.Reset());
  if (!job.is_stopped) {
    // From here on the device touches none of our memory.
    RunOnDeviceThread([this] {
      FinishAbandoned(std::nullopt);
      FreeReserved();
      pool_.reset();
    });
    job.is_stopped = true;
  }
  RETURN_IF_ERROR(device_.Reopen());
  ASSIGN_OR_RETURN(completions_, acl::CompletionThread::Start(device_));
  ASSIGN_OR_RETURN(job.pool, memory::DevicePool::Create(device_, options_.device_pool_bytes));
  for (Instances& instances : job.instances) {
    std::vector<std::unique_ptr<Lane>>& lanes = job.new_lanes.emplace_back();
    for (size_t i = 0; i < instances.models.size(); ++i) {
      if (!instances.reload) {
        return FailedPrecondition("models of this engine cannot be loaded again");
      }
      ASSIGN_OR_RETURN(instances.models[i], instances.reload(i));
      ASSIGN_OR_RETURN(
          std::unique_ptr<Lane> lane,
          Lane::Create(device_, *completions_, *instances.models[i], LaneOptions(), *this));
      lanes.push_back(std::move(lane));
    }
    if (instances.sequences != nullptr) {
      ASSIGN_OR_RETURN(instances.sequences,
                       SequenceStore::Create(device_, *instances.subgraph,
                                             static_cast<int>(instances.models.size())));
    }
  }
  return absl::OkStatus();
}

void Engine::DeviceJob::Drop() {
  new_lanes.clear();
  pool.reset();
}

// On the device thread.
void Engine::TakeDevice(DeviceJob& job, int attempts) {
  const absl::Status bound = device_.Bind();
  OMSERVE_CHECK(bound.ok(), "the context of a device just opened can be bound");
  for (const std::unique_ptr<Lane>& lane : retired_lanes_) {
    lane->FreeHostMemory();  // Not before: it takes a context.
  }
  pool_ = std::move(job.pool);
  ReserveAgain();
  lanes_ = std::move(job.new_lanes);
  instances_ = std::move(job.instances);
  const Clock::duration took = clock_.Now() - job.start;
  OMSERVE_LOG(kWarning, "scheduler", "device recovered device={} attempts={} ms={}", device_.id(),
              attempts, Ms(took));
  loss_ = absl::OkStatus();
  Feed(DeviceBack{});
  serves_.store(true, std::memory_order_relaxed);
  Tell({.kind = DeviceIncident::Kind::kDeviceRecovered, .attempts = attempts, .took = took});
}

}  // namespace omserve::scheduler
