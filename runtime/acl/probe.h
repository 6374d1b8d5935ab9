// SPDX-License-Identifier: Apache-2.0
// Looks at every device of a library, for an operator who asks what there is.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/acl/device.h"

namespace omserve::acl {

struct DeviceProbe {
  int id = 0;
  absl::Status status;  // Why the device could not be opened or asked; then the rest is empty.
  Device::Memory memory;
  std::optional<bool> is_normal;           // By aclrtQueryDeviceStatus (CANN 7.0).
  std::optional<int> utilization_percent;  // Of the AI cores, where the library says (CANN 7.0).
};

// Opens each device, asks it, and closes it. Blocks for as long as the devices take, on a chip up
// to seconds each.
std::vector<DeviceProbe> ProbeDevices(Runtime& runtime);

// "host": the device has memory of its own; "device": the program runs on the chip, with one
// memory; "unknown": the library did not say.
std::string_view RunModeName(const Runtime& runtime);

}  // namespace omserve::acl
