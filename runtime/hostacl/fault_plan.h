// SPDX-License-Identifier: Apache-2.0
// The faults of this process: the rules of its settings and those of a file that may change while
// it runs, and which devices are lost. Where nothing is asked for, one relaxed load is all it
// costs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/faults.h"
#include "runtime/hostacl/milestone.h"
#include "runtime/hostacl/task.h"

namespace omserve::hostacl {

// Thread-safe. Calls no other part of the device while it holds its lock.
class FaultPlan final {
 public:
  // From aclInit on. `file` is read again whenever it was changed, looked at every 50 ms at most,
  // from the calls below. One that is not there means no rules; one that is wrong or cannot be read
  // is logged once and changes nothing: what it was before stays, with its counts. Empty: no file.
  void Begin(std::vector<FaultRule> rules, const std::string& file) ABSL_LOCKS_EXCLUDED(mu_);
  // No faults any longer.
  void End() ABSL_LOCKS_EXCLUDED(mu_);

  // Whether the functions below have anything to say.
  bool armed() const { return armed_.load(std::memory_order_relaxed); }

  // Before `function` does anything. `device` as FaultRules::OnCall.
  absl::Status OnCall(const char* function, int32_t device) ABSL_LOCKS_EXCLUDED(mu_);
  // Before `device` gives memory; `used_bytes` with what is asked for.
  absl::Status OnAllocation(int32_t device, size_t used_bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // The failure of everything on a device that is lost; OK for one that is not.
  absl::Status Lost(int32_t device) const;
  // The device was reset: it is lost no longer.
  void OnReset(int32_t device);

  // Runs a task as the rules have it: `body` once, later or not at all. In the stream's worker.
  // One that is held looks at the file itself; it counts once in the settings' rules, and once in
  // each state of the file's that it is asked of.
  absl::Status RunTask(const TaskInfo& task, Interrupt& interrupt, TaskBody& body)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  static constexpr size_t kMostDevices = 64;
  // What tells one state of a file from the next.
  struct FileStamp {
    bool is_there = false;
    int64_t changed_ns = 0;  // Itself, or who may read it.
    uint64_t inode = 0;
    int64_t size_bytes = 0;
    bool operator==(const FileStamp&) const = default;
  };
  // What a task was told so far.
  struct Told {
    std::optional<Fault> settings;  // Nothing: these rules were not asked yet.
    uint64_t revision = 0;          // Of the rules that were asked last.
  };

  // For the first time, or anew for a task that was held.
  Fault DecideTask(const TaskInfo& task, Told& told) ABSL_LOCKS_EXCLUDED(mu_);
  // Blocks until the rules are others than those of `revision`; false when the stream is ended.
  bool AwaitOtherRules(uint64_t revision, Interrupt& interrupt) ABSL_LOCKS_EXCLUDED(mu_);
  // Both sets of rules are asked, so that each counts; the settings' answer goes first.
  template <typename Ask>
  Fault AskLocked(Ask ask) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LookAtFileLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LoseNow(const std::vector<FaultRule>& rules);
  void Lose(int32_t device, aclError code);
  static FileStamp StampOf(const std::string& path);

  // Relaxed: a rule takes effect on what is told to this class after it was set, by the lock.
  std::atomic<bool> armed_{false};
  // By device; ACL_SUCCESS where it is not lost. Relaxed: each stands alone.
  std::array<std::atomic<aclError>, kMostDevices> lost_{};

  Mutex mu_;
  FaultRules settings_ ABSL_GUARDED_BY(mu_);
  FaultRules from_file_ ABSL_GUARDED_BY(mu_);
  uint64_t revision_ ABSL_GUARDED_BY(mu_) = 0;  // One more with each change of the two.
  std::string file_ ABSL_GUARDED_BY(mu_);
  FileStamp stamp_ ABSL_GUARDED_BY(mu_);
  Clock::time_point next_look_ ABSL_GUARDED_BY(mu_);
};

// The process's one plan; never destroyed.
FaultPlan& ProcessFaults();

// Whether this library exports a function `name`.
bool HasFunction(const char* name);

}  // namespace omserve::hostacl
