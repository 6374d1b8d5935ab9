// SPDX-License-Identifier: Apache-2.0
// Files on this machine, for sources that are folders. Internal to runtime/source.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "runtime/source/source.h"

namespace omserve::source {

// By which a file is known again without reading it. A rename keeps it.
struct FileIdentity {
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;  // Since the epoch.
  uint64_t inode = 0;

  static FileIdentity Of(const struct stat& info);
  bool operator==(const FileIdentity&) const = default;
};

// As Source::Read. Errors: kNotFound; kInvalidArgument for what is no regular file, naming the
// path.
absl::Status ReadLocalFile(const std::string& path, const Resume& resume, ByteSink& sink,
                           const std::stop_token& stop);

}  // namespace omserve::source
