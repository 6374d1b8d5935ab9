// SPDX-License-Identifier: Apache-2.0
// The one place that every HTTP request passes before it is served.
#pragma once

#include "absl/status/statusor.h"
#include "server/core/auth/access.h"
#include "server/core/front_door.h"
#include "server/http/byte_stream.h"
#include "server/http/http_handler.h"
#include "server/http/router.h"

namespace omserve::server {

// Thread-safe.
class HttpGuard final {
 public:
  // What `door` refers to outlives it.
  explicit HttpGuard(const FrontDoor& door) : access_(&door.access), port_(door.port) {}

  // Who asks for the route, if they may. Errors: those of Access::Admit.
  absl::StatusOr<Caller> Admit(const Route& route, const PathParts& parts,
                               const HttpRequest::Header& header, const ByteStream& stream) const;
  // Says no, and how to ask again.
  static HttpReply ReplyOf(const absl::Status& refusal);

 private:
  Access* access_;
  PortKind port_;
};

}  // namespace omserve::server
