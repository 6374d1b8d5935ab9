// SPDX-License-Identifier: Apache-2.0
// A key of 32 bytes that several parties share, with the name by which a sealed file asks for it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/sealed/secret_bytes.h"

namespace omserve::sealed {

// Immutable; move-only.
class SymmetricKey final {
 public:
  // 1 to 64 letters, digits, '.', '_' and '-'.
  static constexpr size_t kMostIdBytes = 64;

  // From what a key source gave: 32 bytes as they are, 64 hexadecimal digits or 44 characters of
  // base64, the latter two with one line end after them. An empty `id` becomes one that is computed
  // from the key and says nothing about it, so that the same key has it everywhere. Errors:
  // kInvalidArgument, which names `source` and the length, never the bytes.
  static absl::StatusOr<SymmetricKey> FromText(const SecretBytes& text, std::string id,
                                               std::string_view source);

  const std::string& id() const { return id_; }
  std::span<const std::byte> bytes() const { return bytes_.bytes(); }

 private:
  SymmetricKey(SecretBytes bytes, std::string id) : bytes_(std::move(bytes)), id_(std::move(id)) {}

  SecretBytes bytes_;
  std::string id_;
};

}  // namespace omserve::sealed
