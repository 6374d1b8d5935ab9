// SPDX-License-Identifier: Apache-2.0
#include "server/core/unloader.h"

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"

namespace omserve::server {

Unloader::Unloader(Clock& clock, int niceness) : clock_(clock) {
  thread_ = StartThread("unload", [this, niceness] {
    Yield(niceness);
    Run();
  });
}

Unloader::~Unloader() {
  Stop(Clock::time_point::max()).IgnoreError();
  // Pipelines hold their steps' models, which come back here when these go.
  while (true) {
    std::deque<std::unique_ptr<LoadedModel>> kept;
    {
      const MutexLock lock(mu_);
      kept.swap(kept_);
    }
    if (kept.empty()) {
      return;
    }
  }
}

void Unloader::SetListener(std::function<void(const Model& model)> on_gone) {
  const MutexLock lock(mu_);
  on_gone_ = std::move(on_gone);
}

ModelHandle Unloader::Own(std::unique_ptr<LoadedModel> loaded) {
  {
    const MutexLock lock(mu_);
    loaded->model.load = ++last_load_;
    there_.insert(last_load_);
  }
  const std::shared_ptr<LoadedModel> owner(
      loaded.release(), [this](LoadedModel* last) { Take(std::unique_ptr<LoadedModel>(last)); });
  return {owner, &owner->model};
}

void Unloader::Take(std::unique_ptr<LoadedModel> loaded) {
  {
    const MutexLock lock(mu_);
    (stop_ ? kept_ : waiting_).push_back(std::move(loaded));
  }
  changed_.NotifyAll();
}

void Unloader::Discard(std::unique_ptr<LoadedModel> loaded) {
  const absl::Status gone = TakeApart(*loaded);
  if (!gone.ok()) {
    const MutexLock lock(mu_);
    kept_.push_back(std::move(loaded));
  }
}

void Unloader::Free(std::shared_ptr<const void> memory) {
  {
    const MutexLock lock(mu_);
    if (stop_ || working_ || freeing_ || memory_ != nullptr) {
      return;
    }
    memory_ = std::move(memory);
  }
  changed_.NotifyAll();
}

void Unloader::AwaitMemory() {
  const MutexLock lock(mu_);
  while (memory_ != nullptr || freeing_) {
    changed_.Wait(mu_);
  }
}

size_t Unloader::waiting() const {
  const MutexLock lock(mu_);
  return waiting_.size() + (working_ ? 1 : 0);
}

bool Unloader::AwaitGone(const std::vector<uint64_t>& loads, Clock::time_point deadline) {
  const MutexLock lock(mu_);
  while (AnyThere(loads) && !stop_ && clock_.WaitUntil(changed_, mu_, deadline)) {
  }
  return !AnyThere(loads);
}

bool Unloader::AnyThere(const std::vector<uint64_t>& loads) const {
  for (const uint64_t load : loads) {
    if (there_.contains(load)) {
      return true;
    }
  }
  return false;
}

bool Unloader::AwaitFreed(Clock::time_point deadline) {
  const MutexLock lock(mu_);
  while ((working_ || !waiting_.empty()) && !stop_ && clock_.WaitUntil(changed_, mu_, deadline)) {
  }
  return !working_ && waiting_.empty();
}

absl::Status Unloader::Stop(Clock::time_point deadline) {
  std::shared_ptr<const void> memory;  // Goes where the lock is not held.
  {
    const MutexLock lock(mu_);
    stop_ = true;
    memory.swap(memory_);
    changed_.NotifyAll();
  }
  memory.reset();
  {
    const MutexLock lock(mu_);
    while ((working_ || freeing_) && clock_.WaitUntil(changed_, mu_, deadline)) {
    }
    if (working_ || freeing_) {
      return DeadlineExceeded("a model's memory is still being freed");
    }
  }
  if (thread_.joinable()) {
    thread_.join();
  }
  const MutexLock lock(mu_);
  for (; !waiting_.empty(); waiting_.pop_front()) {
    kept_.push_back(std::move(waiting_.front()));
  }
  return absl::OkStatus();
}

void Unloader::Run() {
  while (true) {
    std::unique_ptr<LoadedModel> loaded;
    std::shared_ptr<const void> memory;
    std::function<void(const Model&)> on_gone;
    {
      const MutexLock lock(mu_);
      working_ = false;
      freeing_ = false;
      changed_.NotifyAll();
      while (waiting_.empty() && memory_ == nullptr && !stop_) {
        changed_.Wait(mu_);
      }
      if (stop_) {
        return;
      }
      if (memory_ != nullptr) {  // First: the other may take for ever.
        memory.swap(memory_);
        freeing_ = true;
        continue;  // Which frees it, without the lock.
      }
      loaded = std::move(waiting_.front());
      waiting_.pop_front();
      working_ = true;
      on_gone = on_gone_;
    }
    const absl::Status gone = TakeApart(*loaded);
    if (!gone.ok()) {
      const MutexLock lock(mu_);
      kept_.push_back(std::move(loaded));
      continue;
    }
    {
      const MutexLock lock(mu_);
      there_.erase(loaded->model.load);
    }
    OMSERVE_LOG(kInfo, "catalog", "model unloaded name={} version={} load={}", loaded->model.name,
                loaded->model.version, loaded->model.load);
    if (on_gone) {
      on_gone(loaded->model);
    }
  }
}

}  // namespace omserve::server
