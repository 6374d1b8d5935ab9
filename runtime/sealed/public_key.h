// SPDX-License-Identifier: Apache-2.0
// Keys of recipients as PEM: which ones are taken, and the id by which a sealed file names one.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/sealed/openssl_handles.h"
#include "runtime/sealed/secret_bytes.h"

namespace omserve::sealed {

// SHA-1 of the public key's bits, the usual subject key identifier (RFC 5280, 4.2.1.2): a name, on
// which no security rests. The same for a certificate, its public key and its private key.
using PublicKeyId = std::array<std::byte, 20>;

// A certificate that has not expired, or a public key; RSA of at least 2048 bits, or an elliptic
// curve P-256, P-384 or P-521. `source` names it in errors, which are kInvalidArgument.
absl::StatusOr<Key> ReadPublicKey(std::string_view pem, std::string_view source);
// The same of a private key, without a pass phrase.
absl::StatusOr<Key> ReadPrivateKey(const SecretBytes& pem, std::string_view source);

absl::StatusOr<PublicKeyId> IdOf(EVP_PKEY* key);
// 40 hexadecimal digits.
std::string ToText(const PublicKeyId& id);

}  // namespace omserve::sealed
