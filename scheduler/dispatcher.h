// SPDX-License-Identifier: Apache-2.0
// The scheduler of all devices: an engine for each, and the choice among them.
//
// A request goes as a whole to one device, the one where its plan is predicted to finish first
// (route.h) of those that hold it and serve. What a device that is lost has not begun goes to
// another one, once; what it has begun is answered by its engine, since what broke one device may
// break the next.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "scheduler/diversion.h"
#include "scheduler/engine.h"
#include "scheduler/placement.h"
#include "scheduler/route.h"
#include "scheduler/sequence.h"
#include "scheduler/shared_rate_limiter.h"

namespace omserve::scheduler {

// Thread-safe, but for the destructor.
class Dispatcher final : private Diversion {
 public:
  static constexpr size_t kMostDevices = 256;
  struct DeviceParts {
    acl::Device* device = nullptr;
    Observer* observer = nullptr;
  };
  // Starts an engine for each device; `options.diversion` and `options.rate_limiter` are set here.
  // `resources` is what there is of what instances share. What is pointed to, and the references,
  // outlive the dispatcher. Requires 1 to kMostDevices devices. Errors: the engines', naming the
  // device.
  static absl::StatusOr<std::unique_ptr<Dispatcher>> Start(
      const std::vector<DeviceParts>& devices, memory::HostPool& host_pool, Clock& clock,
      const Engine::Options& options, std::vector<ResourceSetting> resources = {});
  // Requires that Drain was called and that nothing is submitted any longer.
  ~Dispatcher() override = default;

  // Devices have places, 0 to device_count() - 1, in the order of Start.
  size_t device_count() const { return engines_.size(); }
  Engine& engine(size_t place) { return *engines_[place]; }
  const Engine& engine(size_t place) const { return *engines_[place]; }
  const SharedRateLimiter& rate_limiter() const { return rate_limiter_; }

  // Always takes the request, whose `placement` is set; sets its id and plan. Returns without
  // blocking. OK: the id, and `done` runs exactly once, on the thread of some device, perhaps
  // before this returns. Not OK: `done` never runs. Errors: kUnavailable when no device that has
  // the model takes it.
  // With `wakes` false it may lie until Wake: for who has more to submit.
  absl::StatusOr<RequestId> Submit(std::unique_ptr<InferRequest> request, bool wakes = true);
  // The refusal that certainly awaits the request on every device, as Engine::CheckRoom says.
  absl::Status CheckRoom(const Placement& placement, Instant deadline, size_t input_bytes) const;
  // Wakes the devices that requests were left lying at. May be told in vain.
  void Wake();
  // The client no longer wants the answer. Harmless when it was answered already.
  void CancelRequest(RequestId id);

  // True while a device that holds the plan is not lost.
  bool Serves(const Placement& placement) const;

  // From now on no request waits for company. Does not block.
  void Hurry();
  // Refuses new requests on all devices and waits until the accepted ones are answered. As
  // Engine::Drain, with the deadline for all devices together. Idempotent.
  absl::Status Drain(Instant deadline);

  // Accepted and not retired, on all devices.
  size_t request_count() const;
  // Requests that a lost device had not begun and that another took.
  uint64_t diverted_count() const { return diverted_count_.load(std::memory_order_relaxed); }

 private:
  Dispatcher(Clock& clock, std::vector<ResourceSetting> resources)
      : clock_(clock), rate_limiter_(std::move(resources)) {}

  std::unique_ptr<InferRequest> Divert(std::unique_ptr<InferRequest> request) override
      ABSL_LOCKS_EXCLUDED(mu_);
  void CancelDiverted(RequestId id) override ABSL_LOCKS_EXCLUDED(mu_);
  // The place that the request should go to; -1 when there is none. Only devices that serve, unless
  // `any`: a lost one answers with why.
  int Choose(const Placement& placement, bool any);
  // The place of all requests of a sequence, lost or not, for its state is there; and of all
  // requests of a model that keeps their order, while that device serves. By name alone, so that
  // nothing has to be kept for it.
  int HomeOf(const InferRequest& request) const;
  void Forget(RequestId id) ABSL_LOCKS_EXCLUDED(mu_);

  Clock& clock_;

  // Synchronise themselves; the numbers relaxed, for none of them orders anything else.
  std::atomic<uint64_t> next_request_{1};
  std::atomic<uint64_t> turn_{0};
  std::atomic<uint64_t> diverted_count_{0};
  SharedRateLimiter rate_limiter_;

  Mutex mu_;
  // Where requests are that are not where their id says.
  std::unordered_map<RequestId, size_t> diverted_ ABSL_GUARDED_BY(mu_);

  // Constant after Start. Last: their threads call this.
  std::vector<std::unique_ptr<Engine>> engines_;
};

}  // namespace omserve::scheduler
