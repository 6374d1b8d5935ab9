// SPDX-License-Identifier: Apache-2.0
// The three keys of one file, derived from its content key and its id: for the chunks, for the MAC
// of the fixed header and for the MAC of the key section. Separate keys, so that no use of one says
// anything about another.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "runtime/sealed/header.h"
#include "runtime/sealed/secret_bytes.h"

namespace omserve::sealed {

inline constexpr size_t kKeyBytes = 32;
using Mac = std::array<std::byte, kMacBytes>;

// Immutable; move-only.
class FileKeys final {
 public:
  // Requires: a content key of kKeyBytes.
  static absl::StatusOr<FileKeys> Derive(std::span<const std::byte> content_key,
                                         const std::array<std::byte, kFileIdBytes>& file_id);

  std::span<const std::byte> chunk_key() const { return keys_.bytes().first(kKeyBytes); }

  // Of the header's fixed part, and of its key section with the length in front. Errors: kInternal.
  absl::StatusOr<Mac> HeaderMac(const Header& header) const;
  absl::StatusOr<Mac> KeySectionMac(const Header& header) const;
  // Both are what the header says; else kInvalidArgument naming the part that was changed.
  absl::Status CheckMacs(const Header& header) const;

 private:
  explicit FileKeys(SecretBytes keys) : keys_(std::move(keys)) {}

  SecretBytes keys_;
};

}  // namespace omserve::sealed
