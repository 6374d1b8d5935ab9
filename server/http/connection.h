// SPDX-License-Identifier: Apache-2.0
// One connection of an HTTP port: a request, its answer, the next request. It reads, bounds and
// writes; what is asked is the routes' business.
#pragma once

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/clock.h"
#include "server/core/http_counters.h"
#include "server/http/byte_stream.h"
#include "server/http/content_coding.h"
#include "server/http/guard.h"
#include "server/http/http_limits.h"
#include "server/http/request_body.h"
#include "server/http/request_parser.h"
#include "server/http/router.h"
#include "server/http/socket_thread.h"
#include "server/http/tls_context.h"

namespace omserve::server {

// What all connections of a port use; outlives them.
struct ConnectionShared {
  const Router& router;
  const Clock& clock;
  const HttpLimits limits;
  HttpCounters& counters;
  // Reads and writes the bodies that take long, so that the threads of the sockets do not.
  boost::asio::thread_pool& workers;
  const std::optional<HttpGuard> guard;  // None: everybody may ask for everything.
  const TlsContext* tls = nullptr;       // Null: plain text.
  // Connections of this port, and of them those that shake hands. Counts alone: no order is needed.
  std::atomic<int64_t> open{0};
  std::atomic<int64_t> handshakes{0};
  std::atomic<bool> draining{false};  // Each answer is the last of its connection.
};

// Confined to the thread of its socket. Each pending operation and each exchange holds the
// connection, so that it dies with the last one, on whatever thread that is.
//
// While a request waits for its answer, reading goes on: what comes is the next request, or the end
// of a client that wants no answer any longer, also of one that only ends its sending. Then the
// exchange is told.
class Connection final : public std::enable_shared_from_this<Connection>, public ListedConnection {
 public:
  Connection(HttpSocket socket, SocketThread& thread, ConnectionShared& shared);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Shakes hands where there is TLS, reads the first request, and goes on by itself. It is in the
  // thread's list from here on.
  void Start();
  // Instead of Start: answers 503.
  void StartRefused();
  // Closes what is too slow, or idle for too long.
  void CheckTime(Clock::time_point now);
  // Of a thread that has ended: a client whose request is not whole is told that it comes too late,
  // as far as its socket takes that at once.
  void SayEnd();

 private:
  class Exchange;

  enum class Phase {
    kHandshake,
    kIdle,    // Nothing of a request is there.
    kHeader,  // A part of its header is.
    kBody,
    kAnswer,  // It is whole, and somebody owes the answer.
    kWrite,   // The answer is on its way, or a part of one that comes in pieces.
    kLinger,  // What still comes is thrown away, so that the client sees why it was refused.
    kClosed,
  };

  void Enter(Phase phase);
  void OnHandshake(TlsSession::Result result);
  void AwaitRequest();
  void StartRead();
  void OnRead(const boost::system::error_code& error, size_t bytes);
  void OnReadEnd();

  void ReadHeader();
  void OnHeader();
  void CheckCaller();
  void ReadBody();
  bool ReadChunks();  // Whether the body is whole.
  void RefuseBody(RequestBody::Problem problem);
  void RefuseCoding(std::string_view coding);
  void OnRequest();
  size_t BodyLimit() const;  // Of the route that was found.

  // Answers what could not be read; the rest of the stream has no meaning, so it is closed after.
  void Refuse(HttpReply reply);
  void Refuse(int status, std::string_view text) { Refuse(HttpError(status, text)); }
  // Compresses the answer where the client takes that, and writes it.
  void Answer(HttpReply reply);
  void Write(HttpReply reply);
  std::string Head(const HttpReply& reply, std::string_view framing) const;
  void Flush();
  void OnFlushed();
  void OnWritten();

  // An answer in pieces.
  void BeginStream(HttpReply head);
  void SendPiece(std::string_view piece);
  void EndStream();
  void FlushPieces();
  void CountOpen(int64_t change);
  int64_t SentBytes();  // Of this answer, and no longer in the system's memory.
  void Close();

  ByteStream stream_;
  SocketThread& thread_;
  ConnectionShared& shared_;
  Phase phase_ = Phase::kIdle;
  Clock::time_point since_;  // When the phase began.
  TransferPace pace_;        // Of kBody and kWrite.

  // Reading. One read is pending at most.
  boost::beast::flat_buffer buffer_;  // Came, and was not looked at yet.
  bool reading_ = false;
  std::span<char> in_place_;  // Where the pending read writes, when that is the body.
  std::optional<RequestParser> parser_;
  std::optional<Router::Found> found_;  // Once the header is there.
  Caller caller_;
  bool is_barred_ = false;  // Its client may not ask for what was found.
  std::optional<RequestBody> body_;
  int64_t body_bytes_ = 0;  // Of the body, as they came.
  uint64_t rest_ = 0;       // Of a body whose length is known: still to come.
  bool is_chunked_ = false;

  // The answer.
  unsigned version_ = 11;
  bool keep_alive_ = false;
  bool head_ = false;
  bool refused_ = false;
  ContentCoding answer_coding_ = ContentCoding::kIdentity;
  std::weak_ptr<Exchange> exchange_;  // Null when nobody owes an answer.
  std::string out_head_;
  HttpReply out_;
  std::vector<boost::asio::const_buffer> left_;  // To write, of these two.
  bool waits_to_write_ = false;  // Since some of the answer did not fit into the socket's memory.
  int64_t written_bytes_ = 0;
  enum class Pieces { kNone, kOpen, kEnded };
  Pieces pieces_state_ = Pieces::kNone;
  std::string pieces_;   // Of a stream, with their framing: not given to the socket yet.
  std::string sending_;  // Given to it, by `left_`.
};

}  // namespace omserve::server
