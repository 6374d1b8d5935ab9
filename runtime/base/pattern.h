// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace omserve {

// Whether `text` is of the pattern, in which '*' stands for any text. Pure. Takes at most as many
// steps as the product of both sizes.
bool FitsPattern(std::string_view pattern, std::string_view text);

}  // namespace omserve
