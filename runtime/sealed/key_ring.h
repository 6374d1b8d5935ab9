// SPDX-License-Identifier: Apache-2.0
// The keys that somebody holds: sealed files are opened with whichever of them fits.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/sealed/openssl_handles.h"
#include "runtime/sealed/public_key.h"
#include "runtime/sealed/symmetric_key.h"

namespace omserve::sealed {

// Thread-compatible: once filled, any number of threads may open files with it. Move-only.
//
// A private key becomes an object of OpenSSL's, in its heap: it is wiped when it is given back, but
// not locked, unless the program gave OpenSSL a secure heap (CRYPTO_secure_malloc_init) before.
class KeyRing final {
 public:
  struct PrivateKey {
    PublicKeyId id;
    Key key;
  };

  // PEM, as ReadPrivateKey takes it; `source` names it in errors, which are kInvalidArgument.
  absl::Status AddPrivateKey(const SecretBytes& pem, std::string_view source);
  // kInvalidArgument when a key with the same id is there.
  absl::Status AddSymmetricKey(SymmetricKey key);

  bool empty() const { return private_keys_.empty() && symmetric_keys_.empty(); }
  std::span<const PrivateKey> private_keys() const { return private_keys_; }
  const PrivateKey* FindPrivateKey(std::span<const std::byte> id) const;
  const SymmetricKey* FindSymmetricKey(std::string_view id) const;
  // The ids of all keys, for errors: "a1b2..., key 'site-7'", or "none".
  std::string ToText() const;

 private:
  std::vector<PrivateKey> private_keys_;
  std::vector<SymmetricKey> symmetric_keys_;
};

}  // namespace omserve::sealed
