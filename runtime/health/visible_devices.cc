// SPDX-License-Identifier: Apache-2.0
#include "runtime/health/visible_devices.h"

#include <charconv>
#include <system_error>

namespace omserve::health {

std::optional<unsigned int> LogicalDeviceId(const std::optional<std::string>& visible, int acl_id) {
  if (acl_id < 0) {
    return std::nullopt;
  }
  if (!visible.has_value()) {
    return static_cast<unsigned int>(acl_id);
  }
  const char* at = visible->data();
  const char* const end = at + visible->size();
  for (int index = 0;; ++index) {
    unsigned int id = 0;
    const auto [rest, error] = std::from_chars(at, end, id);
    if (error != std::errc()) {
      return std::nullopt;
    }
    if (index == acl_id) {
      return id;
    }
    if (rest == end || *rest != ',') {
      return std::nullopt;
    }
    at = rest + 1;
  }
}

}  // namespace omserve::health
