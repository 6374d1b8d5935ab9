// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/health_service.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "proto/health/health.grpc.pb.h"
#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
#include "server/grpc/grpc_status.h"
#include "server/grpc/guard.h"

namespace omserve::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ServingStatus = HealthCheckResponse::ServingStatus;

constexpr char kInferenceService[] = "inference.GRPCInferenceService";
// No folder is named so, and a model has its folder's name.
constexpr std::string_view kWords = "omserve/";

// Whether one of the four words on the daemon holds; nullopt for any other word.
std::optional<bool> Holds(const FrontDoor& door, std::string_view word) {
  if (word == "live") {
    return door.lifecycle.live();
  }
  if (word == "started") {
    return door.lifecycle.started();
  }
  if (word == "ready") {
    return door.lifecycle.ready();
  }
  if (word == "converged") {
    return door.readiness.IsConverged();
  }
  return std::nullopt;
}

// SERVICE_UNKNOWN for a name that is neither the daemon's nor a model's.
ServingStatus StatusOf(const FrontDoor& door, const std::string& service) {
  std::optional<bool> serving;
  if (service.empty() || service == kInferenceService) {
    serving = door.lifecycle.ready();
  } else if (service.starts_with(kWords)) {
    serving = Holds(door, std::string_view(service).substr(kWords.size()));
  } else {
    const absl::StatusOr<bool> model_ready = door.readiness.IsModelReady(service, "");
    if (model_ready.status().code() != absl::StatusCode::kNotFound) {
      serving = model_ready.value_or(false);
    }
  }
  if (!serving.has_value()) {
    return HealthCheckResponse::SERVICE_UNKNOWN;
  }
  return *serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

// Watch ends when the client goes or the daemon stops, so it must not hold a thread meanwhile.
class HealthService final
    : public grpc::health::v1::Health::WithAsyncMethod_Watch<grpc::health::v1::Health::Service> {
 public:
  explicit HealthService(const FrontDoor& door) : door_(door) {}

  grpc::Status Check(grpc::ServerContext* context, const HealthCheckRequest* request,
                     HealthCheckResponse* response) override {
    return Guarded(door_, context, MethodGroup::kHealth, [&]() -> absl::Status {
      const ServingStatus status = StatusOf(door_, request->service());
      if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
        return NotFound("service '{}' is unknown; \"\" is the daemon, any other name is a model's",
                        request->service().substr(0, 256));
      }
      response->set_status(status);
      return absl::OkStatus();
    });
  }

 private:
  const FrontDoor& door_;
};

// One Watch call. It owns itself until its last tag; the lifecycle holds it weakly, and holds it
// for the length of a call to OnLifecycle.
//
// Writes and Finish are started outside the lock, one at a time: Next says what is to be done and
// marks it as being done, and Finish waits for a write under way. After Finish nothing is started.
class WatchCall final : public LifecycleListener {
 public:
  WatchCall(HealthService& service, const FrontDoor& door, CallQueue& queue)
      : service_(service),
        door_(door),
        queue_(queue),
        received_(this),
        over_(this),
        written_event_(this),
        finished_event_(this),
        writer_(&context_) {}

  // Asks gRPC for the next call.
  static void Await(HealthService& service, const FrontDoor& door, CallQueue& queue) {
    auto call = std::make_shared<WatchCall>(service, door, queue);
    call->self_ = call;
    call->context_.AsyncNotifyWhenDone(&call->over_);
    service.RequestWatch(&call->context_, &call->request_, &call->writer_, queue.get(), queue.get(),
                         &call->received_);
  }

  void OnLifecycle(LifecycleState state) override ABSL_LOCKS_EXCLUDED(mu_) {
    {
      const MutexLock lock(mu_);
      // States only move forward; the first may be told after a later one.
      state_ = std::max(state_, state);
      // Asked for anew: two threads may tell of changes, and the later one need not come later.
      wanted_ = StatusOf(door_, request_.service());
      stopped_ = state_ == LifecycleState::kStopped;
    }
    Proceed();
  }

 private:
  void OnReceived(bool ok) {
    if (!ok) {
      self_.reset();  // The server is shut down; no other tag comes.
      return;
    }
    Await(service_, door_, queue_);
    if (const absl::Status allowed = Guard(door_, context_, MethodGroup::kHealth).status();
        !allowed.ok()) {
      {
        const MutexLock lock(mu_);
        finished_ = true;
      }
      Finish(allowed);
      return;
    }
    OnLifecycle(door_.lifecycle.AddListener(self_));
  }

  void OnWritten(bool ok) ABSL_LOCKS_EXCLUDED(mu_) {
    {
      const MutexLock lock(mu_);
      writing_ = false;
      broken_ = broken_ || !ok;
    }
    Proceed();
  }

  // The client is gone, or the call was finished.
  void OnOver(bool /*ok*/) ABSL_LOCKS_EXCLUDED(mu_) {
    {
      const MutexLock lock(mu_);
      broken_ = true;
    }
    Proceed();
    End();
  }

  void OnFinished(bool /*ok*/) { End(); }

  // Both come in any case, and nothing of gRPC's after the second.
  void End() {
    if (++ends_ == 2) {
      self_.reset();
    }
  }

  enum class Step { kNothing, kWrite, kFinish };

  void Proceed() ABSL_LOCKS_EXCLUDED(mu_) {
    Step step = Step::kNothing;
    {
      const MutexLock lock(mu_);
      step = NextLocked();
    }
    switch (step) {
      case Step::kNothing:
        break;
      case Step::kWrite:
        Write();
        break;
      case Step::kFinish:
        Finish(Unavailable("the server is shutting down"));
        break;
    }
  }

  // Where the queue is shut down already nothing is begun, and counts as ended.
  void Write() ABSL_LOCKS_EXCLUDED(mu_) {
    if (queue_.WhileOpen([this] { writer_.Write(response_, &written_event_); })) {
      return;
    }
    {
      const MutexLock lock(mu_);
      finished_ = true;
    }
    End();
  }
  void Finish(const absl::Status& status) {
    if (!queue_.WhileOpen([&] { writer_.Finish(ToGrpcStatus(status), &finished_event_); })) {
      End();
    }
  }

  Step NextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (finished_ || writing_) {
      return Step::kNothing;
    }
    // A stop that comes while a write is under way still tells the watcher of it before the end.
    if (broken_ || (stopped_ && written_ == wanted_)) {
      finished_ = true;
      return Step::kFinish;
    }
    if (written_ == wanted_) {
      return Step::kNothing;
    }
    written_ = wanted_;
    writing_ = true;
    response_.set_status(wanted_);
    return Step::kWrite;
  }

  HealthService& service_;
  const FrontDoor& door_;
  CallQueue& queue_;
  std::shared_ptr<WatchCall> self_;  // Until the last end, which resets it.
  std::atomic<int> ends_ = 0;
  MemberEvent<WatchCall, &WatchCall::OnReceived> received_;
  MemberEvent<WatchCall, &WatchCall::OnOver> over_;
  MemberEvent<WatchCall, &WatchCall::OnWritten> written_event_;
  MemberEvent<WatchCall, &WatchCall::OnFinished> finished_event_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_;
  HealthCheckResponse response_;  // gRPC's while writing_.

  Mutex mu_;
  LifecycleState state_ ABSL_GUARDED_BY(mu_) = LifecycleState::kStarting;
  ServingStatus wanted_ ABSL_GUARDED_BY(mu_) = HealthCheckResponse::UNKNOWN;
  std::optional<ServingStatus> written_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;  // The daemon ends.
  bool broken_ ABSL_GUARDED_BY(mu_) = false;   // The client is gone.
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace

HealthMethods MakeHealthService(const FrontDoor& door) {
  auto service = std::make_unique<HealthService>(door);
  auto await_watches = [raw = service.get(), &door](CallQueue& queue) {
    WatchCall::Await(*raw, door, queue);
  };
  return {std::move(service), std::move(await_watches)};
}

}  // namespace omserve::server
