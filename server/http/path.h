// SPDX-License-Identifier: Apache-2.0
// The target of a request line, taken apart. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::server {

// Without its query.
std::string_view PathOf(std::string_view target);

// What stands between the slashes.
std::vector<std::string_view> Segments(std::string_view path);

// nullopt for a '%' that two hexadecimal digits do not follow.
std::optional<std::string> PercentDecoded(std::string_view text);

struct ModelTarget {
  std::string model;
  std::string version;  // Empty: the latest.
};

// Takes "/v2/models/M/`verb`" and "/v2/models/M/versions/V/`verb`" apart. nullopt: `path` is none
// of the two. kInvalidArgument: it is, but for a '%' without its digits.
absl::StatusOr<std::optional<ModelTarget>> ParseModelPath(std::string_view path,
                                                          std::string_view verb);

}  // namespace omserve::server
