// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/probe.h"

#include <memory>

#include "runtime/acl/status.h"
#include "runtime/acl/symbols.h"
#include "runtime/base/errors.h"

namespace omserve::acl {
namespace {

// What the library does not know, or refuses to say, is left out: it is no fault of the device.
std::optional<bool> AskIsNormal(const Symbols& symbols, int id) {
  aclrtDeviceStatus status = ACL_RT_DEVICE_STATUS_END;
  if (symbols.aclrtQueryDeviceStatus == nullptr ||
      symbols.aclrtQueryDeviceStatus(id, &status) != ACL_SUCCESS) {
    return std::nullopt;
  }
  return status == ACL_RT_DEVICE_STATUS_NORMAL;
}

std::optional<int> AskUtilization(const Symbols& symbols, int id) {
  aclrtUtilizationInfo info = {};
  if (symbols.aclrtGetDeviceUtilizationRate == nullptr ||
      symbols.aclrtGetDeviceUtilizationRate(id, &info) != ACL_SUCCESS || info.cubeUtilization < 0) {
    return std::nullopt;
  }
  return info.cubeUtilization;
}

absl::StatusOr<DeviceProbe> Probe(Runtime& runtime, int id) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Device> device, runtime.OpenDevice(id));
  ASSIGN_OR_RETURN(const Device::Memory memory, device->memory());
  return DeviceProbe{.id = id,
                     .status = absl::OkStatus(),
                     .memory = memory,
                     .is_normal = AskIsNormal(runtime.symbols(), id),
                     .utilization_percent = AskUtilization(runtime.symbols(), id)};
}

}  // namespace

std::vector<DeviceProbe> ProbeDevices(Runtime& runtime) {
  std::vector<DeviceProbe> probes;
  for (uint32_t i = 0; i < runtime.device_count(); ++i) {
    const int id = static_cast<int>(i);
    absl::StatusOr<DeviceProbe> probe = Probe(runtime, id);
    probes.push_back(probe.ok() ? *std::move(probe)
                                : DeviceProbe{.id = id, .status = probe.status()});
  }
  return probes;
}

std::string_view RunModeName(const Runtime& runtime) {
  aclrtRunMode mode = ACL_HOST;
  if (runtime.symbols().aclrtGetRunMode(&mode) != ACL_SUCCESS) {
    return "unknown";
  }
  return mode == ACL_DEVICE ? "device" : "host";
}

}  // namespace omserve::acl
