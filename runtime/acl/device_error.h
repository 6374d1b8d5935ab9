// SPDX-License-Identifier: Apache-2.0
// What a failure of a call or task says of its device.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace omserve::acl {

// AscendCL's number behind a status of this folder, also after WithContext; 0 where there is none.
int DeviceErrorCode(const absl::Status& status);

enum class DeviceState : uint8_t {
  kUsable,    // The failure is one of the call or task alone.
  kDoubtful,  // After such a failure a context normally does no more work: Device::Probe tells.
  kLost,      // Nothing succeeds before the device is reset.
};
DeviceState DeviceStateAfter(const absl::Status& status);

// `status` with the number; for this folder.
absl::Status WithDeviceErrorCode(absl::Status status, int code);

}  // namespace omserve::acl
