// SPDX-License-Identifier: Apache-2.0
// Looks over a key section before OpenSSL does. Who can write a model's file can write anything
// here, and OpenSSL takes far more than we write: other content types (which lets an attacker read
// GCM's output as CBC's), ciphers with parameters of any size, BER.
#pragma once

#include <cstddef>
#include <span>

#include "absl/status/status.h"

namespace omserve::sealed {

// Whether `der` is one ContentInfo of AuthEnvelopedData (RFC 5083) as WrapContentKey writes it:
// version 0, no certificates, AES-256-GCM (RFC 5084) with a nonce of 12 bytes and a tag of 16, 32
// bytes of content, no attributes, nothing behind. Recipients are OpenSSL's to read. Errors:
// kInvalidArgument, naming the element.
absl::Status CheckCmsOutline(std::span<const std::byte> der);

}  // namespace omserve::sealed
