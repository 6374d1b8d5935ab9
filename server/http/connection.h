// SPDX-License-Identifier: Apache-2.0
// One connection of an HTTP port: a request, its answer, the next request. It reads, bounds and
// writes; what is asked is the routes' business.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/base/clock.h"
#include "server/http/router.h"

namespace omserve::server {

// What all connections of a port use; outlives them.
struct ConnectionShared {
  const Router& router;
  const Clock& clock;
  const size_t max_body_bytes;  // Where the route takes tensors.
  // Reads and writes the bodies that take long, so that the thread of the sockets does not.
  boost::asio::thread_pool& workers;
  std::atomic<size_t> connection_count{0};  // A count alone: no order is needed.
};

// Confined to the thread of the sockets. Each pending operation and each exchange holds the
// connection, so that it dies with the last one, on whatever thread that is.
//
// While a request waits for its answer, the socket is watched: a client that closes it, also one
// that only ends its sending, wants no answer any longer, and the exchange is told.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, ConnectionShared& shared);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Reads the first request, and goes on by itself.
  void Start() { ReadHeader(); }

 private:
  class Exchange;
  struct Message;

  void ReadHeader();
  void OnHeader();
  void ReadBody();
  void OnReadError(const boost::system::error_code& error);
  void OnRequest();
  size_t BodyLimit() const;  // Of the route that was found.

  void Watch();
  void OnReadable();

  // Answers what could not be read; the rest of the stream has no meaning, so it is closed after.
  void Refuse(int status, std::string_view text);
  void Write(HttpReply reply);
  std::string Head(const HttpReply& reply) const;
  void Close();

  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  ConnectionShared& shared_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::optional<Router::Found> found_;  // Once the header is there.
  unsigned version_ = 11;
  bool keep_alive_ = false;
  bool head_ = false;
  std::weak_ptr<Exchange> exchange_;  // Null when nobody owes an answer.
  bool watching_ = false;
};

}  // namespace omserve::server
