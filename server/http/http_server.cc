// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"

namespace omserve::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr uint32_t kHeaderLimitBytes = 8 * 1024;
constexpr uint64_t kBodyLimitBytes = 64 * 1024;
// For a whole request, for a whole response, and for a connection that says nothing.
constexpr std::chrono::seconds kTimeout{30};
constexpr std::chrono::milliseconds kAcceptPause{200};

// One connection: a request, its answer, the next request. Each pending operation holds the
// session, so that it dies with its last one. Confined to the server's thread.
class Session final : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const HttpRoutes& routes, size_t& connection_count)
      : stream_(std::move(socket)), routes_(routes), connection_count_(connection_count) {
    ++connection_count_;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { --connection_count_; }

  void Read() {
    parser_.emplace();
    parser_->header_limit(kHeaderLimitBytes);
    parser_->body_limit(kBodyLimitBytes);
    stream_.expires_after(kTimeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const beast::error_code& error, size_t /*bytes*/) {
                       self->OnRead(error);
                     });
  }

 private:
  void OnRead(const beast::error_code& error) {
    if (!error) {
      const http::request<http::string_body> request = parser_->release();
      const beast::string_view verb = request.method_string();
      const beast::string_view target = request.target();
      Write(routes_.Answer({verb.data(), verb.size()}, {target.data(), target.size()}),
            request.version(), request.keep_alive(), request.method() == http::verb::head);
      return;
    }
    if (error == http::error::body_limit) {
      Refuse(413, "the body is longer than 65536 bytes");
    } else if (error == http::error::header_limit) {
      Refuse(431, "the header is longer than 8192 bytes");
    } else if (error.category() == http::make_error_code(http::error::bad_method).category() &&
               error != http::error::end_of_stream && error != http::error::partial_message) {
      Refuse(400, "not a request of HTTP/1.1");
    } else {
      Close();  // The client is gone, or said nothing for too long.
    }
  }

  // Answers what could not be read; the rest of the stream has no meaning, so it is closed after.
  void Refuse(int status, std::string_view text) {
    Write(HttpError(status, text), 11, /*keep_alive=*/false, /*head=*/false);
  }

  void Write(HttpReply reply, unsigned version, bool keep_alive, bool head) {
    http::response_header<> fields;
    fields.result(static_cast<unsigned>(reply.status));
    fields.version(version);
    fields.set(http::field::server, "omserve");
    fields.set(http::field::content_type, reply.content_type);
    if (!reply.allow.empty()) {
      fields.set(http::field::allow, reply.allow);
    }
    stream_.expires_after(kTimeout);
    const auto send = [this, keep_alive](http::message_generator message) {
      beast::async_write(
          stream_, std::move(message),
          [self = shared_from_this(), keep_alive](const beast::error_code& error, size_t) {
            if (error || !keep_alive) {
              self->Close();
            } else {
              self->Read();
            }
          });
    };
    if (head) {
      http::response<http::empty_body> response{std::move(fields)};
      response.content_length(reply.body.size());
      response.keep_alive(keep_alive);
      send(std::move(response));
      return;
    }
    http::response<http::string_body> response{std::move(fields), std::move(reply.body)};
    response.keep_alive(keep_alive);
    response.prepare_payload();
    send(std::move(response));
  }

  void Close() {
    beast::error_code ignored;  // A connection that is closed already is fine.
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  const HttpRoutes& routes_;
  size_t& connection_count_;
};

absl::StatusOr<tcp::endpoint> EndpointOf(const HttpServer::Options& options) {
  beast::error_code error;
  const asio::ip::address address =
      asio::ip::make_address(options.address == "localhost" ? "127.0.0.1" : options.address, error);
  if (error) {
    return InvalidArgument("http.address is '{}', expected an IP address such as 127.0.0.1 or ::",
                           options.address);
  }
  return tcp::endpoint(address, static_cast<uint16_t>(options.port));
}

}  // namespace

struct HttpServer::Parts {
  Parts(HttpRoutes the_routes, size_t the_limit)
      : routes(std::move(the_routes)), max_connections(the_limit) {}

  absl::Status Listen(const tcp::endpoint& endpoint) {
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
          "HTTP cannot listen on {} port {}: {}; choose another with --http-port or --http-address "
          "(port 0 takes a free one)",
          endpoint.address().to_string(), endpoint.port(), error.message());
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
      if (connection_count < max_connections) {
        std::make_shared<Session>(std::move(socket), routes, connection_count)->Read();
      }
      Accept();
    });
  }

  // Constant after Start.
  const HttpRoutes routes;
  const size_t max_connections;
  int port = 0;

  // Confined to the thread. The count outlives the context, whose pending sessions refer to it.
  size_t connection_count = 0;
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  asio::steady_timer retry{context};

  std::jthread thread;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Options& options,
                                                              HttpRoutes routes) {
  ASSIGN_OR_RETURN(const tcp::endpoint endpoint, EndpointOf(options));
  auto parts = std::make_unique<Parts>(std::move(routes), options.max_connections);
  RETURN_IF_ERROR(parts->Listen(endpoint));
  parts->Accept();
  parts->thread = StartThread("http", [p = parts.get()] { p->context.run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(parts)));  // NOLINT: private.
}

HttpServer::HttpServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

HttpServer::~HttpServer() { parts_->context.stop(); }

int HttpServer::port() const { return parts_->port; }

}  // namespace omserve::server
