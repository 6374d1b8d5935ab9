// SPDX-License-Identifier: Apache-2.0
// SHA-256 of files, computed once for as long as they stay the same.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/base/digest.h"
#include "runtime/base/pace.h"

namespace omserve::source {

// Errors: kNotFound; kInvalidArgument for what is no regular file; kUnavailable when it cannot be
// read; kCancelled. Links are followed, as mounts have them. Reads no faster than `pace`, where
// there is one. Blocks on the disk.
absl::StatusOr<Digest> DigestOfFile(const std::string& path, const std::stop_token& stop,
                                    Pace* pace = nullptr);

// Thread-compatible.
class DigestCache final {
 public:
  // As DigestOfFile.
  absl::StatusOr<Digest> Of(const std::string& path, const std::stop_token& stop,
                            Pace* pace = nullptr);

 private:
  struct Known {
    uint64_t size_bytes = 0;
    uint64_t inode = 0;
    int64_t modified_ns = 0;
    int64_t changed_ns = 0;  // Of the inode, which no program can set back.
    Digest digest{};
  };
  std::map<std::string, Known> known_;
};

}  // namespace omserve::source
