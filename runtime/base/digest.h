// SPDX-License-Identifier: Apache-2.0
// SHA-256 of bytes and of parts of files. A library of its own (omserve::digest), since it needs
// OpenSSL and the rest of runtime/base does not.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/descriptor.h"

namespace omserve {

inline constexpr size_t kDigestBytes = 32;
using Digest = std::array<uint8_t, kDigestBytes>;

std::string HexOf(const Digest& digest);  // Lower case.
// nullopt unless `hex` is 64 digits of either case.
std::optional<Digest> DigestFromHex(std::string_view hex);
Digest DigestOf(std::span<const std::byte> bytes);
Digest DigestOf(std::string_view text);

// Bytes that come one after the other. Thread-compatible.
class Digester final {
 public:
  Digester();
  void Update(std::span<const std::byte> bytes);
  Digest Finish();  // Once; nothing is called after it.

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

// The bytes from `begin` to before `end`.
struct ByteRange {
  uint64_t begin = 0;
  uint64_t end = 0;

  uint64_t size() const { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

// A file that is open for its digests. Move-only; const methods are thread-safe.
class DigestedFile final {
 public:
  // Errors: kNotFound; kInvalidArgument for what is no regular file, which a symbolic link is not
  // either, naming `path`. Blocks on the disk.
  static absl::StatusOr<DigestedFile> Open(const std::string& path);

  uint64_t size_bytes() const { return size_bytes_; }  // When it was opened.

  // Reads 256 KiB at a time, and tells `progress`, where there is one, how many bytes that were.
  // Errors: kInvalidArgument when the file ends before the range does. Blocks on the disk.
  absl::StatusOr<Digest> DigestOfRange(const ByteRange& range,
                                       const std::function<void(uint64_t)>& progress) const;

 private:
  DigestedFile(Descriptor fd, std::string path, uint64_t size_bytes)
      : fd_(std::move(fd)), path_(std::move(path)), size_bytes_(size_bytes) {}

  Descriptor fd_;
  std::string path_;
  uint64_t size_bytes_ = 0;
};

}  // namespace omserve
