// SPDX-License-Identifier: Apache-2.0
// Whole files: read, mapped, or replaced atomically.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace omserve {

// A read-only mapping; move-only. Empty files map to an empty span.
class MappedFile final {
 public:
  // kNotFound or kInvalidArgument (not a regular file), naming the path. Blocks on the disk.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }

 private:
  MappedFile(const std::byte* data, size_t size_bytes) : data_(data), size_bytes_(size_bytes) {}

  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

// Reads at most `limit_bytes`; a longer file is kInvalidArgument.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit_bytes = size_t{1} << 30);

// Writes beside `path` and renames over it, so that no reader sees half a file.
absl::Status WriteFileAtomically(const std::string& path, std::string_view contents);

}  // namespace omserve
