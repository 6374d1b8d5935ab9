// SPDX-License-Identifier: Apache-2.0
#include "server/http/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <chrono>
#include <functional>
#include <span>
#include <utility>
#include <vector>

namespace omserve::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr uint32_t kHeaderLimitBytes = 8 * 1024;
constexpr size_t kBodyLimitBytes = 64 * 1024;  // Where the route takes no tensors.
// For a whole request, for a whole response, and for a connection that says nothing.
constexpr std::chrono::seconds kTimeout{30};
// A shorter body is read and written where it is: handing it over costs more. JSON of so many bytes
// takes a few milliseconds.
constexpr size_t kShortBytes = 64 * 1024;

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

// Its state is of the sockets' thread, which the calls of others reach by posting.
class Connection::Exchange final : public HttpExchange,
                                   public std::enable_shared_from_this<Exchange> {
 public:
  explicit Exchange(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

  void Answer(HttpReply reply) override {
    asio::dispatch(connection_->stream_.get_executor(),
                   [self = shared_from_this(), reply = std::move(reply)]() mutable {
                     self->OnAnswer(std::move(reply));
                   });
  }

  void OnGone(std::function<void()> cancel) override {
    asio::dispatch(connection_->stream_.get_executor(),
                   [self = shared_from_this(), cancel = std::move(cancel)]() mutable {
                     if (self->gone_) {
                       cancel();
                     } else if (!self->answered_) {
                       self->cancel_ = std::move(cancel);
                     }
                   });
  }

  void Run(size_t size_bytes, std::function<void()> work) override {
    if (size_bytes <= kShortBytes) {
      asio::dispatch(connection_->stream_.get_executor(), std::move(work));
    } else {
      asio::post(connection_->shared_.workers, std::move(work));
    }
  }

  // On the sockets' thread.
  bool answered() const { return answered_; }
  void Leave() {
    gone_ = true;
    if (const std::function<void()> cancel = std::exchange(cancel_, nullptr)) {
      cancel();
    }
  }

 private:
  void OnAnswer(HttpReply reply) {
    answered_ = true;
    cancel_ = nullptr;
    if (!gone_) {
      connection_->exchange_.reset();
      connection_->Write(std::move(reply));
    }
  }

  const std::shared_ptr<Connection> connection_;
  std::function<void()> cancel_;
  bool gone_ = false;  // The client is.
  bool answered_ = false;
};

// A response as it goes over the wire.
struct Connection::Message {
  std::string head;
  HttpReply reply;
};

Connection::Connection(tcp::socket socket, ConnectionShared& shared)
    : stream_(std::move(socket)), shared_(shared) {
  shared_.connection_count.fetch_add(1, std::memory_order_relaxed);
  beast::error_code ignored;  // Without it small answers only wait a little.
  stream_.socket().set_option(tcp::no_delay(true), ignored);
}

Connection::~Connection() { shared_.connection_count.fetch_sub(1, std::memory_order_relaxed); }

void Connection::ReadHeader() {
  parser_.emplace();
  parser_->header_limit(kHeaderLimitBytes);
  // The path is not known yet, and the parser refuses a long body with the header.
  parser_->body_limit(std::max(kBodyLimitBytes, shared_.max_body_bytes));
  found_.reset();
  stream_.expires_after(kTimeout);
  http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const beast::error_code& error, size_t /*bytes*/) {
        if (error) {
          self->OnReadError(error);
        } else {
          self->OnHeader();
        }
      });
}

void Connection::OnHeader() {
  const http::request<http::string_body>& request = parser_->get();
  version_ = request.version();
  keep_alive_ = request.keep_alive();
  head_ = request.method() == http::verb::head;
  found_ = shared_.router.Find(View(request.method_string()), View(request.target()));
  if (parser_->content_length().value_or(0) > BodyLimit()) {
    Refuse(413, fmt::format("the body is longer than {} bytes", BodyLimit()));
    return;
  }
  if (!parser_->content_length().has_value()) {
    parser_->body_limit(BodyLimit());
  }
  if (!beast::iequals(request[http::field::expect], "100-continue")) {
    ReadBody();
    return;
  }
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(kContinue),
                    [self = shared_from_this()](const beast::error_code& error, size_t /*bytes*/) {
                      if (!error) {
                        self->ReadBody();
                      }
                    });
}

size_t Connection::BodyLimit() const {
  const bool is_long =
      !found_.has_value() || (found_->route != nullptr && found_->route->takes_tensors);
  return is_long ? shared_.max_body_bytes : kBodyLimitBytes;
}

void Connection::ReadBody() {
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](const beast::error_code& error, size_t /*bytes*/) {
                     if (error) {
                       self->OnReadError(error);
                     } else {
                       self->OnRequest();
                     }
                   });
}

void Connection::OnReadError(const beast::error_code& error) {
  if (error == http::error::body_limit) {
    Refuse(413, fmt::format("the body is longer than {} bytes", BodyLimit()));
  } else if (error == http::error::header_limit) {
    Refuse(431, fmt::format("the header is longer than {} bytes", kHeaderLimitBytes));
  } else if (error.category() == http::make_error_code(http::error::bad_method).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message) {
    Refuse(400, "not a request of HTTP/1.1");
  } else {
    Close();  // The client is gone, or said nothing for too long.
  }
}

void Connection::OnRequest() {
  if (found_->route == nullptr) {
    Write(std::move(found_->refusal));
    return;
  }
  const HttpHandler& handler = found_->route->handler;
  HttpRequest request{.parts = std::move(found_->parts),
                      .message = parser_->release(),
                      .received = shared_.clock.Now()};
  const auto exchange = std::make_shared<Exchange>(shared_from_this());
  exchange_ = exchange;
  if (request.body().size() <= kShortBytes) {
    handler(request, exchange);
  } else {
    asio::post(shared_.workers,
               [&handler, exchange, request = std::move(request)] { handler(request, exchange); });
  }
  if (!exchange->answered()) {
    Watch();
  }
}

void Connection::Watch() {
  if (watching_) {
    return;  // The watch of an earlier request is still to fire.
  }
  watching_ = true;
  stream_.socket().async_wait(tcp::socket::wait_read,
                              [self = shared_from_this()](const beast::error_code& error) {
                                self->watching_ = false;
                                if (!error) {
                                  self->OnReadable();
                                }
                              });
}

void Connection::OnReadable() {
  const std::shared_ptr<Exchange> exchange = exchange_.lock();
  char byte = 0;
  const ssize_t peeked = recv(stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (exchange == nullptr || peeked > 0 || (peeked < 0 && errno == EAGAIN)) {
    return;  // The next request: it is read when this one is answered.
  }
  exchange->Leave();
}

void Connection::Refuse(int status, std::string_view text) {
  keep_alive_ = false;
  head_ = false;
  Write(HttpError(status, text));
}

std::string Connection::Head(const HttpReply& reply) const {
  const beast::string_view reason =
      http::obsolete_reason(http::int_to_status(static_cast<unsigned>(reply.status)));
  std::string_view connection;
  if (!keep_alive_) {
    connection = "Connection: close\r\n";
  } else if (version_ == 10) {
    connection = "Connection: keep-alive\r\n";
  }
  return fmt::format(
      "HTTP/1.{} {} {}\r\nServer: omserve\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}{}\r\n",
      version_ == 10 ? 0 : 1, reply.status, View(reason), reply.content_type, reply.size_bytes(),
      connection, reply.fields);
}

void Connection::Write(HttpReply reply) {
  const auto message = std::make_shared<Message>();
  message->head = Head(reply);
  message->reply = std::move(reply);
  std::vector<asio::const_buffer> buffers = {asio::buffer(message->head)};
  if (!head_) {
    buffers.emplace_back(asio::buffer(message->reply.body));
    for (const std::span<const std::byte> tensor : message->reply.tensors) {
      buffers.emplace_back(tensor.data(), tensor.size());
    }
  }
  stream_.expires_after(kTimeout);
  asio::async_write(stream_, buffers,
                    [self = shared_from_this(), message](const beast::error_code& error, size_t) {
                      if (error || !self->keep_alive_) {
                        self->Close();
                      } else {
                        self->ReadHeader();
                      }
                    });
}

void Connection::Close() {
  beast::error_code ignored;  // A connection that is closed already is fine.
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.socket().cancel(ignored);  // A watch would keep the session until the client closes too.
}

}  // namespace omserve::server
