// SPDX-License-Identifier: Apache-2.0
// The file of a signature: a Sigstore bundle around a DSSE envelope, as JSON.
//
// Sources: Sigstore's protobuf specifications (bundle v0.3), DSSE v1.0.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::trust {

inline constexpr size_t kMostBundleBytes = size_t{32} << 20;

// Exactly one of key_hint and certificates is used: certificates, where there are any.
struct Bundle {
  std::string key_hint;  // Which public key checks the signature (its fingerprint); may be empty.
  std::vector<std::string> certificates;  // DER; the signer's first.
  std::string payload;                    // The statement, byte for byte as it was signed.
  std::string signature;

  bool operator==(const Bundle&) const = default;
};

std::string WriteBundle(const Bundle& bundle);

// Checks the form only. What is in a bundle for services (a transparency log's entries, timestamps)
// is passed over. Errors: kInvalidArgument with "bundle JSON: ", "certificate: ", "envelope: " or
// "signature: " in front.
absl::StatusOr<Bundle> ParseBundle(std::string_view text);

// What is signed in place of the payload itself, so that it cannot be taken for another type's.
std::string PreAuthEncoding(std::string_view payload);

}  // namespace omserve::trust
