// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/signer.h"

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/trust/bundle.h"
#include "runtime/trust/certificates.h"

namespace omserve::trust {
namespace {

absl::Status CheckIsOwn(const std::string& der, const PublicKey& key) {
  ASSIGN_OR_RETURN(const CertificateHandle certificate, CertificateFromDer(der));
  ASSIGN_OR_RETURN(const PublicKey own, PublicKey::OfCertificate(*certificate));
  if (own.fingerprint() != key.fingerprint()) {
    return InvalidArgument(
        "the first one is of the key {}, expected the signing key's, {}; put the signer's own "
        "first",
        own.fingerprint(), key.fingerprint());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SignStatement(const Statement& statement, const PrivateKey& key,
                                          const std::vector<std::string>& certificates) {
  if (certificates.size() > kMostChainLength) {
    return InvalidArgument("certificate: {} of them, expected at most {}", certificates.size(),
                           kMostChainLength);
  }
  if (!certificates.empty()) {
    RETURN_IF_ERROR(WithContext(CheckIsOwn(certificates.front(), key.public_key()), "certificate"));
  }
  Bundle bundle;
  ASSIGN_OR_RETURN(bundle.payload, WriteStatement(statement));
  const std::string message = PreAuthEncoding(bundle.payload);
  ASSIGN_OR_RETURN(bundle.signature, key.Sign(message));
  // A fault while signing could give the key away; what does not check is not given out.
  RETURN_IF_ERROR(
      WithContext(key.public_key().Verify(message, bundle.signature), "signature just made"));
  bundle.certificates = certificates;
  if (certificates.empty()) {
    bundle.key_hint = key.public_key().fingerprint();
  }
  return WriteBundle(bundle);
}

}  // namespace omserve::trust
