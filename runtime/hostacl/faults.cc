// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/faults.h"

#include <utility>

namespace omserve::hostacl {
namespace {

template <typename T>
bool IsAnyOr(const std::optional<T>& wanted, T value) {
  return !wanted.has_value() || *wanted == value;
}

bool Matches(const FaultRule& rule, const TaskInfo& task) {
  return rule.trigger == FaultRule::Trigger::kTask && IsAnyOr(rule.task, task.what) &&
         IsAnyOr(rule.device, task.device) && IsAnyOr(rule.stream, task.stream) &&
         (rule.model.empty() || rule.model == task.model);
}

}  // namespace

FaultRules::FaultRules(std::vector<FaultRule> rules) {
  for (FaultRule& rule : rules) {
    counted_.push_back({.rule = std::move(rule)});
  }
}

bool FaultRules::Hits(Counted& counted) {
  const FaultRule& rule = counted.rule;
  const uint64_t number = ++counted.seen;
  if (number < rule.nth || (rule.times != 0 && counted.hits >= rule.times)) {
    return false;
  }
  if (rule.every > 1 && (number - rule.nth) % rule.every != 0) {
    return false;
  }
  ++counted.hits;
  return true;
}

void FaultRules::Apply(size_t index, Fault& fault) const {
  const FaultRule& rule = counted_[index].rule;
  if (rule.effect == FaultRule::Effect::kSlow) {
    fault.slow *= rule.slow;
    return;
  }
  if (fault.decided()) {
    return;
  }
  fault.rule = index;
  fault.code = rule.code;
  fault.hang = rule.effect == FaultRule::Effect::kHang;
  fault.hold = rule.effect == FaultRule::Effect::kHold;
  fault.device_lost = rule.effect == FaultRule::Effect::kDeviceLost;
}

Fault FaultRules::OnCall(std::string_view function, int32_t device) {
  Fault fault;
  for (size_t i = 0; i < counted_.size(); ++i) {
    const FaultRule& rule = counted_[i].rule;
    if (rule.trigger == FaultRule::Trigger::kCall && rule.call == function &&
        IsAnyOr(rule.device, device) && Hits(counted_[i])) {
      Apply(i, fault);
    }
  }
  return fault;
}

Fault FaultRules::OnTask(const TaskInfo& task) {
  Fault fault;
  for (size_t i = 0; i < counted_.size(); ++i) {
    if (Matches(counted_[i].rule, task) && Hits(counted_[i])) {
      Apply(i, fault);
    }
  }
  return fault;
}

Fault FaultRules::OnAllocation(int32_t device, size_t used_bytes) {
  Fault fault;
  for (size_t i = 0; i < counted_.size(); ++i) {
    const FaultRule& rule = counted_[i].rule;
    if (rule.trigger == FaultRule::Trigger::kAllocation && IsAnyOr(rule.device, device) &&
        used_bytes > rule.after_bytes && Hits(counted_[i])) {
      Apply(i, fault);
    }
  }
  return fault;
}

}  // namespace omserve::hostacl
