// SPDX-License-Identifier: Apache-2.0
// Bearer tokens and their hashes. Pure but for NewToken.
//
// Source: RFC 6750.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace omserve::server {

inline constexpr size_t kTokenHashBytes = 32;
using TokenHash = std::array<uint8_t, kTokenHashBytes>;  // SHA-256.

// 256 random bits as text: "oms_" and 43 letters, digits, '-' and '_'. Empty when the system has no
// randomness.
std::string NewToken();

// The token of an Authorization field, "Bearer TOKEN". nullopt: it is of another form, or longer
// than 512 bytes.
std::optional<std::string_view> BearerToken(std::string_view authorization);

TokenHash HashOf(std::string_view token);
std::string HexOf(const TokenHash& hash);
// nullopt unless `hex` is 64 hexadecimal digits.
std::optional<TokenHash> HashFromHex(std::string_view hex);

// In a time that does not depend on where they differ. The lengths are no secret.
bool AreEqual(const TokenHash& a, const TokenHash& b);
bool AreEqual(std::string_view a, std::string_view b);

}  // namespace omserve::server
