// SPDX-License-Identifier: Apache-2.0
// Memory for keys and for what was encrypted: pages of its own that are locked against swapping,
// left out of core dumps, and wiped before they are given back.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace omserve::sealed {

// Thread-compatible; move-only, and what was moved from is empty. Sizes are rounded up to whole
// pages, so this is for few or for large secrets.
class SecretBytes final {
 public:
  SecretBytes() = default;
  // Zeros. Pages are taken and locked as they are touched. Errors: kResourceExhausted when the
  // system has no such memory; memory that cannot be locked is none (see note()).
  static absl::StatusOr<SecretBytes> Allocate(size_t size_bytes);
  static absl::StatusOr<SecretBytes> CopyOf(std::span<const std::byte> bytes);

  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  std::span<std::byte> bytes() { return {data_, size_bytes_}; }
  std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }
  std::string_view text() const;
  size_t size_bytes() const { return size_bytes_; }
  bool empty() const { return size_bytes_ == 0; }
  // Only the first `size_bytes` count from now on; what is behind them is wiped.
  // Requires: size_bytes <= size_bytes().
  void Shrink(size_t size_bytes);
  // Overwrites all bytes with zeros; the size stays.
  void Wipe();

  // Whether the memory is locked; where it is not, why and what to do, for a log line.
  bool locked() const { return note_.empty(); }
  const std::string& note() const { return note_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
  size_t mapped_bytes_ = 0;
  std::string note_;
};

}  // namespace omserve::sealed
