// SPDX-License-Identifier: Apache-2.0
// What a connection reads from and writes to: a socket, with TLS on it or without.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/http/socket_thread.h"
#include "server/http/tls_session.h"

namespace omserve::server {

// Confined to the thread of its socket. What is handed to it, to be called later, keeps its owner.
class ByteStream final {
 public:
  using Error = boost::system::error_code;
  using OnRead = std::function<void(const Error& error, size_t bytes)>;
  using OnHandshake = std::function<void(TlsSession::Result result)>;

  explicit ByteStream(HttpSocket socket) : socket_(std::move(socket)) {}

  // Before anything is read or written, but for a socket that stays without TLS.
  void Secure(std::unique_ptr<TlsSession> tls) { tls_ = std::move(tls); }
  bool is_secured() const { return tls_ != nullptr; }
  // From here on what is written goes without TLS: to who does not speak it.
  void Unsecure() { tls_ = nullptr; }
  // Calls `handler` with how it ended: kDone, kFailed, kEnded or kPlainHttp; perhaps at once.
  void Handshake(OnHandshake handler);
  // Of the client, when the handshake is done; empty where none was asked for.
  const PeerCertificate& certificate() const { return certificate_; }
  // The client's address, as gRPC writes it: "ipv4:10.0.0.7:40312", "unix:".
  std::string PeerAddress() const;

  // Some bytes, later: `handler` is not called by this. `into` stays until then.
  template <typename Handler>
  void AsyncRead(boost::asio::mutable_buffer into, Handler handler) {
    if (tls_ == nullptr) {
      socket_.async_read_some(into, std::move(handler));
    } else {
      ReadSecured(into, std::move(handler), /*is_nested=*/true);
    }
  }
  // What can be written at once; would_block where nothing can. Then the next call has to begin
  // with the same bytes.
  size_t WriteSome(const std::vector<boost::asio::const_buffer>& buffers, Error& error);
  template <typename Handler>
  void AsyncWaitForWrite(Handler handler) {
    socket_.async_wait(HttpSocket::wait_write, std::move(handler));
  }
  // Nothing more is written.
  void EndWriting();
  void Close();

  HttpSocket& socket() { return socket_; }
  const HttpSocket& socket() const { return socket_; }

 private:
  void ReadSecured(boost::asio::mutable_buffer into, OnRead handler, bool is_nested);

  HttpSocket socket_;
  std::unique_ptr<TlsSession> tls_;  // Null: plain text.
  PeerCertificate certificate_;
};

}  // namespace omserve::server
