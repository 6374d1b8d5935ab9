// SPDX-License-Identifier: Apache-2.0
// The target of a request line, taken apart. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace omserve::server {

// Without its query.
std::string_view PathOf(std::string_view target);

// nullopt for a '%' that two hexadecimal digits do not follow.
std::optional<std::string> PercentDecoded(std::string_view text);

}  // namespace omserve::server
