// SPDX-License-Identifier: Apache-2.0
// Paths of Unix sockets that a server listens on. Asks the kernel; does not wait. For the start.
#pragma once

#include <string>

namespace omserve::server {

// Takes away what a daemon left that did not end well: its socket is there, and nobody listens.
void RemoveAbandonedSocket(const std::string& path);
// Whether somebody listens there.
bool IsSocketInUse(const std::string& path);

// While it is there, files that are made, sockets too, are for this user only. It is the process
// that is told so, so that it is for the start, when nobody else makes files.
class PrivateFiles final {
 public:
  explicit PrivateFiles(bool is_wanted);
  PrivateFiles(const PrivateFiles&) = delete;
  PrivateFiles& operator=(const PrivateFiles&) = delete;
  ~PrivateFiles();

 private:
  const bool is_wanted_;
  unsigned before_ = 0;
};

}  // namespace omserve::server
