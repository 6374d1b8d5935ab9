// SPDX-License-Identifier: Apache-2.0
// The key section of a sealed file: the content key, wrapped for each recipient, as a CMS message
// (RFC 5652, 5083, 5084) that `openssl cms -decrypt` opens too.
//
//   RSA          KeyTransRecipientInfo, OAEP with SHA-256 and MGF1-SHA-256
//   P-256, ...   KeyAgreeRecipientInfo, ephemeral ECDH, X9.63 KDF with SHA-256, AES-256 key wrap
//   symmetric    KEKRecipientInfo, AES-256 key wrap (RFC 3394)
//
// Thread-safe. What is read may come from anybody: it is checked by CheckCmsOutline first, and
// other algorithms than these are refused, since each that is taken is one that can be asked.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/sealed/key_ring.h"
#include "runtime/sealed/recipients.h"
#include "runtime/sealed/secret_bytes.h"

namespace omserve::sealed {

enum class RecipientKind {
  kRsa,
  kEllipticCurve,
  kSymmetric,
  kOther,  // Made by something else; nobody can open it here.
};
std::string_view ToText(RecipientKind kind);

// Who can open a file, as it says itself: true only when the key section's MAC fits.
struct RecipientDescription {
  RecipientKind kind = RecipientKind::kOther;
  // As IdOf has it for a key pair, in hexadecimal; as SymmetricKey has it. Bytes that are no
  // printable characters are shown as '?'.
  std::string key_id;
};

// DER. Requires: a content key of kKeyBytes. Errors: kInvalidArgument without recipients;
// kInternal.
absl::StatusOr<std::vector<std::byte>> WrapContentKey(std::span<const std::byte> content_key,
                                                      const Recipients& recipients);

// With the first key of `ring` that fits. Errors: kFailedPrecondition when no key fits, naming the
// recipients and the keys there are; kInvalidArgument when it is no key section, or was changed.
absl::StatusOr<SecretBytes> UnwrapContentKey(std::span<const std::byte> der, const KeyRing& ring);

// Errors: kInvalidArgument.
absl::StatusOr<std::vector<RecipientDescription>> DescribeKeySection(
    std::span<const std::byte> der);

}  // namespace omserve::sealed
