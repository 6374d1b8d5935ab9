// SPDX-License-Identifier: Apache-2.0
// The TLS of one connection, over a socket that does not block.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "server/core/auth/evidence.h"

using SSL = struct ssl_st;
using SSL_CTX = struct ssl_ctx_st;

namespace omserve::server {

// Thread-compatible. The socket outlives it.
class TlsSession final {
 public:
  enum class Result {
    kDone,
    kWantsRead,   // Again when the socket can be read,
    kWantsWrite,  // and written.
    kEnded,       // The other side has closed its direction, or the connection.
    kFailed,
    kPlainHttp,  // Handshake: what came is HTTP without TLS.
  };

  // As the server's side. Null when there is no memory for it.
  static std::unique_ptr<TlsSession> Accept(SSL_CTX* context, int socket);

  Result Handshake();
  // Some bytes; `bytes` says how many, with kDone at least one.
  Result Read(std::span<char> into, size_t* bytes);
  // After kWantsWrite the next call has to begin with the same bytes. Writes no more than a record.
  Result Write(std::span<const char> from, size_t* bytes);
  // Says that nothing more comes, without waiting.
  void Shutdown();
  // Of the other side; empty where none was asked for.
  PeerCertificate Certificate() const;

 private:
  struct Free {
    void operator()(SSL* ssl) const;
  };
  TlsSession(SSL* ssl, int socket) : socket_(socket), ssl_(ssl) {}
  Result ResultOf(int returned);

  int socket_;  // OpenSSL has its address.
  const std::unique_ptr<SSL, Free> ssl_;
  bool is_usable_ = false;  // The handshake is done, and nothing failed since.
};

}  // namespace omserve::server
