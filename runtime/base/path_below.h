// SPDX-License-Identifier: Apache-2.0
// Where a path leads, by its name alone.
#pragma once

#include <string_view>

namespace omserve {

// Whether `path` is written as something below `folder`, which is written without a slash at its
// end. Links and ".." are not looked at.
inline bool IsBelow(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

}  // namespace omserve
