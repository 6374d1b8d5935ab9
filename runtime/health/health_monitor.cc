// SPDX-License-Identifier: Apache-2.0
#include "runtime/health/health_monitor.h"

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"

namespace omserve::health {
namespace {

// What an operator wants to be told of. A device that has not been seen before is taken for sound.
struct Condition {
  HealthState state = HealthState::kOk;
  bool is_normal = true;
  std::vector<uint32_t> error_codes;

  bool operator==(const Condition&) const = default;
};

Condition ConditionOf(const DeviceHealth& health) {
  return {.state = health.state.value_or(HealthState::kOk),
          .is_normal = health.is_normal.value_or(true),
          .error_codes = health.error_codes.value_or(std::vector<uint32_t>())};
}

Condition ConditionBefore(const std::optional<HealthReport>& before, int device) {
  if (before.has_value()) {
    for (const DeviceHealth& health : before->devices) {
      if (health.device == device) {
        return ConditionOf(health);
      }
    }
  }
  return {};
}

const char* StateName(HealthState state) {
  switch (state) {
    case HealthState::kOk:
      return "ok";
    case HealthState::kMinor:
      return "minor";
    case HealthState::kMajor:
      return "major";
    case HealthState::kCritical:
      return "critical";
  }
  return "";
}

}  // namespace

void LogHealthChanges(const std::optional<HealthReport>& before, const HealthReport& now) {
  for (const DeviceHealth& health : now.devices) {
    const Condition condition = ConditionOf(health);
    if (condition == ConditionBefore(before, health.device)) {
      continue;
    }
    if (condition == Condition()) {
      OMSERVE_LOG(kInfo, "health", "device={} is well again", health.device);
    } else {
      OMSERVE_LOG(kWarning, "health", "device={} state={} normal={} errors=[{:08X}]", health.device,
                  StateName(condition.state), condition.is_normal,
                  fmt::join(condition.error_codes, ","));
    }
  }
}

std::unique_ptr<HealthMonitor> HealthMonitor::Start(std::unique_ptr<HealthSource> source,
                                                    std::chrono::milliseconds interval,
                                                    Clock& clock) {
  std::unique_ptr<HealthMonitor> monitor(  // NOLINT: private constructor.
      new HealthMonitor(std::move(source), interval, clock));
  monitor->thread_ = StartThread("health", [raw = monitor.get()] { raw->Run(); });
  return monitor;
}

HealthMonitor::~HealthMonitor() {
  const MutexLock lock(mu_);
  stop_ = true;
  changed_.NotifyAll();
}

std::optional<HealthReport> HealthMonitor::latest() const {
  const MutexLock lock(mu_);
  return latest_;
}

void HealthMonitor::Run() {
  do {
    HealthReport report = source_->Read();
    // Only this thread writes latest_.
    LogHealthChanges(latest(), report);
    const MutexLock lock(mu_);
    latest_ = std::move(report);
  } while (AwaitTurn());
  const MutexLock lock(mu_);
  ended_ = true;
  changed_.NotifyAll();
}

bool HealthMonitor::AwaitTurn() {
  const Clock::time_point turn = clock_.Now() + interval_;
  const MutexLock lock(mu_);
  while (!stop_ && clock_.WaitUntil(changed_, mu_, turn)) {
  }
  return !stop_;
}

absl::Status HealthMonitor::Stop(Clock::time_point deadline) {
  const MutexLock lock(mu_);
  stop_ = true;
  changed_.NotifyAll();
  while (!ended_) {
    if (!clock_.WaitUntil(changed_, mu_, deadline)) {
      break;
    }
  }
  return ended_ ? absl::OkStatus()
                : Internal("a driver does not answer the question for the devices' health");
}

}  // namespace omserve::health
