// SPDX-License-Identifier: Apache-2.0
// Certificates of signers, and the ones that an operator trusts to say who a signer is.
//
// Source: RFC 5280.
#pragma once

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/trust/keys.h"

namespace omserve::trust {

// What a name in a certificate is, as its text shows: a URI has "://", else an address has "@".
enum class IdentityKind { kName, kEmail, kUri };
IdentityKind KindOfIdentity(std::string_view identity);

struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using CertificateHandle = std::unique_ptr<X509, FreeCertificate>;

inline constexpr size_t kMostChainLength = 8;

// All certificates of a PEM text in order, at least one and at most `most`, as DER. Errors:
// kInvalidArgument.
absl::StatusOr<std::vector<std::string>> CertificatesFromPem(std::string_view pem, size_t most);

// From DER without anything behind it. Errors: kInvalidArgument.
absl::StatusOr<CertificateHandle> CertificateFromDer(std::string_view der);

// Whose certificate it is: its subject alternative names (URIs, DNS names, e-mail addresses) in
// order; where it has no such extension, its common name. Errors: kInvalidArgument where there is
// none of these, or for one with control characters.
absl::StatusOr<std::vector<std::string>> IdentitiesOf(const X509& certificate);

struct CheckedCertificate {
  std::vector<std::string> identities;  // At least one.
  PublicKey key;
};

// Move-only and immutable; const methods are thread-safe.
class CertificateRoots final {
 public:
  // Each is trusted as it stands, whether it signed itself or not. Errors: kInvalidArgument.
  static absl::StatusOr<CertificateRoots> FromPem(std::string_view pem);

  // Checks that a root vouches for `chain` (DER; the signer's first, then who signed it, at most
  // kMostChainLength) at the time `now`, with 112 bits of security, and that the signer's
  // certificate is for signing: key usage digitalSignature, and extended key usage codeSigning, of
  // which it has at least one and denies neither. Revocation is not looked at. Errors:
  // kInvalidArgument naming the certificate.
  absl::StatusOr<CheckedCertificate> Check(const std::vector<std::string>& chain,
                                           std::chrono::system_clock::time_point now) const;

 private:
  struct FreeStore {
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  };
  std::unique_ptr<X509_STORE, FreeStore> store_;
};

}  // namespace omserve::trust
