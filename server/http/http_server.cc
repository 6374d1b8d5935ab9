// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_server.h"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/error.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "server/core/unix_socket.h"
#include "server/http/connection.h"
#include "server/http/socket_thread.h"
#include "server/http/tls_context.h"

namespace omserve::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

using Acceptor =
    asio::basic_socket_acceptor<asio::generic::stream_protocol, asio::io_context::executor_type>;

constexpr std::chrono::milliseconds kAcceptPause{200};
// Connections beyond the limit that are answered before they are closed, at a time.
constexpr size_t kMostRefused = 256;

using Endpoint = asio::generic::stream_protocol::endpoint;

absl::StatusOr<Endpoint> EndpointOf(const HttpServer::Options& options) {
  if (!options.unix_socket.empty()) {
    return Endpoint(asio::local::stream_protocol::endpoint(options.unix_socket));
  }
  beast::error_code error;
  const asio::ip::address address =
      asio::ip::make_address(options.address == "localhost" ? "127.0.0.1" : options.address, error);
  if (error) {
    return InvalidArgument("{}.address is '{}', expected an IP address such as 127.0.0.1 or ::",
                           options.name, options.address);
  }
  return Endpoint(tcp::endpoint(address, static_cast<uint16_t>(options.port)));
}

// 0 where the endpoint is not of TCP.
int PortOf(const Endpoint& endpoint) {
  tcp::endpoint address;
  if (endpoint.protocol().family() == AF_UNIX || endpoint.size() > address.capacity()) {
    return 0;
  }
  std::memcpy(address.data(), endpoint.data(), endpoint.size());
  return address.port();
}

}  // namespace

struct HttpServer::Parts {
  Parts(const Options& options, std::vector<Route> routes, const Clock& clock,
        HttpCounters& counters)
      : name(options.name),
        router(std::move(routes)),
        workers(options.body_workers),
        shared{.router = router,
               .clock = clock,
               .limits = options.limits,
               .counters = counters,
               .workers = workers,
               .guard = options.guard} {
    for (size_t i = 0; i < options.threads; ++i) {
      threads.push_back(std::make_unique<SocketThread>(clock));
    }
    acceptor.emplace(threads.front()->context());
    retry.emplace(threads.front()->context());
    reload.emplace(threads.front()->context());
  }

  absl::Status Listen(const Options& options) {
    ASSIGN_OR_RETURN(const Endpoint endpoint, EndpointOf(options));
    if (!options.unix_socket.empty()) {
      RemoveAbandonedSocket(options.unix_socket);
    }
    beast::error_code error;
    acceptor->open(endpoint.protocol(), error);
    if (!error && options.unix_socket.empty()) {
      acceptor->set_option(asio::socket_base::reuse_address(true), error);
    }
    if (!error) {
      const PrivateFiles kept(options.is_private);
      acceptor->bind(endpoint, error);
    }
    if (!error) {
      acceptor->listen(asio::socket_base::max_listen_connections, error);
    }
    if (!error) {
      port = PortOf(acceptor->local_endpoint(error));
    }
    if (error && !options.unix_socket.empty()) {
      return Unavailable("{}.unix_socket: cannot listen on {}: {}", options.name,
                         options.unix_socket, error.message());
    }
    if (error) {
      return Unavailable(
          "{} cannot listen on {} port {}: {}; choose another with {} (port 0 takes a free one)",
          options.name, options.address, options.port, error.message(), options.settings);
    }
    unix_socket = options.unix_socket;
    return absl::OkStatus();
  }

  // For as long as the port serves.
  void ReloadLater() {
    if (tls == nullptr) {
      return;
    }
    reload->expires_after(tls->reload_interval());
    reload->async_wait([this](const beast::error_code& error) {
      if (!error) {
        asio::post(workers, [this] {  // It reads files.
          tls->Reload();
          asio::post(threads.front()->context(), [this] { ReloadLater(); });
        });
      }
    });
  }

  void Accept() {
    // In turn: requests are short and many, so that no thread stays behind for long.
    SocketThread& thread = *threads[next_thread++ % threads.size()];
    accepted.emplace(thread.context());
    acceptor->async_accept(*accepted, [this, &thread](const beast::error_code& error) {
      if (error == asio::error::operation_aborted) {
        return;
      }
      if (error) {
        // Out of descriptors, most likely, and still so at once: what is open gets time to end.
        OMSERVE_LOG(kWarning, "http", "a connection could not be accepted error=\"{}\"",
                    error.message());
        retry->expires_after(kAcceptPause);
        retry->async_wait([this](const beast::error_code&) { Accept(); });
        return;
      }
      Serve(thread);
      Accept();
    });
  }

  void Serve(SocketThread& thread) {
    shared.counters.accepted.fetch_add(1, std::memory_order_relaxed);
    const auto open = static_cast<size_t>(shared.open.load(std::memory_order_relaxed));
    if (open >= shared.limits.max_connections + kMostRefused) {
      shared.counters.Count(HttpRefusal::kConnections);
      return;  // Closed without a word: those who are told why are that many already.
    }
    const bool refuse = open >= shared.limits.max_connections;
    asio::dispatch(thread.context(), [&thread, refuse,
                                      connection = std::make_shared<Connection>(
                                          *std::move(accepted), thread, shared)] {
      thread.Add(*connection);
      if (refuse) {
        connection->StartRefused();
      } else {
        connection->Start();
      }
    });
  }

  // Constant after Start.
  const std::string name;
  const Router router;
  int port = 0;
  std::string unix_socket;

  std::unique_ptr<TlsContext> tls;  // Null: plain text.

  // Synchronises itself. Ends what it was given before the threads go, to which it posts.
  asio::thread_pool workers;
  // Outlives the threads, whose pending connections refer to it.
  ConnectionShared shared;
  std::vector<std::unique_ptr<SocketThread>> threads;

  // Confined to the first thread.
  std::optional<Acceptor> acceptor;
  std::optional<asio::steady_timer> retry;
  std::optional<asio::steady_timer> reload;
  std::optional<HttpSocket> accepted;
  size_t next_thread = 0;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Options& options,
                                                              std::vector<Route> routes,
                                                              const Clock& clock,
                                                              HttpCounters& counters) {
  auto parts = std::make_unique<Parts>(options, std::move(routes), clock, counters);
  if (options.tls.given()) {
    ASSIGN_OR_RETURN(parts->tls, TlsContext::Make(options.tls, counters));
    parts->shared.tls = parts->tls.get();
  }
  RETURN_IF_ERROR(parts->Listen(options));
  parts->Accept();
  parts->ReloadLater();
  for (const std::unique_ptr<SocketThread>& thread : parts->threads) {
    thread->Start(options.name);
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(parts)));  // NOLINT: private.
}

HttpServer::HttpServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

HttpServer::~HttpServer() {
  for (const std::unique_ptr<SocketThread>& thread : parts_->threads) {
    thread->Stop();
  }
  parts_->workers.join();  // Nothing more is given to them.
  if (!parts_->unix_socket.empty()) {
    std::error_code ignored;  // Taken away already.
    std::filesystem::remove(parts_->unix_socket, ignored);
  }
}

void HttpServer::AddLoops(Heartbeats& heartbeats) {
  for (size_t i = 0; i < parts_->threads.size(); ++i) {
    heartbeats.Add(parts_->name + "-" + std::to_string(i),
                   [thread = parts_->threads[i].get()](std::function<void()> beat) {
                     thread->Post(std::move(beat), /*more_follow=*/false);
                   });
  }
}

void HttpServer::Drain() { parts_->shared.draining.store(true, std::memory_order_relaxed); }

int HttpServer::port() const { return parts_->port; }

}  // namespace omserve::server
