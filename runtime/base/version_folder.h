// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace omserve {

// The version whose folder in a model's folder is called `name`; nullopt unless it is a whole
// number above 0 without leading zeros. One rule for who loads versions and who signs them: a
// folder that one took for a version and the other did not would be read unsigned.
inline std::optional<int64_t> VersionOfFolder(std::string_view name) {
  int64_t version = 0;
  const char* const end = name.data() + name.size();
  const std::from_chars_result result = std::from_chars(name.data(), end, version);
  if (result.ec != std::errc() || result.ptr != end || version <= 0 || name.starts_with('0')) {
    return std::nullopt;
  }
  return version;
}

}  // namespace omserve
