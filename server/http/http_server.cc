// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/error.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"
#include "server/http/connection.h"

namespace omserve::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

constexpr std::chrono::milliseconds kAcceptPause{200};

absl::StatusOr<tcp::endpoint> EndpointOf(const HttpServer::Options& options) {
  beast::error_code error;
  const asio::ip::address address =
      asio::ip::make_address(options.address == "localhost" ? "127.0.0.1" : options.address, error);
  if (error) {
    return InvalidArgument("{}.address is '{}', expected an IP address such as 127.0.0.1 or ::",
                           options.name, options.address);
  }
  return tcp::endpoint(address, static_cast<uint16_t>(options.port));
}

}  // namespace

struct HttpServer::Parts {
  Parts(const Options& options, std::vector<Route> routes, const Clock& clock)
      : router(std::move(routes)),
        max_connections(options.max_connections),
        workers(options.body_workers),
        shared{.router = router,
               .clock = clock,
               .max_body_bytes = options.max_body_bytes,
               .workers = workers} {}

  absl::Status Listen(const tcp::endpoint& endpoint, const std::string& name) {
    beast::error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) {
      acceptor.set_option(asio::socket_base::reuse_address(true), error);
    }
    if (!error) {
      acceptor.bind(endpoint, error);
    }
    if (!error) {
      acceptor.listen(asio::socket_base::max_listen_connections, error);
    }
    if (!error) {
      port = acceptor.local_endpoint(error).port();
    }
    if (error) {
      return Unavailable(
          "{0} cannot listen on {1} port {2}: {3}; choose another with --{0}-port or --{0}-address "
          "(port 0 takes a free one)",
          name, endpoint.address().to_string(), endpoint.port(), error.message());
    }
    return absl::OkStatus();
  }

  void Accept() {
    acceptor.async_accept([this](const beast::error_code& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) {
        return;
      }
      if (error) {
        // Out of descriptors, most likely, and still so at once: what is open gets time to end.
        OMSERVE_LOG(kWarning, "http", "a connection could not be accepted error=\"{}\"",
                    error.message());
        retry.expires_after(kAcceptPause);
        retry.async_wait([this](const beast::error_code&) { Accept(); });
        return;
      }
      if (shared.connection_count.load(std::memory_order_relaxed) < max_connections) {
        std::make_shared<Connection>(std::move(socket), shared)->Start();
      }
      Accept();
    });
  }

  // Constant after Start.
  const Router router;
  const size_t max_connections;
  int port = 0;

  // Synchronises itself. Ends what it was given before the context goes, to which it posts.
  asio::thread_pool workers;
  // Outlives the context, whose pending connections refer to it.
  ConnectionShared shared;

  // Confined to the thread.
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  asio::steady_timer retry{context};

  std::jthread thread;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Options& options,
                                                              std::vector<Route> routes,
                                                              const Clock& clock) {
  ASSIGN_OR_RETURN(const tcp::endpoint endpoint, EndpointOf(options));
  auto parts = std::make_unique<Parts>(options, std::move(routes), clock);
  RETURN_IF_ERROR(parts->Listen(endpoint, options.name));
  parts->Accept();
  parts->thread = StartThread(options.name, [p = parts.get()] { p->context.run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(parts)));  // NOLINT: private.
}

HttpServer::HttpServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

HttpServer::~HttpServer() {
  parts_->context.stop();
  parts_->thread = {};  // Joins: nothing more is given to the workers.
  parts_->workers.join();
}

int HttpServer::port() const { return parts_->port; }

}  // namespace omserve::server
