// SPDX-License-Identifier: Apache-2.0
// Requests to models that made room for others wait here until their model is back.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "server/core/catalog.h"
#include "server/core/model_repository.h"

namespace omserve::server {

// Thread-safe. The references outlive it.
class ReturningModels final {
 public:
  // `longest`: that anybody waits.
  ReturningModels(const Catalog& catalog, ModelRepository& repository, Clock& clock,
                  Clock::duration longest);
  ReturningModels(const ReturningModels&) = delete;
  ReturningModels& operator=(const ReturningModels&) = delete;
  ~ReturningModels();

  // Where a request was `refused` because `model` was unloaded until it is asked for: has it
  // loaded, and runs `then` once, on the thread here, when it serves, when it is known that it does
  // not, at `until`, or at the end. Then whoever waits asks again, and does not wait again. `then`
  // must not block. False for any other refusal, and while too many wait: `then` never runs. Does
  // not block.
  // `size_bytes`: what the request keeps while it waits; where all that wait would keep too much,
  // false too.
  bool Await(const absl::Status& refused, const std::string& model, size_t size_bytes,
             Clock::time_point until, std::function<void()> then) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether it would be taken now: for who has something to copy first.
  bool HasRoom(size_t size_bytes) const ABSL_LOCKS_EXCLUDED(mu_);

  // Nobody waits any longer. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Waiting {
    std::string model;
    size_t size_bytes = 0;
    Clock::time_point until;
    std::function<void()> then;
    bool is_settled = false;  // The load that it waited for has ended.
  };

  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // Those whose wait is over.
  std::vector<Waiting> TakeDue(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of a wait; min(): one is over.
  Clock::time_point NextEnd() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Catalog& catalog_;
  ModelRepository& repository_;
  Clock& clock_;
  const Clock::duration longest_;

  bool HasRoomLocked(size_t size_bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  CondVar changed_;
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> coming_ ABSL_GUARDED_BY(mu_);  // Models whose load was asked for.
  bool stop_ ABSL_GUARDED_BY(mu_) = false;

  std::jthread thread_;  // Last: joined before what it uses goes.
};

}  // namespace omserve::server
