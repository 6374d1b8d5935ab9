// SPDX-License-Identifier: Apache-2.0
// SHA256SUMS: which files belong together, and what is in them. Who has written it last says by it
// that they are complete.
//
// Source: the output of sha256sum (GNU coreutils), text or binary.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/digest.h"

namespace omserve::source {

inline constexpr std::string_view kSumsName = "SHA256SUMS";
inline constexpr size_t kMostSumsBytes = size_t{16} << 20;
inline constexpr size_t kMostFiles = 65'536;
inline constexpr size_t kMostPathBytes = 1024;

struct Sum {
  std::string path;  // See CheckPath.
  Digest digest{};

  bool operator==(const Sum&) const = default;
};

// Relative, of parts that are separated by single '/', none of which begins with '.', without
// control characters and backslashes, at most kMostPathBytes. Errors: kInvalidArgument.
absl::Status CheckPath(std::string_view path);

// Sorted by path; "./" in front of a path is dropped, as `find` writes it. No path is listed twice,
// nor as a file and a folder. Errors: kInvalidArgument, `where` and the line in front; also for a
// last line without an end, which is what a file that was cut short has. Pure.
absl::StatusOr<std::vector<Sum>> ParseSums(std::string_view text, std::string_view where);

// What ParseSums reads.
std::string WriteSums(const std::vector<Sum>& sums);

}  // namespace omserve::source
