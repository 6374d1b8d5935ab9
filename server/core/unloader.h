// SPDX-License-Identifier: Apache-2.0
// Who takes loads apart when nobody uses them any longer.
//
// A request holds the version that it began with. Whoever lets the last handle of a load go, on
// whatever thread, leaves it here, and a thread of its own frees it: no request waits for that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "server/core/loaded_model.h"

namespace omserve::server {

// Thread-safe. Outlives every handle, and the engines.
class Unloader final {
 public:
  // `clock` outlives it. `niceness`: see Yield, of its thread.
  explicit Unloader(Clock& clock, int niceness = 0);
  Unloader(const Unloader&) = delete;
  Unloader& operator=(const Unloader&) = delete;
  // Requires a Stop that was OK, or that nothing was ever loaded.
  ~Unloader();

  // `on_gone` is told of each load when nothing of it is left but this model, on the thread here;
  // until Stop. Before the first Own.
  void SetListener(std::function<void(const Model& model)> on_gone) ABSL_LOCKS_EXCLUDED(mu_);

  // The handle that pins the load; numbers it (Model::load).
  ModelHandle Own(std::unique_ptr<LoadedModel> loaded) ABSL_LOCKS_EXCLUDED(mu_);
  // Of a load that failed: takes it apart at once, so that the next one finds its memory free.
  void Discard(std::unique_ptr<LoadedModel> loaded) ABSL_LOCKS_EXCLUDED(mu_);

  // Memory that takes a while to free, as what a file was read to, which may have to be wiped: the
  // thread here lets go of it, so that the load that used it need not. Where that thread is busy,
  // perhaps with a device that does not come back, the caller does so at once.
  void Free(std::shared_ptr<const void> memory) ABSL_LOCKS_EXCLUDED(mu_);
  // Until that was done, so that there is memory for the next such thing. Soon: see Free.
  void AwaitMemory() ABSL_LOCKS_EXCLUDED(mu_);

  // Requires that the engines were drained, and calls none of them any longer: what has not been
  // taken apart stays until this is destroyed. Waits for the load that is being taken apart;
  // kDeadlineExceeded when that has not ended by then, as on a device that does not come back: then
  // this must not be destroyed. Idempotent.
  absl::Status Stop(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);

  // Loads that nobody holds and that are not taken apart yet.
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mu_);
  // Until nothing is left of these loads (Model::load); false when something still is by then, or
  // at the end.
  bool AwaitGone(const std::vector<uint64_t>& loads, Clock::time_point deadline)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Until there are none; false when there still are some by then, or at the end.
  bool AwaitFreed(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  bool AnyThere(const std::vector<uint64_t>& loads) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Take(std::unique_ptr<LoadedModel> loaded) ABSL_LOCKS_EXCLUDED(mu_);

  Clock& clock_;
  mutable Mutex mu_;
  CondVar changed_;
  std::function<void(const Model&)> on_gone_ ABSL_GUARDED_BY(mu_);
  uint64_t last_load_ ABSL_GUARDED_BY(mu_) = 0;
  std::set<uint64_t> there_ ABSL_GUARDED_BY(mu_);  // Loads that are not gone.
  std::deque<std::unique_ptr<LoadedModel>> waiting_ ABSL_GUARDED_BY(mu_);
  bool working_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<const void> memory_ ABSL_GUARDED_BY(mu_);  // That Free left here.
  bool freeing_ ABSL_GUARDED_BY(mu_) = false;                // Such memory.
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<std::unique_ptr<LoadedModel>> kept_ ABSL_GUARDED_BY(mu_);  // By engines, to the end.

  std::jthread thread_;  // Last: joined before what it uses goes.
};

}  // namespace omserve::server
