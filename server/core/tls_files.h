// SPDX-License-Identifier: Apache-2.0
// The files that TLS stands on, PEM.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"

namespace omserve::server {

struct TlsFiles {
  std::string certificate;  // The chain, the server's own first. Empty: no TLS.
  std::string key;
  std::string client_ca;  // Clients must show a certificate of these. Empty: none is asked for.
  std::chrono::seconds reload{60};  // How often the files are looked at.

  bool given() const { return !certificate.empty(); }
};

// Whether a server can begin with them. Blocks on the disk. Errors: kInvalidArgument, naming the
// file and what is wrong: not readable, no PEM, a key of another certificate, a certificate that is
// not valid now.
absl::Status CheckTlsFiles(const TlsFiles& files);

}  // namespace omserve::server
