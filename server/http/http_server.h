// SPDX-License-Identifier: Apache-2.0
// A port that speaks HTTP: a socket that listens, and the threads that serve its connections.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "server/core/heartbeats.h"
#include "server/core/http_counters.h"
#include "server/core/tls_files.h"
#include "server/http/guard.h"
#include "server/http/http_limits.h"
#include "server/http/router.h"

namespace omserve::server {

// Thread-safe. Each connection is served by one of the port's threads; long bodies are read and
// written by workers beside them.
class HttpServer final {
 public:
  struct Options {
    std::string name = "http";                               // In messages, and of the threads.
    std::string settings = "--http-port or --http-address";  // By which the port can be changed.
    std::string address = "0.0.0.0";                         // An IP address, or "localhost".
    int port = 8000;                                         // 0: a free one.
    std::string unix_socket;  // A path to listen on instead; empty: none.
    bool is_private = false;  // The Unix socket is for this user only.
    TlsFiles tls;             // Not given: plain text.
    HttpLimits limits;
    std::optional<HttpGuard> guard;  // None: everybody may ask for everything.
    size_t threads = 1;
    size_t body_workers = 2;
  };
  // Listens and serves. What the handlers refer to outlives the server, whose destruction requires
  // that they have answered every request; so does `counters`. Errors: kInvalidArgument for an
  // address that is none, and CheckTlsFiles'; kUnavailable when it cannot be listened on.
  // A Unix socket that nobody listens on any longer is replaced.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Options& options,
                                                           std::vector<Route> routes,
                                                           const Clock& clock,
                                                           HttpCounters& counters);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  // Closes every connection and joins the threads.
  ~HttpServer();

  // Has `heartbeats` look at the threads. Stopped before this is destroyed.
  void AddLoops(Heartbeats& heartbeats);
  // From here on every answer ends its connection, so that clients go elsewhere.
  void Drain();
  int port() const;  // 0 with a Unix socket.

 private:
  struct Parts;  // Keeps Asio out of main.
  explicit HttpServer(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace omserve::server
