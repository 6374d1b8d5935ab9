// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/health_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "proto/health/health.grpc.pb.h"
#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
#include "server/grpc/grpc_status.h"

namespace omserve::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ServingStatus = HealthCheckResponse::ServingStatus;

constexpr char kInferenceService[] = "inference.GRPCInferenceService";

// SERVICE_UNKNOWN for a name that is neither the daemon nor a model.
ServingStatus StatusOf(const Readiness& readiness, const std::string& service, bool ready) {
  bool serving = ready;
  if (!service.empty() && service != kInferenceService) {
    const absl::StatusOr<bool> model_ready = readiness.IsModelReady(service, "");
    if (model_ready.status().code() == absl::StatusCode::kNotFound) {
      return HealthCheckResponse::SERVICE_UNKNOWN;
    }
    serving = model_ready.value_or(false);
  }
  return serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

// One Watch call. It owns itself until OnDone; the lifecycle holds it weakly, and holds it for the
// length of a call to OnLifecycle.
//
// Writes and Finish are started outside the lock, one at a time: Next says what is to be done and
// marks it as being done, and Finish waits for a write under way. After Finish nothing is started.
class WatchReactor final : public grpc::ServerWriteReactor<HealthCheckResponse>,
                           public LifecycleListener {
 public:
  WatchReactor(const Readiness& readiness, const Lifecycle& lifecycle, std::string service)
      : readiness_(readiness), lifecycle_(lifecycle), service_(std::move(service)) {}

  static grpc::ServerWriteReactor<HealthCheckResponse>* Start(const Readiness& readiness,
                                                              Lifecycle& lifecycle,
                                                              const std::string& service) {
    auto reactor = std::make_shared<WatchReactor>(readiness, lifecycle, service);
    reactor->self_ = reactor;
    reactor->OnLifecycle(lifecycle.AddListener(reactor));
    return reactor.get();
  }

  void OnLifecycle(LifecycleState state) override ABSL_LOCKS_EXCLUDED(mu_) {
    {
      const MutexLock lock(mu_);
      // States only move forward; the first may be told after a later one.
      state_ = std::max(state_, state);
      // Asked for anew: two threads may tell of changes, and the later one need not come later.
      wanted_ = StatusOf(readiness_, service_, lifecycle_.ready());
      stopped_ = state_ == LifecycleState::kStopped;
    }
    Proceed();
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_) {
    {
      const MutexLock lock(mu_);
      writing_ = false;
      broken_ = broken_ || !ok;
    }
    Proceed();
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mu_) {
    {
      const MutexLock lock(mu_);
      broken_ = true;
    }
    Proceed();
  }

  void OnDone() override { self_.reset(); }

 private:
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
        StartWrite(&response_);
        break;
      case Step::kFinish:
        Finish(ToGrpcStatus(Unavailable("the server is shutting down")));
        break;
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

  const Readiness& readiness_;
  const Lifecycle& lifecycle_;
  const std::string service_;
  std::shared_ptr<WatchReactor> self_;  // Set before gRPC knows the reactor; reset in OnDone.
  HealthCheckResponse response_;        // gRPC's while writing_.

  Mutex mu_;
  LifecycleState state_ ABSL_GUARDED_BY(mu_) = LifecycleState::kStarting;
  ServingStatus wanted_ ABSL_GUARDED_BY(mu_) = HealthCheckResponse::UNKNOWN;
  std::optional<ServingStatus> written_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;  // The daemon ends.
  bool broken_ ABSL_GUARDED_BY(mu_) = false;   // The client is gone.
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  HealthService(const Readiness& readiness, Lifecycle& lifecycle)
      : readiness_(readiness), lifecycle_(lifecycle) {}

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const HealthCheckRequest* request,
                                  HealthCheckResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const ServingStatus status = StatusOf(readiness_, request->service(), lifecycle_.ready());
    if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
      reactor->Finish(ToGrpcStatus(
          NotFound("service '{}' is unknown; \"\" is the daemon, any other name is a model's",
                   request->service().substr(0, 256))));
      return reactor;
    }
    response->set_status(status);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerWriteReactor<HealthCheckResponse>* Watch(grpc::CallbackServerContext* /*context*/,
                                                       const HealthCheckRequest* request) override {
    return WatchReactor::Start(readiness_, lifecycle_, request->service());
  }

 private:
  const Readiness& readiness_;
  Lifecycle& lifecycle_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeHealthService(const Readiness& readiness, Lifecycle& lifecycle) {
  return std::make_unique<HealthService>(readiness, lifecycle);
}

}  // namespace omserve::server
