// SPDX-License-Identifier: Apache-2.0
// What the last system call of this thread failed of, in words.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace omserve {

inline std::string ErrnoText(int error = errno) { return std::generic_category().message(error); }

}  // namespace omserve
