// SPDX-License-Identifier: Apache-2.0
// Threads that run host steps beside the device's work.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/mutex.h"
#include "runtime/hostops/host_op.h"
#include "runtime/memory/host_pool.h"
#include "scheduler/content_digest.h"
#include "scheduler/core.h"

namespace omserve::scheduler {

// A tensor that a host step made, in pinned memory so that a device step can take it.
struct HostTensor {
  Dims dims;
  memory::HostBlock block;
  size_t size_bytes = 0;
};

// Without an op: the digest of the inputs.
struct HostTask {
  RequestId request = 0;
  int node = 0;
  const hostops::HostOp* op = nullptr;
  int rows = 1;
  std::vector<hostops::HostInput> inputs;  // Their bytes live until the result is posted.
};

struct HostResult {
  RequestId request = 0;
  int node = 0;
  absl::Status status;
  std::vector<HostTensor> outputs;  // In the op's order; empty unless status is OK.
  std::optional<ContentDigest> digest;
  Instant start;
  Instant end;
};

// Thread-safe. The number of waiting tasks is bounded by the core's number of requests.
class HostWorkers final {
 public:
  // `done` runs on a worker and must not block.
  HostWorkers(int threads, memory::HostPool& pool, Clock& clock,
              std::function<void(HostResult)> done);
  HostWorkers(const HostWorkers&) = delete;
  HostWorkers& operator=(const HostWorkers&) = delete;
  // Runs what is queued, then joins.
  ~HostWorkers();

  void Submit(HostTask task) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run();
  HostResult RunTask(const HostTask& task);

  // Constant after construction.
  memory::HostPool& pool_;
  Clock& clock_;
  const std::function<void(HostResult)> done_;

  Mutex mu_;
  CondVar wake_;
  std::deque<HostTask> queue_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;

  std::vector<std::jthread> threads_;  // Last: joined before the rest goes.
};

}  // namespace omserve::scheduler
