// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_routes.h"

#include <algorithm>
#include <set>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

constexpr size_t kMostLabelBytes = 63;
constexpr size_t kMostLabels = 100;  // Of a model: what is kept must stay readable.

std::string Known(const ModelRoutes& routes) {
  std::vector<std::string> names;
  for (const auto& [label, version] : routes.labels) {
    names.push_back(label);
  }
  return names.empty() ? "it has none" : fmt::format("it has {}", fmt::join(names, ", "));
}

absl::Status NoSuchLabel(const std::string& label, const ModelRoutes& routes) {
  return NotFound("no label '{}': {}", label.substr(0, kMostLabelBytes), Known(routes));
}

}  // namespace

absl::Status CheckLabel(std::string_view label) {
  const auto is_small = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_fine = [&](char c) {
    return is_small(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (label.empty() || label.size() > kMostLabelBytes || !is_small(label.front()) ||
      !std::all_of(label.begin(), label.end(), is_fine)) {
    return InvalidArgument(
        "label '{}': expected a small letter and then letters, digits, '-' and '_', {} at most",
        label.substr(0, kMostLabelBytes), kMostLabelBytes);
  }
  return absl::OkStatus();
}

absl::Status MoveLabel(const std::string& label, int64_t version, ModelRoutes& routes) {
  RETURN_IF_ERROR(CheckLabel(label));
  if (version < 1) {
    return InvalidArgument("label '{}': version {}: expected 1 or more", label, version);
  }
  const auto found = routes.labels.find(label);
  if (found == routes.labels.end()) {
    if (routes.labels.size() == kMostLabels) {
      return InvalidArgument("label '{}': there are {}, and no more are kept; remove one", label,
                             kMostLabels);
    }
    routes.labels[label] = version;
  } else if (found->second != version) {
    routes.previous[label] = std::exchange(found->second, version);
  }
  return absl::OkStatus();
}

absl::Status RemoveLabel(const std::string& label, ModelRoutes& routes) {
  if (!routes.labels.contains(label)) {
    return NoSuchLabel(label, routes);
  }
  if (std::any_of(routes.traffic.begin(), routes.traffic.end(),
                  [&label](const TrafficShare& share) { return share.label == label; })) {
    return FailedPrecondition("label '{}' has a share of the traffic; give that to others first",
                              label);
  }
  routes.labels.erase(label);
  routes.previous.erase(label);
  return absl::OkStatus();
}

absl::Status RollBackLabel(const std::string& label, ModelRoutes& routes) {
  const auto found = routes.labels.find(label);
  if (found == routes.labels.end()) {
    return NoSuchLabel(label, routes);
  }
  const auto before = routes.previous.find(label);
  if (before == routes.previous.end()) {
    return FailedPrecondition("label '{}' has led to version {} from the first", label,
                              found->second);
  }
  std::swap(found->second, before->second);
  return absl::OkStatus();
}

absl::Status SetTraffic(const std::vector<TrafficShare>& shares, ModelRoutes& routes) {
  int64_t sum = 0;
  std::set<std::string> seen;
  for (const TrafficShare& share : shares) {
    if (!routes.labels.contains(share.label)) {
      return InvalidArgument("{}; set it first", MessageOf(NoSuchLabel(share.label, routes)));
    }
    if (!seen.insert(share.label).second) {
      return InvalidArgument("label '{}' has two shares; give it one", share.label);
    }
    if (share.percent < 1 || share.percent > 100) {
      return InvalidArgument("label '{}' has a share of {} %: expected 1 to 100", share.label,
                             share.percent);
    }
    sum += share.percent;
  }
  if (!shares.empty() && sum != 100) {
    return InvalidArgument("the shares make {} %: expected 100", sum);
  }
  routes.traffic = shares;
  return absl::OkStatus();
}

size_t ShareAt(const std::vector<TrafficShare>& traffic, uint64_t place) {
  // The high half of place x 100: 0 to 99.
  const auto percent = static_cast<int>(((place >> 32) * 100) >> 32);
  int end = 0;
  for (size_t i = 0; i + 1 < traffic.size(); ++i) {
    end += traffic[i].percent;
    if (percent < end) {
      return i;
    }
  }
  return traffic.size() - 1;
}

uint64_t PlaceOfKey(std::string_view model, std::string_view key) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, 64 bits,
  const auto add = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (const char c : model) {
    add(static_cast<unsigned char>(c));
  }
  add(0);
  for (const char c : key) {
    add(static_cast<unsigned char>(c));
  }
  // and splitmix64's last step, since its high bits hardly know of the last bytes.
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

uint64_t PlaceOfNumber(uint64_t n) {
  return n * 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio.
}

}  // namespace omserve::server
