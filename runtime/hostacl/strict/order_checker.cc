// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/strict/order_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "runtime/hostacl/entry.h"

namespace omserve::hostacl {
namespace {

// How many freed allocations are remembered, to say what a stale address was.
constexpr size_t kFormerLimit = 1024;

// The task that runs in this thread. A worker runs tasks of one stream, so of one checker.
struct RunningTask {
  ActorIndex stream = kHostActor;
  std::shared_ptr<const std::string> name;  // Null: the thread is the host's.
};

RunningTask& ThisThreadsTask() {
  thread_local RunningTask task;
  return task;
}

std::shared_ptr<const std::string> NameOfToucher() {
  const RunningTask& task = ThisThreadsTask();
  if (task.name != nullptr) {
    return task.name;
  }
  return std::make_shared<const std::string>(
      fmt::format("the host's {} in thread {}", CurrentFunction(), ThisThreadName()));
}

std::string_view Verb(bool is_write) { return is_write ? "written" : "read"; }

}  // namespace

ActorIndex OrderChecker::AddStream() {
  const MutexLock lock(mu_);
  if (free_actors_.empty()) {
    streams_.push_back(host_);
    return static_cast<ActorIndex>(streams_.size() - 1);
  }
  // Its ticks go on where the former stream's ended, which the host knows, so that old epochs stay
  // what they are.
  const ActorIndex actor = free_actors_.back();
  free_actors_.pop_back();
  streams_[actor].Join(host_);
  return actor;
}

void OrderChecker::RemoveStream(ActorIndex stream) {
  const MutexLock lock(mu_);
  host_.Join(streams_[stream]);
  free_actors_.push_back(stream);
}

VectorClock OrderChecker::Launch() {
  const MutexLock lock(mu_);
  VectorClock known = host_;
  // What the host does from here on is not ordered before the task.
  host_.Advance(kHostActor);
  return known;
}

void OrderChecker::HostLearns(const VectorClock& clock) {
  const MutexLock lock(mu_);
  host_.Join(clock);
}

VectorClock OrderChecker::HostClock() const {
  const MutexLock lock(mu_);
  return host_;
}

void OrderChecker::BeginTask(ActorIndex stream, const VectorClock& launched, std::string name) {
  ThisThreadsTask() = {stream, std::make_shared<const std::string>(std::move(name))};
  const MutexLock lock(mu_);
  streams_[stream].Join(launched);
  streams_[stream].Advance(stream);
}

void OrderChecker::EndTask() { ThisThreadsTask() = {}; }

VectorClock OrderChecker::StreamClock(ActorIndex stream) const {
  const MutexLock lock(mu_);
  return streams_[stream];
}

void OrderChecker::StreamLearns(ActorIndex stream, const VectorClock& clock) {
  const MutexLock lock(mu_);
  streams_[stream].Join(clock);
}

const VectorClock& OrderChecker::ClockOfThisThreadLocked() const {
  const RunningTask& task = ThisThreadsTask();
  return task.name == nullptr ? host_ : streams_[task.stream];
}

void OrderChecker::Allocated(const void* address, size_t size_bytes, Owner owner) {
  Owners().Add(address, owner);
  const MutexLock lock(mu_);
  memory_.insert_or_assign(reinterpret_cast<uintptr_t>(address),
                           Watched{size_bytes, std::move(owner), {}});
}

void OrderChecker::EndMemoryLocked(Memory::iterator memory, std::vector<std::string>* violations) {
  const Watched& watched = memory->second;
  const Conflict conflict =
      watched.history.Find(0, watched.size_bytes, /*is_write=*/true, ClockOfThisThreadLocked());
  const std::string freer = *NameOfToucher();
  if (conflict.earlier.task != nullptr) {
    violations->push_back(fmt::format(
        "{} is freed by {} while nothing orders it after {}, by which it was {}",
        Describe(watched.owner), freer, *conflict.earlier.task, Verb(conflict.earlier.is_write)));
  }
  former_.push_back({memory->first, watched.size_bytes,
                     fmt::format("{}, freed by {}", Describe(watched.owner), freer)});
  if (former_.size() > kFormerLimit) {
    former_.pop_front();
  }
  memory_.erase(memory);
}

void OrderChecker::Freed(const void* address) {
  Owners().Remove(address);
  std::vector<std::string> violations;
  {
    const MutexLock lock(mu_);
    const auto found = memory_.find(reinterpret_cast<uintptr_t>(address));
    if (found != memory_.end()) {
      EndMemoryLocked(found, &violations);
    }
  }
  for (const std::string& text : violations) {
    log_.Report(Violation::kFreedInUse, text);
  }
}

void OrderChecker::FreedRange(const void* begin, size_t size_bytes, bool is_leak) {
  const auto first = reinterpret_cast<uintptr_t>(begin);
  std::vector<std::pair<uintptr_t, Owner>> gone;
  {
    const MutexLock lock(mu_);
    for (auto memory = memory_.lower_bound(first);
         memory != memory_.end() && memory->first - first < size_bytes;) {
      gone.emplace_back(memory->first, std::move(memory->second.owner));
      memory = memory_.erase(memory);
    }
  }
  for (const auto& [address, owner] : gone) {
    Owners().Remove(reinterpret_cast<const void*>(address));
    if (is_leak) {
      log_.Report(Violation::kLeak,
                  fmt::format("{} is not given back before its device is reset", Describe(owner)));
    }
  }
}

void OrderChecker::Touched(const void* address, size_t count, bool is_write) {
  const auto begin = reinterpret_cast<uintptr_t>(address);
  std::string text;
  {
    const MutexLock lock(mu_);
    auto found = memory_.upper_bound(begin);
    if (found == memory_.begin()) {
      return;
    }
    --found;
    const size_t offset = begin - found->first;
    if (offset >= found->second.size_bytes) {
      return;
    }
    const RunningTask& task = ThisThreadsTask();
    const VectorClock& known = ClockOfThisThreadLocked();
    const ActorIndex actor = task.name == nullptr ? kHostActor : task.stream;
    // The host's step is the one that its next launch will know.
    const uint64_t tick = known.at(actor);
    const Access access{{actor, tick}, is_write, NameOfToucher()};
    const size_t end = std::min(offset + count, found->second.size_bytes);
    const Conflict conflict = found->second.history.Note(offset, end, access, known);
    if (conflict.earlier.task == nullptr) {
      return;
    }
    text = fmt::format(
        "{}: from byte {} it is {} by {} and {} by {}; no event and no synchronisation orders the "
        "two",
        Describe(found->second.owner), conflict.begin, Verb(conflict.earlier.is_write),
        *conflict.earlier.task, Verb(is_write), *access.task);
  }
  log_.Report(Violation::kUnorderedAccess, text);
}

void OrderChecker::TouchedNothing(const void* address, size_t count) {
  const auto begin = reinterpret_cast<uintptr_t>(address);
  std::string text = fmt::format("{} uses {} bytes at {:#x}, where no memory is allocated",
                                 *NameOfToucher(), count, begin);
  {
    const MutexLock lock(mu_);
    const auto was = std::find_if(former_.rbegin(), former_.rend(), [begin](const auto& former) {
      return begin >= former.begin && begin - former.begin < former.size_bytes;
    });
    if (was != former_.rend()) {
      text += fmt::format("; it was {}", was->text);
    }
  }
  log_.Report(Violation::kUseAfterFree, text);
}

void OrderChecker::ReportLeaks() {
  for (const Owner& owner : Owners().All()) {
    log_.Report(Violation::kLeak, fmt::format("{} is never given back", Describe(owner)));
  }
}

}  // namespace omserve::hostacl
