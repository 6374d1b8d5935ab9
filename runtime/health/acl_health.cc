// SPDX-License-Identifier: Apache-2.0
#include "runtime/health/acl_health.h"

#include "runtime/base/errors.h"
#include "runtime/base/log.h"

namespace omserve::health {
namespace {

// More than the calls of a device can fail in different words; beyond, silence.
constexpr size_t kMaxSaid = 64;

}  // namespace

bool AclHealth::Succeeded(const absl::Status& status) {
  if (!status.ok() && said_.size() < kMaxSaid && said_.emplace(MessageOf(status)).second) {
    OMSERVE_LOG(kInfo, "health", "{}; not reported", MessageOf(status));
  }
  return status.ok();
}

void AclHealth::AddTo(const acl::Device& device, DeviceHealth& health) {
  if (!Succeeded(device.Bind())) {
    return;
  }
  const absl::StatusOr<acl::Device::Memory> memory = device.memory();
  if (Succeeded(memory.status()) && memory->total_bytes != 0) {
    health.acl_memory =
        MemoryUse{.used_bytes = static_cast<double>(memory->total_bytes - memory->free_bytes),
                  .total_bytes = static_cast<double>(memory->total_bytes)};
  }
  const absl::StatusOr<bool> is_normal = device.IsNormal();
  if (Succeeded(is_normal.status())) {
    health.is_normal = *is_normal;
  }
  const absl::StatusOr<acl::Device::Utilization> utilization = device.utilization();
  if (Succeeded(utilization.status())) {
    health.utilization.cube = utilization->cube;
    // DCMI has answered first where there is one.
    if (!health.utilization.vector_core.has_value()) {
      health.utilization.vector_core = utilization->vector;
    }
    if (!health.utilization.ai_cpu.has_value()) {
      health.utilization.ai_cpu = utilization->ai_cpu;
    }
  }
}

}  // namespace omserve::health
