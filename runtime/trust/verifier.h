// SPDX-License-Identifier: Apache-2.0
// From the text of a bundle to what somebody who is known says of a model.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/trust/certificates.h"
#include "runtime/trust/keys.h"
#include "runtime/trust/statement.h"

namespace omserve::trust {

// Who vouches for signers. Move-only and immutable; const methods are thread-safe.
class TrustRoots final {
 public:
  struct Texts {
    std::string public_keys;   // PEM; empty: no bundle that was signed with a key alone counts.
    std::string certificates;  // PEM, of authorities; empty: none signed with a certificate does.
  };
  // Errors: kInvalidArgument where a text cannot be read or both are empty.
  static absl::StatusOr<TrustRoots> Create(const Texts& texts);

  const std::vector<PublicKey>& public_keys() const { return public_keys_; }
  const std::optional<CertificateRoots>& certificates() const { return certificates_; }

 private:
  std::vector<PublicKey> public_keys_;
  std::optional<CertificateRoots> certificates_;
};

struct Signer {
  std::vector<std::string> identities;  // Of its certificate; empty for a key alone.
  std::string key_fingerprint;          // As PublicKey::fingerprint, of either.

  // "release@example.org" or "key 0123...", for messages.
  std::string Text() const;
};

struct SignedStatement {
  Signer signer;
  Statement statement;
};

// Whether a root vouches for who signed the bundle, and what it then says. That its statement is of
// the model at hand, and that files are as it says, is not looked at: see policy.h and folder.h.
// Nothing in the statement is read before its signature was found good.
// Errors: kInvalidArgument with the part in front: "bundle JSON: ", "envelope: ", "certificate: ",
// "signature: " or "statement: ".
absl::StatusOr<SignedStatement> VerifyBundle(std::string_view bundle_text, const TrustRoots& roots,
                                             std::chrono::system_clock::time_point now);

}  // namespace omserve::trust
