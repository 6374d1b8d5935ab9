// SPDX-License-Identifier: Apache-2.0
#include "config/nearest_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace omserve::config {
namespace {

// Nobody mistypes a longer name than this, and the distance costs the product of the lengths.
constexpr size_t kLongestName = 80;

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> current(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t k = 1; k <= b.size(); ++k) {
      const size_t substituted = last[k - 1] + (a[i - 1] == b[k - 1] ? 0 : 1);
      current[k] = std::min({last[k] + 1, current[k - 1] + 1, substituted});
      if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1]) {
        current[k] = std::min(current[k], before_last[k - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, current);
  }
  return last[b.size()];
}

std::string NearestName(std::string_view name, std::span<const std::string> candidates) {
  if (name.empty() || name.size() > kLongestName) {
    return "";
  }
  size_t best = std::max<size_t>(1, name.size() / 3) + 1;
  std::string nearest;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestName) {
      continue;
    }
    const size_t distance = EditDistance(name, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string UnknownName(std::string_view name, std::string_view what,
                        std::span<const std::string> candidates) {
  const std::string nearest = NearestName(name, candidates);
  std::string text = "unknown; ";
  if (!nearest.empty()) {
    text += fmt::format("did you mean '{}'? ", nearest);
  }
  if (candidates.empty()) {
    return text + fmt::format("there are no known {}", what);
  }
  return text + fmt::format("known {}: {}", what, fmt::join(candidates, ", "));
}

}  // namespace omserve::config
