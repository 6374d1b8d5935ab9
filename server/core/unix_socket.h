// SPDX-License-Identifier: Apache-2.0
// Paths of Unix sockets that a server listens on.
#pragma once

#include <string>

namespace omserve::server {

// Takes away what a daemon left that did not end well: its socket is there, and nobody listens.
void RemoveAbandonedSocket(const std::string& path);
// Whether somebody listens there.
bool IsSocketInUse(const std::string& path);

}  // namespace omserve::server
