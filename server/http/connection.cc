// SPDX-License-Identifier: Apache-2.0
// Reading requests, and the time that everything may take. What is written stands in
// connection_answer.cc.
#include "server/http/connection.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <utility>

#include "server/http/connection_exchange.h"

namespace omserve::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr uint32_t kHeaderLimitBytes = 8 * 1024;
constexpr size_t kBodyLimitBytes = 64 * 1024;  // Where the route takes no long body.
// A read of a header, and of a body that is not read in place. Connections that wait hold so much.
constexpr size_t kReadBytes = 4 * 1024;
constexpr size_t kReadBodyBytes = 16 * 1024;
// A body that is shorter goes through the buffer like the header that it comes with.
constexpr uint64_t kInPlaceBytes = 4 * 1024;
// As much as follows at least in a chunked body that is not over: "0\r\n\r\n". Boost.Beast ends the
// process where it knows the last chunk's size already and is asked again with less.
constexpr size_t kLeastChunkBytes = 5;
// How long a refused client may take to read why.
constexpr std::chrono::seconds kLingerTime{2};

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

Connection::Connection(HttpSocket socket, SocketThread& thread, ConnectionShared& shared)
    : stream_(std::move(socket)), thread_(thread), shared_(shared) {
  CountOpen(1);
  beast::error_code ignored;  // Without it small answers only wait a little; Unix has none.
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  stream_.socket().non_blocking(true, ignored);
}

Connection::~Connection() {
  if (phase_ != Phase::kClosed) {
    Enter(Phase::kClosed);
    CountOpen(-1);
  }
}

void Connection::CountOpen(int64_t change) {
  shared_.open.fetch_add(change, std::memory_order_relaxed);
  shared_.counters.connections.fetch_add(change, std::memory_order_relaxed);
}

void Connection::Start() {
  if (shared_.tls == nullptr) {
    AwaitRequest();
    return;
  }
  Enter(Phase::kHandshake);
  std::unique_ptr<TlsSession> tls = shared_.tls->Accept(stream_.socket().native_handle());
  if (tls == nullptr || shared_.handshakes.load(std::memory_order_relaxed) >
                            static_cast<int64_t>(shared_.limits.max_handshakes)) {
    shared_.counters.Count(HttpRefusal::kHandshakes);
    Close();
    return;
  }
  stream_.Secure(std::move(tls));
  stream_.Handshake(
      [self = shared_from_this()](TlsSession::Result result) { self->OnHandshake(result); });
}

void Connection::OnHandshake(TlsSession::Result result) {
  if (phase_ != Phase::kHandshake) {
    return;  // It took too long.
  }
  if (result == TlsSession::Result::kDone) {
    AwaitRequest();
    return;
  }
  shared_.counters.Count(HttpRefusal::kHandshake);
  if (result == TlsSession::Result::kPlainHttp) {
    stream_.Unsecure();
    Refuse(400, "this port speaks TLS: the URL begins with https://");
  } else {
    Close();
  }
}

void Connection::StartRefused() {
  shared_.counters.Count(HttpRefusal::kConnections);
  if (shared_.tls != nullptr) {
    Close();  // A handshake would be needed to say why.
    return;
  }
  keep_alive_ = false;
  refused_ = true;
  HttpReply reply = HttpError(503, "too many connections");
  reply.AddField("Retry-After", "1");
  Write(std::move(reply));
}

void Connection::Enter(Phase phase) {
  const auto answers = [](Phase of) { return of == Phase::kAnswer || of == Phase::kWrite; };
  shared_.handshakes +=
      (phase == Phase::kHandshake ? 1 : 0) - (phase_ == Phase::kHandshake ? 1 : 0);
  shared_.counters.answering += (answers(phase) ? 1 : 0) - (answers(phase_) ? 1 : 0);
  phase_ = phase;
  since_ = shared_.clock.Now();
  pace_.Start(since_);
}

void Connection::CheckTime(Clock::time_point now) {
  const HttpLimits& limits = shared_.limits;
  switch (phase_) {
    case Phase::kHandshake:
      if (now - since_ >= limits.header_timeout) {
        shared_.counters.Count(HttpRefusal::kSlowHandshake);
        Close();
      }
      break;
    case Phase::kIdle:
      if (now - since_ >= limits.idle_timeout) {
        shared_.counters.Count(HttpRefusal::kIdle);
        Close();
      }
      break;
    case Phase::kHeader:
      if (now - since_ >= limits.header_timeout) {
        shared_.counters.Count(HttpRefusal::kSlowHeader);
        Refuse(408, "the header took too long");
      }
      break;
    case Phase::kBody:
      if (pace_.IsTooSlow(now, body_bytes_, limits)) {
        shared_.counters.Count(HttpRefusal::kSlowBody);
        Refuse(408, "the body comes too slowly");
      }
      break;
    case Phase::kWrite:
      if (pace_.IsDue(now, limits) && pace_.IsTooSlow(now, SentBytes(), limits)) {
        shared_.counters.Count(HttpRefusal::kSlowAnswer);
        Close();
      }
      break;
    case Phase::kLinger:
      if (now - since_ >= kLingerTime) {
        Close();
      }
      break;
    case Phase::kAnswer:
    case Phase::kClosed:
      break;
  }
}

int64_t Connection::SentBytes() {
  int queued = 0;  // Also what the client's system has not acknowledged.
  if (ioctl(stream_.socket().native_handle(), SIOCOUTQ, &queued) != 0) {
    queued = 0;
  }
  return written_bytes_ - queued;
}

void Connection::AwaitRequest() {
  Enter(Phase::kIdle);
  parser_.emplace();
  parser_->header_limit(kHeaderLimitBytes);
  parser_->body_limit(boost::none);  // RequestBody has one.
  found_.reset();
  body_.reset();
  if (buffer_.size() > 0) {
    // By way of the event loop: others come between two requests that were sent together.
    asio::post(stream_.socket().get_executor(),
               [self = shared_from_this()] { self->ReadHeader(); });
  } else if (!reading_) {
    StartRead();
  }
}

void Connection::StartRead() {
  reading_ = true;
  asio::mutable_buffer into;
  if (phase_ == Phase::kBody && !is_chunked_ && body_->takes_in_place() && rest_ > kInPlaceBytes) {
    in_place_ = body_->Grow(rest_);
    into = asio::buffer(in_place_.data(), in_place_.size());
  } else {
    in_place_ = {};
    into = buffer_.prepare(phase_ == Phase::kBody ? kReadBodyBytes : kReadBytes);
  }
  stream_.AsyncRead(into,
                    [self = shared_from_this()](const beast::error_code& error, size_t bytes) {
                      self->OnRead(error, bytes);
                    });
}

void Connection::OnRead(const beast::error_code& error, size_t bytes) {
  reading_ = false;
  if (in_place_.empty()) {
    buffer_.commit(bytes);
  } else {
    body_->Shrink(std::exchange(in_place_, {}).size() - bytes);
    rest_ -= bytes;
    body_bytes_ += static_cast<int64_t>(bytes);
  }
  if (error) {
    OnReadEnd();
    return;
  }
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kHeader:
      ReadHeader();
      break;
    case Phase::kBody:
      ReadBody();
      break;
    case Phase::kLinger:
      buffer_.consume(buffer_.size());
      StartRead();
      break;
    case Phase::kHandshake:
    case Phase::kAnswer:  // The next request: it is looked at when this one is answered.
    case Phase::kWrite:
    case Phase::kClosed:
      break;
  }
}

void Connection::OnReadEnd() {
  if (phase_ == Phase::kWrite && pieces_state_ != Pieces::kOpen) {
    keep_alive_ = false;  // It may still read.
  } else {
    Close();
  }
}

void Connection::ReadHeader() {
  if (phase_ == Phase::kIdle) {
    Enter(Phase::kHeader);
  }
  if (phase_ != Phase::kHeader) {
    return;  // Closed before its turn came.
  }
  beast::error_code error;
  buffer_.consume(parser_->put(buffer_.data(), error));
  if (error == http::error::header_limit) {
    Refuse(431, fmt::format("the header is longer than {} bytes", kHeaderLimitBytes));
  } else if (error && error != http::error::need_more) {
    Refuse(400, "not a request of HTTP/1.1");
  } else if (!parser_->is_header_done()) {
    StartRead();
  } else {
    OnHeader();
  }
}

void Connection::OnHeader() {
  const http::request<BodyTarget>& request = parser_->get();
  version_ = request.version();
  keep_alive_ = request.keep_alive();
  head_ = request.method() == http::verb::head;
  is_chunked_ = parser_->chunked();
  found_ = shared_.router.Find(View(request.method_string()), View(request.target()));
  CheckCaller();
  const std::optional<ContentCoding> coding =
      ContentCodingOf(View(request[http::field::content_encoding]));
  if (!coding.has_value()) {
    RefuseCoding(View(request[http::field::content_encoding]));
    return;
  }
  answer_coding_ = shared_.limits.compress_answers
                       ? ChooseContentCoding(View(request[http::field::accept_encoding]))
                       : ContentCoding::kIdentity;
  body_.emplace(BodyLimit(), *coding);
  body_bytes_ = 0;
  rest_ = parser_->content_length().value_or(0);
  if (rest_ > BodyLimit()) {
    RefuseBody(RequestBody::Problem::kTooLong);
    return;
  }
  if (*coding == ContentCoding::kIdentity) {
    body_->Expect(rest_);
  }
  Enter(Phase::kBody);
  const bool is_there = !is_chunked_ && buffer_.size() >= rest_;
  if (is_there || !beast::iequals(request[http::field::expect], "100-continue")) {
    ReadBody();
    return;
  }
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  beast::error_code error;  // These few bytes go at once: nothing else is being sent.
  stream_.WriteSome({asio::buffer(kContinue)}, error);
  if (error) {
    Close();
  } else {
    ReadBody();
  }
}

// Who may not ask for what was found is answered as if nothing had been.
void Connection::CheckCaller() {
  caller_ = {};
  is_barred_ = false;
  if (found_->route == nullptr || !shared_.guard.has_value()) {
    return;
  }
  absl::StatusOr<Caller> caller =
      shared_.guard->Admit(*found_->route, found_->parts, parser_->get().base(), stream_);
  if (caller.ok()) {
    caller_ = *std::move(caller);
  } else {
    is_barred_ = true;
    found_->route = nullptr;
    found_->refusal = HttpGuard::ReplyOf(caller.status());
  }
}

void Connection::RefuseCoding(std::string_view coding) {
  constexpr size_t kMostShown = 32;
  HttpReply reply = HttpError(415, fmt::format("Content-Encoding '{}' is not supported; use {}",
                                               coding.substr(0, kMostShown), kContentCodings));
  reply.AddField("Accept-Encoding", kContentCodings);
  Refuse(std::move(reply));
}

size_t Connection::BodyLimit() const {
  const bool is_long =
      !found_.has_value() || (found_->route != nullptr && found_->route->takes_long_body);
  return is_long ? shared_.limits.max_body_bytes
                 : std::min(kBodyLimitBytes, shared_.limits.max_body_bytes);
}

void Connection::ReadBody() {
  if (is_chunked_) {
    if (!ReadChunks()) {
      return;
    }
  } else {
    const size_t piece = std::min<size_t>(rest_, buffer_.size());
    const RequestBody::Problem problem =
        body_->Put({static_cast<const char*>(buffer_.data().data()), piece});
    if (problem != RequestBody::Problem::kNone) {
      RefuseBody(problem);
      return;
    }
    buffer_.consume(piece);
    rest_ -= piece;
    body_bytes_ += static_cast<int64_t>(piece);
    if (rest_ > 0) {
      StartRead();
      return;
    }
  }
  if (const RequestBody::Problem problem = body_->Finish();
      problem != RequestBody::Problem::kNone) {
    RefuseBody(problem);
    return;
  }
  OnRequest();
}

bool Connection::ReadChunks() {
  BodyTarget::value_type& target = parser_->get().body();
  target.body = &*body_;
  while (!parser_->is_done()) {
    if (buffer_.size() < kLeastChunkBytes) {
      StartRead();
      return false;
    }
    beast::error_code error;
    const size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    body_bytes_ += static_cast<int64_t>(used);
    if (error == http::error::need_more || (!error && buffer_.size() == 0 && !parser_->is_done())) {
      // What the parser waits for the end of, such as an extension or a trailer, has to end.
      if (buffer_.size() > kHeaderLimitBytes) {
        Refuse(400, "not a chunked body");
        return false;
      }
      StartRead();
      return false;
    }
    if (target.problem != RequestBody::Problem::kNone) {
      RefuseBody(target.problem);
      return false;
    }
    if (error) {
      Refuse(400, "not a chunked body");
      return false;
    }
  }
  return true;
}

void Connection::RefuseBody(RequestBody::Problem problem) {
  if (problem == RequestBody::Problem::kTooLong && is_barred_) {
    Refuse(std::move(found_->refusal));
  } else if (problem == RequestBody::Problem::kTooLong) {
    Refuse(413, fmt::format("the body is longer than {} bytes", BodyLimit()));
  } else {
    Refuse(400, "the body is not what its Content-Encoding says, or ends too early");
  }
}

void Connection::OnRequest() {
  Enter(Phase::kAnswer);
  if (found_->route == nullptr) {
    Write(std::move(found_->refusal));
    return;
  }
  const HttpHandler& handler = found_->route->handler;
  HttpRequest request(std::move(found_->parts), std::move(parser_->get().base()), body_->Take(),
                      since_);
  request.caller = std::move(caller_);
  const auto exchange = std::make_shared<Exchange>(shared_from_this());
  exchange_ = exchange;
  if (request.body().size() <= kShortBytes) {
    handler(request, exchange);
  } else {
    asio::post(shared_.workers,
               [&handler, exchange, request = std::move(request)] { handler(request, exchange); });
  }
  if (phase_ == Phase::kAnswer && !reading_ && buffer_.size() == 0) {
    StartRead();
  }
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) {
    return;
  }
  Enter(Phase::kClosed);
  CountOpen(-1);
  if (is_linked()) {
    unlink();
  }
  stream_.Close();
  if (const std::shared_ptr<Exchange> exchange = exchange_.lock()) {
    exchange->Leave();
  }
}

}  // namespace omserve::server
