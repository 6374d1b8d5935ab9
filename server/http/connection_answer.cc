// SPDX-License-Identifier: Apache-2.0
// Writing answers.
#include <fmt/format.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/status.hpp>
#include <iterator>
#include <span>
#include <utility>

#include "server/http/compression.h"
#include "server/http/connection.h"

namespace omserve::server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

// A shorter answer fits into a packet as it is.
constexpr size_t kLeastCompressedBytes = 1024;
// Takes a fraction of a millisecond; longer ones are for the workers.
constexpr size_t kCompressedHereBytes = 16 * 1024;

// Leaves an answer as it is that does not become shorter.
void Compress(ContentCoding coding, HttpReply& reply) {
  std::vector<std::string_view> parts = {reply.body};
  for (const std::span<const std::byte> tensor : reply.tensors) {
    parts.emplace_back(static_cast<const char*>(static_cast<const void*>(tensor.data())),
                       tensor.size());
  }
  std::string compressed = Compressed(coding, parts);
  reply.AddField("Vary", "Accept-Encoding");
  if (compressed.size() < reply.size_bytes()) {
    reply.AddField("Content-Encoding", ContentCodingName(coding));
    reply.body = std::move(compressed);
    reply.tensors.clear();
    reply.owner = nullptr;
  }
}

// Takes the first `bytes` off.
void Consume(std::vector<asio::const_buffer>& buffers, size_t bytes) {
  size_t gone = 0;
  while (gone < buffers.size() && bytes >= buffers[gone].size()) {
    bytes -= buffers[gone].size();
    ++gone;
  }
  buffers.erase(buffers.begin(), buffers.begin() + static_cast<std::ptrdiff_t>(gone));
  if (bytes > 0) {
    buffers.front() += bytes;
  }
}

}  // namespace

void Connection::Refuse(HttpReply reply) {
  keep_alive_ = false;
  head_ = false;
  refused_ = true;
  Write(std::move(reply));
}

void Connection::SayEnd() {
  if (phase_ != Phase::kHeader && phase_ != Phase::kBody) {
    return;
  }
  keep_alive_ = false;
  const HttpReply reply = HttpError(503, "the server is shutting down");
  const std::string head = Head(reply, fmt::format("Content-Length: {}\r\n", reply.size_bytes()));
  beast::error_code ignored;  // Its client may be gone.
  stream_.WriteSome({asio::buffer(head), asio::buffer(reply.body)}, ignored);
  stream_.EndWriting();
}

void Connection::Answer(HttpReply reply) {
  const size_t size_bytes = reply.size_bytes();
  if (answer_coding_ == ContentCoding::kIdentity || head_ || size_bytes < kLeastCompressedBytes) {
    Write(std::move(reply));
    return;
  }
  if (size_bytes <= kCompressedHereBytes) {
    Compress(answer_coding_, reply);
    Write(std::move(reply));
    return;
  }
  asio::post(shared_.workers, [self = shared_from_this(), coding = answer_coding_,
                               reply = std::move(reply)]() mutable {
    Compress(coding, reply);
    asio::dispatch(self->stream_.socket().get_executor(),
                   [self, reply = std::move(reply)]() mutable {
                     if (self->phase_ == Phase::kAnswer) {  // Its client is still there.
                       self->Write(std::move(reply));
                     }
                   });
  });
}

std::string Connection::Head(const HttpReply& reply, std::string_view framing) const {
  const beast::string_view reason =
      http::obsolete_reason(http::int_to_status(static_cast<unsigned>(reply.status)));
  std::string_view connection;
  if (!keep_alive_) {
    connection = "Connection: close\r\n";
  } else if (version_ == 10) {
    connection = "Connection: keep-alive\r\n";
  }
  return fmt::format("HTTP/1.{} {} {}\r\nServer: omserve\r\nContent-Type: {}\r\n{}{}{}\r\n",
                     version_ == 10 ? 0 : 1, reply.status,
                     std::string_view(reason.data(), reason.size()), reply.content_type, framing,
                     connection, reply.fields);
}

void Connection::Write(HttpReply reply) {
  Enter(Phase::kWrite);
  keep_alive_ = keep_alive_ && !shared_.draining.load(std::memory_order_relaxed);
  out_head_ = Head(reply, fmt::format("Content-Length: {}\r\n", reply.size_bytes()));
  out_ = std::move(reply);
  left_.clear();
  left_.emplace_back(asio::buffer(out_head_));
  if (!head_) {
    left_.emplace_back(asio::buffer(out_.body));
    for (const std::span<const std::byte> tensor : out_.tensors) {
      left_.emplace_back(tensor.data(), tensor.size());
    }
  }
  written_bytes_ = 0;
  waits_to_write_ = false;
  Flush();
}

void Connection::Flush() {
  // Most answers fit into the socket's memory: they are written at once, without a turn of the
  // event loop.
  while (!left_.empty()) {
    beast::error_code error;
    const size_t bytes = stream_.WriteSome(left_, error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
      if (!std::exchange(waits_to_write_, true)) {
        // What of the answers before is still on its way is no movement of this one, nor the
        // opposite of it.
        pace_.Start(since_, SentBytes());
      }
      stream_.AsyncWaitForWrite([self = shared_from_this()](const beast::error_code& failed) {
        if (failed) {
          self->Close();
        } else if (self->phase_ == Phase::kWrite) {
          self->Flush();
        }
      });
      return;
    }
    if (error) {
      Close();
      return;
    }
    written_bytes_ += static_cast<int64_t>(bytes);
    Consume(left_, bytes);
  }
  OnFlushed();
}

void Connection::OnFlushed() {
  if (pieces_state_ == Pieces::kNone) {
    OnWritten();
  } else if (!pieces_.empty()) {
    FlushPieces();
  } else if (pieces_state_ == Pieces::kEnded) {
    pieces_state_ = Pieces::kNone;
    OnWritten();
  } else {
    Enter(Phase::kAnswer);
    if (!reading_ && buffer_.size() == 0) {
      StartRead();
    }
  }
}

void Connection::BeginStream(HttpReply head) {
  pieces_state_ = Pieces::kOpen;
  keep_alive_ = keep_alive_ && !shared_.draining.load(std::memory_order_relaxed);
  keep_alive_ = keep_alive_ && version_ == 11;  // HTTP/1.0 ends an answer with the connection.
  out_head_.clear();
  pieces_ = Head(head, version_ == 11 ? "Transfer-Encoding: chunked\r\n" : "");
  left_.clear();
  written_bytes_ = 0;
  FlushPieces();
}

void Connection::SendPiece(std::string_view piece) {
  if (piece.empty()) {
    return;  // As a chunk it would be the end.
  }
  if (pieces_.size() > shared_.limits.max_body_bytes) {
    shared_.counters.Count(HttpRefusal::kSlowAnswer);
    Close();
    return;
  }
  if (version_ == 11) {
    fmt::format_to(std::back_inserter(pieces_), "{:x}\r\n{}\r\n", piece.size(), piece);
  } else {
    pieces_ += piece;
  }
  if (left_.empty()) {
    FlushPieces();
  }
}

void Connection::EndStream() {
  pieces_state_ = Pieces::kEnded;
  if (version_ == 11) {
    pieces_ += "0\r\n\r\n";
  }
  if (left_.empty()) {
    FlushPieces();
  }
}

void Connection::FlushPieces() {
  sending_ = std::exchange(pieces_, {});
  left_ = {asio::buffer(sending_)};
  if (phase_ != Phase::kWrite) {  // The client has not been slow so far.
    Enter(Phase::kWrite);
    pace_.Start(since_, SentBytes());
  }
  Flush();
}

void Connection::OnWritten() {
  out_ = HttpReply();  // Lets go of the tensors.
  if (keep_alive_) {
    AwaitRequest();
    return;
  }
  if (!refused_ && !shared_.draining.load(std::memory_order_relaxed)) {
    Close();  // As the client has asked.
    return;
  }
  // Closed with bytes unread, the system would tell the client so, and the answer would be lost.
  stream_.EndWriting();
  Enter(Phase::kLinger);
  if (!reading_) {
    buffer_.consume(buffer_.size());
    StartRead();
  }
}

}  // namespace omserve::server
