// SPDX-License-Identifier: Apache-2.0
// How many files, and so connections, the process may have open.
#pragma once

#include <cstddef>

namespace omserve::server {

// Raises the limit as far as the system lets this process, and gives what it is then.
size_t RaiseOpenFileLimit();

}  // namespace omserve::server
