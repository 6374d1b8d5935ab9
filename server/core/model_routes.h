// SPDX-License-Identifier: Apache-2.0
// Which version a request goes to that names a label, or nothing at all, in place of a version.
// Pure.
//
// A label is a name for a version that moves: "stable", "canary". Shares of a model's traffic are
// given to labels; a request that brings a key goes to the same share each time, on every daemon
// that has the same shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace omserve::server {

// The header, of gRPC the metadata, that brings a request's key.
inline constexpr char kTrafficKey[] = "omserve-traffic-key";

struct TrafficShare {
  std::string label;
  int percent = 0;

  bool operator==(const TrafficShare&) const = default;
};

struct ModelRoutes {
  std::map<std::string, int64_t> labels;    // The version that each leads to.
  std::map<std::string, int64_t> previous;  // Where it led before, if it led elsewhere.
  // Of requests that name no version, in this order; empty: they go to the highest one served.
  std::vector<TrafficShare> traffic;

  bool operator==(const ModelRoutes&) const = default;
};

// Errors: kInvalidArgument unless it is a small letter and then letters, digits, '-' and '_', 63 at
// most: never to be taken for a number.
absl::Status CheckLabel(std::string_view label);

// All of these change nothing on an error.

// From now on `label` leads to `version`. Errors: CheckLabel's; kInvalidArgument for a version
// below 1, and for more than 100 labels.
absl::Status MoveLabel(const std::string& label, int64_t version, ModelRoutes& routes);
// Errors: kNotFound; kFailedPrecondition where traffic goes by it.
absl::Status RemoveLabel(const std::string& label, ModelRoutes& routes);
// Back to where it led before; once more, and it leads here again. Errors: kNotFound;
// kFailedPrecondition where it has never led elsewhere.
absl::Status RollBackLabel(const std::string& label, ModelRoutes& routes);
// An empty `shares` takes them away. Errors: kInvalidArgument unless they are labels that there
// are, each once, of 1 to 100 that make 100.
absl::Status SetTraffic(const std::vector<TrafficShare>& shares, ModelRoutes& routes);

// The share that a place falls into, of 2^64 places that are shared out in order: who moves the
// border between two shares moves no request of the others. Requires shares.
size_t ShareAt(const std::vector<TrafficShare>& traffic, uint64_t place);
// Where a request with this key stands; the same on every machine, and of no connection with where
// it stands for another model.
uint64_t PlaceOfKey(std::string_view model, std::string_view key);
// Where the n-th request without one stands: spread so evenly that each share has its part of any
// handful of them.
uint64_t PlaceOfNumber(uint64_t n);

}  // namespace omserve::server
