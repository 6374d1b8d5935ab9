// SPDX-License-Identifier: Apache-2.0
#include "server/core/version_policy.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "runtime/base/errors.h"

namespace omserve::server {

absl::StatusOr<std::vector<int64_t>> SelectVersions(const inference::ModelVersionPolicy& policy,
                                                    const std::vector<int64_t>& found) {
  if (policy.has_all()) {
    return found;
  }
  if (policy.has_specific()) {
    // A set: a version that is named twice is served once, and the order is ours.
    const std::set<int64_t> wanted(policy.specific().versions().begin(),
                                   policy.specific().versions().end());
    for (const int64_t version : wanted) {
      if (!std::binary_search(found.begin(), found.end(), version)) {
        return InvalidArgument(
            "version_policy asks for version {}, but the folder has [{}]; add the folder '{}' or "
            "take the version out of the policy",
            version, fmt::join(found, ","), version);
      }
    }
    return std::vector<int64_t>(wanted.begin(), wanted.end());
  }
  const size_t asked = policy.has_latest() ? policy.latest().num_versions() : 1;
  const size_t count = std::min(found.size(), std::max<size_t>(asked, 1));
  return std::vector<int64_t>(found.end() - static_cast<std::ptrdiff_t>(count), found.end());
}

absl::StatusOr<std::optional<int64_t>> ParseVersion(const std::string& text) {
  if (text.empty()) {
    return std::optional<int64_t>();
  }
  int64_t version = 0;
  const char* end = text.data() + text.size();
  const std::from_chars_result parsed = std::from_chars(text.data(), end, version);
  if (parsed.ec != std::errc() || parsed.ptr != end || version < 1) {
    // Cut: a hostile client must not choose the size of our messages.
    return InvalidArgument(
        "failed to get model version from specified version string '{}', version should be an "
        "integral value > 0",
        text.substr(0, 64));
  }
  return std::optional<int64_t>(version);
}

}  // namespace omserve::server
