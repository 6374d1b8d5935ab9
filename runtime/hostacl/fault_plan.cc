// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/fault_plan.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/hostacl/fault_settings.h"

namespace omserve::hostacl {
namespace {

constexpr std::chrono::milliseconds kFileLookInterval{50};
constexpr size_t kFileLimitBytes = size_t{1} << 20;

// Waits for something that never comes: until `until`, or until the stream is ended.
void Sleep(Interrupt& interrupt, Clock::time_point until) {
  interrupt.Wait(Milestone::Make(), until);
}

absl::Status FailedBy(const Fault& fault, std::string_view what) {
  if (fault.code == ACL_SUCCESS) {
    return absl::OkStatus();
  }
  return Fail(fault.code, "{}: fault rule {} says so{}", what, fault.rule,
              fault.device_lost ? "; the device is lost" : "");
}

// The answers of two sets of rules, of which the first goes first.
Fault Together(Fault first, const Fault& second) {
  first.slow *= second.slow;
  if (!first.decided()) {
    first.code = second.code;
    first.hang = second.hang;
    first.hold = second.hold;
    first.device_lost = second.device_lost;
    first.rule = second.rule;
  }
  return first;
}

absl::StatusOr<std::vector<FaultRule>> ReadRulesIn(const std::string& file) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kFileLimitBytes));
  return ParseFaultRules(text, fmt::format("'{}'", file), &HasFunction);
}

}  // namespace

FaultPlan& ProcessFaults() {
  // Process-wide as AscendCL is; threads may still be inside a call when static objects end.
  static FaultPlan& plan = *std::make_unique<FaultPlan>().release();
  return plan;
}

bool HasFunction(const char* name) {
  Dl_info own{};
  if (dladdr(reinterpret_cast<const void*>(&HasFunction), &own) == 0) {
    return false;
  }
  void* library = dlopen(own.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) {
    return false;
  }
  void* symbol = dlsym(library, name);
  Dl_info found{};
  // dlsym also looks into what this library is linked with.
  const bool is_own =
      symbol != nullptr && dladdr(symbol, &found) != 0 && found.dli_fbase == own.dli_fbase;
  dlclose(library);
  return is_own;
}

void FaultPlan::Begin(std::vector<FaultRule> rules, const std::string& file) {
  LoseNow(rules);
  const MutexLock lock(mu_);
  settings_ = FaultRules(std::move(rules));
  from_file_ = FaultRules();
  ++revision_;
  file_ = file;
  stamp_ = {};
  next_look_ = {};
  armed_.store(!settings_.empty() || !file_.empty(), std::memory_order_relaxed);
}

void FaultPlan::End() {
  Begin({}, "");
  for (std::atomic<aclError>& code : lost_) {
    code.store(ACL_SUCCESS, std::memory_order_relaxed);
  }
}

FaultPlan::FileStamp FaultPlan::StampOf(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    // Of what is there but cannot be looked at, reading says why.
    return {.is_there = errno != ENOENT && errno != ENOTDIR};
  }
  constexpr int64_t kNsPerS = 1'000'000'000;
  return {.is_there = true,
          .changed_ns = info.st_ctim.tv_sec * kNsPerS + info.st_ctim.tv_nsec,
          .inode = info.st_ino,
          .size_bytes = info.st_size};
}

void FaultPlan::LookAtFileLocked() {
  if (file_.empty()) {
    return;
  }
  const Clock::time_point now = SteadyClock().Now();
  if (now < next_look_) {
    return;
  }
  next_look_ = now + kFileLookInterval;
  const FileStamp stamp = StampOf(file_);
  if (stamp == stamp_) {
    return;
  }
  stamp_ = stamp;
  std::vector<FaultRule> rules;
  if (stamp.is_there) {
    absl::StatusOr<std::vector<FaultRule>> read = ReadRulesIn(file_);
    if (!read.ok()) {
      // Half a file is no reason to let go of what is held.
      OMSERVE_LOG(kError, "hostacl", "faults file is not obeyed, its last rules stay error=\"{}\"",
                  MessageOf(read.status()));
      return;
    }
    rules = *std::move(read);
  }
  OMSERVE_LOG(kInfo, "hostacl", "faults file {} path={} rules={}",
              stamp.is_there ? "read" : "is gone", file_, rules.size());
  LoseNow(rules);
  from_file_ = FaultRules(std::move(rules));
  ++revision_;
}

template <typename Ask>
Fault FaultPlan::AskLocked(Ask ask) {
  LookAtFileLocked();
  const Fault first = ask(settings_);
  return Together(first, ask(from_file_));
}

void FaultPlan::Lose(int32_t device, aclError code) {
  lost_[static_cast<size_t>(device)].store(code, std::memory_order_relaxed);
}

void FaultPlan::LoseNow(const std::vector<FaultRule>& rules) {
  for (const FaultRule& rule : rules) {
    if (rule.trigger == FaultRule::Trigger::kNow) {
      Lose(rule.device.value_or(0), rule.code);
    }
  }
}

absl::Status FaultPlan::Lost(int32_t device) const {
  const aclError code = lost_[static_cast<size_t>(device)].load(std::memory_order_relaxed);
  if (code == ACL_SUCCESS) {
    return absl::OkStatus();
  }
  return Fail(code, "device {} is lost, as a fault rule has it, until it is reset", device);
}

void FaultPlan::OnReset(int32_t device) { Lose(device, ACL_SUCCESS); }

absl::Status FaultPlan::OnCall(const char* function, int32_t device) {
  Fault fault;
  {
    const MutexLock lock(mu_);
    fault = AskLocked([&](FaultRules& rules) { return rules.OnCall(function, device); });
  }
  if (fault.device_lost) {
    Lose(device, fault.code);
  }
  return FailedBy(fault, function);
}

absl::Status FaultPlan::OnAllocation(int32_t device, size_t used_bytes) {
  Fault fault;
  {
    const MutexLock lock(mu_);
    fault = AskLocked([&](FaultRules& rules) { return rules.OnAllocation(device, used_bytes); });
  }
  return FailedBy(fault, fmt::format("device {}: out of memory", device));
}

Fault FaultPlan::DecideTask(const TaskInfo& task, Told& told) {
  const MutexLock lock(mu_);
  LookAtFileLocked();
  if (told.settings.has_value()) {
    told.settings->hold = false;  // Until now; and what else there was in it stays.
  } else {
    told.settings = settings_.OnTask(task);
  }
  told.revision = revision_;
  return Together(*told.settings, from_file_.OnTask(task));
}

bool FaultPlan::AwaitOtherRules(uint64_t revision, Interrupt& interrupt) {
  while (!interrupt.raised()) {
    {
      const MutexLock lock(mu_);
      LookAtFileLocked();
      if (revision_ != revision) {
        return true;
      }
    }
    Sleep(interrupt, SteadyClock().Now() + kFileLookInterval);
  }
  return false;
}

absl::Status FaultPlan::RunTask(const TaskInfo& task, Interrupt& interrupt, TaskBody& body) {
  Told told;
  Fault fault = DecideTask(task, told);
  while (fault.hold) {
    if (!AwaitOtherRules(told.revision, interrupt)) {
      return Fail(ACL_ERROR_RT_DEVICE_TASK_ABORT,
                  "the task was held by fault rule {} and was dropped", fault.rule);
    }
    fault = DecideTask(task, told);
  }
  if (fault.device_lost) {
    Lose(task.device, fault.code);
  }
  RETURN_IF_ERROR(Lost(task.device));
  if (fault.hang) {
    Sleep(interrupt, Clock::time_point::max());
    return Fail(ACL_ERROR_RT_DEVICE_TASK_ABORT, "the task hung by fault rule {} and was dropped",
                fault.rule);
  }
  RETURN_IF_ERROR(FailedBy(fault, "the task failed"));
  if (fault.slow <= 1.0) {
    return body(interrupt);
  }
  const Clock::time_point start = SteadyClock().Now();
  absl::Status status = body(interrupt);
  const Clock::time_point end = SteadyClock().Now();
  const std::chrono::duration<double, std::nano> more = (end - start) * (fault.slow - 1.0);
  Sleep(interrupt, end + std::chrono::duration_cast<Clock::duration>(more));
  return status;
}

}  // namespace omserve::hostacl
