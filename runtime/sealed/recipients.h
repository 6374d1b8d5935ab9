// SPDX-License-Identifier: Apache-2.0
// Those for whom a file is sealed: each can open it alone.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/sealed/openssl_handles.h"
#include "runtime/sealed/symmetric_key.h"

namespace omserve::sealed {

// Thread-compatible; move-only.
class Recipients final {
 public:
  static constexpr size_t kMost = 64;

  // A certificate or a public key in PEM, as ReadPublicKey takes them; `source` names it in errors.
  // Errors: kInvalidArgument, also for a key that is there already and for more than kMost.
  absl::Status AddPublicKey(std::string_view pem, std::string_view source);
  absl::Status AddSymmetricKey(SymmetricKey key);

  size_t size() const { return public_keys_.size() + symmetric_keys_.size(); }
  std::span<const Key> public_keys() const { return public_keys_; }
  std::span<const SymmetricKey> symmetric_keys() const { return symmetric_keys_; }

 private:
  absl::Status CheckRoom() const;

  std::vector<Key> public_keys_;
  std::vector<SymmetricKey> symmetric_keys_;
};

}  // namespace omserve::sealed
