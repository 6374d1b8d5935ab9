// SPDX-License-Identifier: Apache-2.0
// A port that speaks HTTP: a socket that listens, and the thread that serves its connections.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "server/http/router.h"

namespace omserve::server {

// Thread-safe. One thread of its own serves all connections; long bodies are read and written by
// workers beside it.
class HttpServer final {
 public:
  struct Options {
    std::string name = "http";                 // In messages, flags and settings, and the thread's.
    std::string address = "0.0.0.0";           // An IP address, or "localhost".
    int port = 8000;                           // 0: a free one.
    size_t max_connections = 256;              // Further ones are closed at once.
    size_t max_body_bytes = size_t{64} << 20;  // Where the route takes tensors.
    size_t body_workers = 2;
  };
  // Listens and serves. What the handlers refer to outlives the server, whose destruction requires
  // that they have answered every request. Errors: kInvalidArgument for an address that is none,
  // kUnavailable when it cannot be listened on.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Options& options,
                                                           std::vector<Route> routes,
                                                           const Clock& clock);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  // Closes every connection and joins the thread.
  ~HttpServer();

  int port() const;

 private:
  struct Parts;  // Keeps Asio out of main.
  explicit HttpServer(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace omserve::server
