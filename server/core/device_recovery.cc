// SPDX-License-Identifier: Apache-2.0
#include "server/core/device_recovery.h"

#include <utility>

namespace omserve::server {

using Kind = scheduler::DeviceIncident::Kind;

DeviceRecovery::DeviceRecovery(int device, scheduler::Observer& next,
                               std::function<void()> on_change, std::function<void()> on_given_up)
    : next_(next), on_change_(std::move(on_change)), on_given_up_(std::move(on_given_up)) {
  const MutexLock lock(mu_);
  counts_.device = device;
}

void DeviceRecovery::OnBatch(const scheduler::BatchRecord& record) {
  next_.OnBatch(record);
  if (record.device_error != 0) {
    const MutexLock lock(mu_);
    ++counts_.errors[record.device_error];
  }
}

void DeviceRecovery::OnRequest(const scheduler::RequestRecord& record) {
  next_.OnRequest(record);
  if (record.outcome == scheduler::Outcome::kLaneHung) {
    const MutexLock lock(mu_);
    ++counts_.requests_lane_hung;
  } else if (record.outcome == scheduler::Outcome::kDeviceLost) {
    const MutexLock lock(mu_);
    ++counts_.requests_device_lost;
  }
}

void DeviceRecovery::OnIncident(const scheduler::DeviceIncident& incident) {
  next_.OnIncident(incident);
  {
    const MutexLock lock(mu_);
    CountLocked(incident);
  }
  if (incident.kind == Kind::kDeviceLost || incident.kind == Kind::kDeviceRecovered) {
    on_change_();
  } else if (incident.kind == Kind::kRecoveryGivenUp && on_given_up_) {
    on_given_up_();
  }
}

void DeviceRecovery::CountLocked(const scheduler::DeviceIncident& incident) {
  switch (incident.kind) {
    case Kind::kLaneAbandoned:
      ++counts_.lanes_abandoned;
      break;
    case Kind::kLaneMended:
      ++counts_.lanes_mended;
      break;
    case Kind::kDeviceLost:
      ++counts_.losses;
      counts_.lost = true;
      break;
    case Kind::kRecoveryFailed:
    case Kind::kRecoveryGivenUp:
      ++counts_.failed_attempts;
      break;
    case Kind::kDeviceRecovered:
      ++counts_.recoveries;
      counts_.lost = false;
      counts_.last_recovery = incident.took;
      break;
  }
}

DeviceRecovery::Snapshot DeviceRecovery::snapshot() const {
  const MutexLock lock(mu_);
  return counts_;
}

}  // namespace omserve::server
