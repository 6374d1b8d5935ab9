// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/device.h"

#include <utility>

#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {

void CoreGate::Take() {
  const MutexLock lock(mu_);
  while (held_ >= limit_) {
    free_cv_.Wait(mu_);
  }
  ++held_;
}

void CoreGate::Return() {
  {
    const MutexLock lock(mu_);
    --held_;
  }
  free_cv_.NotifyOne();
}

int32_t CoreGate::busy_percent() const {
  const MutexLock lock(mu_);
  return static_cast<int32_t>(held_ * 100 / cores_);
}

void CoreGate::SetLimit(uint32_t limit) {
  {
    const MutexLock lock(mu_);
    limit_ = limit;
  }
  free_cv_.NotifyAll();
}

uint32_t CoreGate::limit() const {
  const MutexLock lock(mu_);
  return limit_;
}

bool Quota::Take(uint32_t count) {
  const MutexLock lock(mu_);
  if (count > limit_ - taken_) {
    return false;
  }
  taken_ += count;
  return true;
}

void Quota::Return(uint32_t count) {
  const MutexLock lock(mu_);
  taken_ -= count;
}

uint32_t Quota::available() const {
  const MutexLock lock(mu_);
  return limit_ - taken_;
}

absl::StatusOr<std::shared_ptr<Device>> Device::Create(int32_t index, const Settings& settings) {
  DeviceMemory::Options options;
  options.capacity_bytes = settings.memory_bytes;
  options.separate_address_space = settings.run_mode == ACL_HOST;
  options.device_index = index;
  ASSIGN_OR_RETURN(std::unique_ptr<DeviceMemory> memory, DeviceMemory::Create(options));
  return std::shared_ptr<Device>(new Device(index, settings, std::move(memory)));  // NOLINT
}

Device::Device(int32_t index, const Settings& settings, std::unique_ptr<DeviceMemory> memory)
    : index_(index),
      physical_index_(settings.visible_devices[static_cast<size_t>(index)]),
      started_at_(SteadyClock().Now()),
      memory_(std::move(memory)),
      cores_(settings.cores),
      timed_(settings.engine == kTimedEngine
                 ? std::make_unique<TimedDevice>(settings.cores, settings.timed)
                 : nullptr),
      streams_(settings.max_streams),
      events_(settings.max_events) {}

int32_t Device::busy_percent() const {
  return timed_ != nullptr ? timed_->cores.busy_percent() : cores_.busy_percent();
}

absl::Status Device::TakeStreams(uint32_t count) {
  if (!streams_.Take(count)) {
    return Fail(ACL_ERROR_RT_NO_STREAM_RESOURCE,
                "device {}: {} streams were asked for, {} of {} are left; destroy some, or raise "
                "max_streams",
                index_, count, streams_.available(), streams_.limit());
  }
  return absl::OkStatus();
}

}  // namespace omserve::hostacl
