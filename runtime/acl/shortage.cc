// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/shortage.h"

#include <fmt/format.h>

#include <charconv>
#include <string>

#include "absl/strings/cord.h"
#include "runtime/acl/device_error.h"

namespace omserve::acl {
namespace {

constexpr char kShortagePayload[] = "omserve/shortage";

}  // namespace

absl::Status WithShortage(absl::Status status, const Shortage& shortage) {
  status.SetPayload(kShortagePayload,
                    absl::Cord(fmt::format("{} {}", shortage.device, shortage.missing_bytes)));
  return status;
}

std::optional<Shortage> ShortageOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kShortagePayload);
  if (!payload.has_value()) {
    const bool is_device =
        status.code() == absl::StatusCode::kResourceExhausted && DeviceErrorCode(status) != 0;
    return is_device ? std::optional(Shortage{}) : std::nullopt;
  }
  const std::string text(*payload);
  const char* const end = text.data() + text.size();
  Shortage shortage;
  const auto device = std::from_chars(text.data(), end, shortage.device);
  if (device.ec != std::errc() || device.ptr == end ||
      std::from_chars(device.ptr + 1, end, shortage.missing_bytes).ec != std::errc()) {
    return std::nullopt;
  }
  return shortage;
}

}  // namespace omserve::acl
