// SPDX-License-Identifier: Apache-2.0
// Base64 with one way to write each value, so that a signed text cannot be changed unnoticed.
//
// Source: RFC 4648.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace omserve::trust {

std::string ToBase64(std::string_view bytes);

// In the standard alphabet or the one for URLs, which DSSE and protobuf allow both, but not mixed;
// padded, without white space, and with zeros in the bits that count for nothing. Else nullopt.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace omserve::trust
