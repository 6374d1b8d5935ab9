// SPDX-License-Identifier: Apache-2.0
// Keys that sign, and keys that signatures are checked with: ECDSA on P-256, P-384 and P-521 with
// the hash of their size, Ed25519, and RSA of 2048 to 16384 bits (PKCS #1 v1.5 with SHA-256).
//
// Source: the algorithms of Sigstore's protobuf specifications.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::trust {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using KeyHandle = std::unique_ptr<EVP_PKEY, FreeKey>;

// What OpenSSL last failed of on this thread, and forgets it; "no reason given" where nothing is.
std::string TakeOpensslError();

// Move-only and immutable; const methods are thread-safe.
class PublicKey final {
 public:
  // Errors: kInvalidArgument for a kind of key that is not among those above.
  static absl::StatusOr<PublicKey> Of(KeyHandle key);
  static absl::StatusOr<PublicKey> OfCertificate(const X509& certificate);

  // 64 hexadecimal digits: SHA-256 of the key as PEM, as `openssl pkey -pubout | sha256sum` and
  // `sha256sum key.pub` show it. Upstream's hint in a bundle is the same.
  const std::string& fingerprint() const { return fingerprint_; }
  const std::string& kind() const { return kind_; }  // "ECDSA P-256", for people.

  // Errors: kInvalidArgument.
  absl::Status Verify(std::string_view message, std::string_view signature) const;

 private:
  friend class PrivateKey;
  PublicKey() = default;

  KeyHandle key_;
  const EVP_MD* hash_ = nullptr;  // Null for Ed25519, which hashes by itself.
  std::string kind_;
  std::string fingerprint_;
};

// All public keys of a PEM text, at least one. Errors: kInvalidArgument, also for a text with a
// private key, which does not belong where signatures are checked.
absl::StatusOr<std::vector<PublicKey>> ReadPublicKeys(std::string_view pem);

// Move-only and immutable; const methods are thread-safe. OpenSSL wipes it when it goes.
class PrivateKey final {
 public:
  // Errors: kInvalidArgument, also for a key under a passphrase, which is never asked for.
  static absl::StatusOr<PrivateKey> FromPem(std::string_view pem);

  const PublicKey& public_key() const { return public_key_; }
  // Errors: kInternal from OpenSSL.
  absl::StatusOr<std::string> Sign(std::string_view message) const;

 private:
  explicit PrivateKey(PublicKey public_key) : public_key_(std::move(public_key)) {}

  PublicKey public_key_;  // Whose handle holds the private part as well.
};

}  // namespace omserve::trust
