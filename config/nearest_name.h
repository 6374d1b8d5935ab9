// SPDX-License-Identifier: Apache-2.0
// "did you mean ...?": the known name that a mistyped one is nearest to.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace omserve::config {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
size_t EditDistance(std::string_view a, std::string_view b);

// The candidate nearest to `name` when it is near enough to be meant (a third of the name's
// length, at least 1); "" when none is. The first of equals.
std::string NearestName(std::string_view name, std::span<const std::string> candidates);

// "unknown; did you mean 'NEAREST'? known keys: a, b", the middle part only where there is one.
// `what` is the plural: "keys", "values", "inputs".
std::string UnknownName(std::string_view name, std::string_view what,
                        std::span<const std::string> candidates);

}  // namespace omserve::config
