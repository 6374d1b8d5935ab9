// SPDX-License-Identifier: Apache-2.0
// What shall go wrong on this device, when it is asked to: rules, and what they have counted. So
// that a program's answers to a fault can be tried without a faulty chip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/acl/acl_abi.h"

namespace omserve::hostacl {

// What a task does, as rules choose by it.
enum class TaskClass : uint8_t { kExecute, kCopy, kOther };

struct TaskInfo {
  TaskClass what = TaskClass::kOther;
  std::string_view model;  // Of an execution.
  int32_t device = 0;
  int32_t stream = 0;
};

// One rule: of what it is told, that which matches is counted, and by the count it takes effect.
struct FaultRule {
  enum class Trigger : uint8_t {
    kNow,         // When the rule is read; only for kDeviceLost.
    kCall,        // Calls of one function.
    kTask,        // Tasks of a stream, before they run.
    kAllocation,  // Device memory, by whomever it is asked for.
  };
  enum class Effect : uint8_t {
    kCode,        // The call, task or allocation fails with `code`.
    kHang,        // The task does not end until its stream is ended by force.
    kHold,        // The task does not begin before a file has other rules; then those are asked.
    kSlow,        // The task takes `slow` times as long.
    kDeviceLost,  // From then on everything on the device fails with `code`, until it was reset.
  };

  Trigger trigger = Trigger::kTask;
  Effect effect = Effect::kCode;

  // What matches.
  std::string call;               // Of kCall.
  std::optional<TaskClass> task;  // Of kTask; nullopt: any.
  std::string model;              // Of kTask; empty: any.
  std::optional<int32_t> device;  // nullopt: any. The device that is lost, for kDeviceLost.
  std::optional<int32_t> stream;  // Of kTask; nullopt: any.
  size_t after_bytes = 0;         // Of kAllocation: beyond this much of the device's memory.

  // Of those the first that takes effect (from 1), then each `every`-th (0 and 1: each), `times`
  // times in all (0: without end). A task counts once, however long it is held.
  uint64_t nth = 1;
  uint64_t every = 0;
  uint64_t times = 1;

  aclError code = ACL_SUCCESS;
  double slow = 1.0;
};

// What becomes of a call, task or allocation. With a code it does not run; of `code`, `hang` and
// `hold` one is there at most.
struct Fault {
  aclError code = ACL_SUCCESS;
  bool hang = false;
  bool hold = false;
  double slow = 1.0;
  bool device_lost = false;  // `code` is the device's from now on.
  size_t rule = 0;           // The rule that gave one of these three, from 0; for messages.

  bool decided() const { return code != ACL_SUCCESS || hang || hold; }
};

// Rules with their counts. Every rule that matches counts, whichever takes effect; of several the
// first that fails, hangs or holds does, and slowness multiplies. Thread-compatible.
class FaultRules final {
 public:
  FaultRules() = default;
  explicit FaultRules(std::vector<FaultRule> rules);

  // `device` is that of the calling thread's context; -1 for none.
  Fault OnCall(std::string_view function, int32_t device);
  Fault OnTask(const TaskInfo& task);
  // `used_bytes` are the device's with this allocation.
  Fault OnAllocation(int32_t device, size_t used_bytes);

  bool empty() const { return counted_.empty(); }

 private:
  struct Counted {
    FaultRule rule;
    uint64_t seen = 0;
    uint64_t hits = 0;
  };
  // Counts one match of the rule; whether it takes effect now.
  static bool Hits(Counted& counted);
  // Adds the effect of rule `index` to `fault`.
  void Apply(size_t index, Fault& fault) const;

  std::vector<Counted> counted_;
};

}  // namespace omserve::hostacl
