// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/pattern.h"

#include <cstddef>
#include <optional>

namespace omserve {

bool FitsPattern(std::string_view pattern, std::string_view text) {
  // Where the last '*' stands, and the first byte of the text that it does not cover yet.
  std::optional<size_t> star;
  size_t uncovered = 0;
  size_t p = 0;
  size_t t = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      uncovered = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star.has_value()) {
      p = *star + 1;
      t = ++uncovered;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace omserve
