// SPDX-License-Identifier: Apache-2.0
// How a gRPC port is secured.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/status/statusor.h"
#include "server/core/tls_files.h"

namespace omserve::server {

// Plain text without files. With them TLS 1.2 or newer; the files are looked at every
// `files.reload`, and what is new counts for new connections. A key and a certificate that do not
// belong together when they are looked at may keep new connections out until the next look. Errors:
// CheckTlsFiles'.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(const TlsFiles& files);

}  // namespace omserve::server
