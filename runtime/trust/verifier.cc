// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/verifier.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"
#include "runtime/trust/bundle.h"

namespace omserve::trust {
namespace {

// By a key of the operator's. A bundle without a hint may be any one's.
absl::StatusOr<Signer> CheckWithKeys(const Bundle& bundle, const std::string& message,
                                     const TrustRoots& roots) {
  if (roots.public_keys().empty()) {
    return InvalidArgument(
        "signature: made with the key {}, and no public key is trusted; give its public key",
        bundle.key_hint.empty() ? "of somebody" : Shown(bundle.key_hint));
  }
  bool is_known = bundle.key_hint.empty();
  for (const PublicKey& key : roots.public_keys()) {
    if (!bundle.key_hint.empty() && bundle.key_hint != key.fingerprint()) {
      continue;
    }
    is_known = true;
    const absl::Status status = key.Verify(message, bundle.signature);
    if (status.ok()) {
      return Signer{.identities = {}, .key_fingerprint = key.fingerprint()};
    }
    if (!bundle.key_hint.empty()) {
      return WithContext(status, "signature");
    }
  }
  if (!is_known) {
    return InvalidArgument(
        "signature: made with the key {}, which is not among the {} that are trusted (the first "
        "is {})",
        Shown(bundle.key_hint), roots.public_keys().size(),
        roots.public_keys().front().fingerprint());
  }
  return InvalidArgument("signature: not made by any of the {} public keys that are trusted",
                         roots.public_keys().size());
}

absl::StatusOr<Signer> CheckWithCertificates(const Bundle& bundle, const std::string& message,
                                             const TrustRoots& roots,
                                             std::chrono::system_clock::time_point now) {
  if (!roots.certificates().has_value()) {
    return InvalidArgument(
        "certificate: the bundle was signed with one, and no authority is trusted; give the "
        "certificate of its authority");
  }
  absl::StatusOr<CheckedCertificate> checked =
      roots.certificates()->Check(bundle.certificates, now);
  RETURN_IF_ERROR(WithContext(checked.status(), "certificate"));
  RETURN_IF_ERROR(WithContext(checked->key.Verify(message, bundle.signature), "signature"));
  return Signer{.identities = std::move(checked->identities),
                .key_fingerprint = checked->key.fingerprint()};
}

}  // namespace

absl::StatusOr<TrustRoots> TrustRoots::Create(const Texts& texts) {
  TrustRoots roots;
  if (texts.public_keys.empty() && texts.certificates.empty()) {
    return InvalidArgument("nobody is trusted; give public keys or certificates of authorities");
  }
  if (!texts.public_keys.empty()) {
    ASSIGN_OR_RETURN(roots.public_keys_, ReadPublicKeys(texts.public_keys));
  }
  if (!texts.certificates.empty()) {
    ASSIGN_OR_RETURN(roots.certificates_, CertificateRoots::FromPem(texts.certificates));
  }
  return roots;
}

std::string Signer::Text() const {
  return identities.empty() ? "key " + key_fingerprint : Shown(identities.front());
}

absl::StatusOr<SignedStatement> VerifyBundle(std::string_view bundle_text, const TrustRoots& roots,
                                             std::chrono::system_clock::time_point now) {
  ASSIGN_OR_RETURN(const Bundle bundle, ParseBundle(bundle_text));
  const std::string message = PreAuthEncoding(bundle.payload);
  SignedStatement result;
  if (bundle.certificates.empty()) {
    ASSIGN_OR_RETURN(result.signer, CheckWithKeys(bundle, message, roots));
  } else {
    ASSIGN_OR_RETURN(result.signer, CheckWithCertificates(bundle, message, roots, now));
  }
  ASSIGN_OR_RETURN(result.statement, ParseStatement(bundle.payload));
  return result;
}

}  // namespace omserve::trust
