// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/device_error.h"

#include <charconv>
#include <string>

#include "absl/strings/cord.h"
#include "runtime/acl/error_table.h"

namespace omserve::acl {
namespace {

constexpr char kPayload[] = "omserve/acl-code";

}  // namespace

absl::Status WithDeviceErrorCode(absl::Status status, int code) {
  status.SetPayload(kPayload, absl::Cord(std::to_string(code)));
  return status;
}

int DeviceErrorCode(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload.has_value()) {
    return 0;
  }
  const std::string digits(*payload);
  int code = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), code);
  return code;
}

DeviceState DeviceStateAfter(const absl::Status& status) {
  const int code = DeviceErrorCode(status);
  if (code == 0 || !DeviceIsUnusableAfter(code)) {
    return DeviceState::kUsable;
  }
  return code == ACL_ERROR_RT_LOST_HEARTBEAT || code == ACL_ERROR_RT_SOCKET_CLOSE
             ? DeviceState::kLost
             : DeviceState::kDoubtful;
}

}  // namespace omserve::acl
