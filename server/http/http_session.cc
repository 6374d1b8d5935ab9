// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_session.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "runtime/base/status_macros.h"
#include "server/http/http_status.h"

namespace omserve::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr uint32_t kHeaderLimitBytes = 8 * 1024;
constexpr uint64_t kBodyLimitBytes = 64 * 1024;  // Where the path is no inference's.
// For a whole request, for a whole response, and for a connection that says nothing.
constexpr std::chrono::seconds kTimeout{30};
// A shorter body is read and written where it is: handing it over costs more. JSON of so many bytes
// takes a few milliseconds.
constexpr size_t kShortBytes = 64 * 1024;

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

// A response as it goes over the wire, and what its tensors belong to.
struct HttpSession::Message {
  std::string head;
  std::string body;
  std::vector<std::span<const std::byte>> tensors;
  std::shared_ptr<InferResult> owner;
};

HttpSession::HttpSession(tcp::socket socket, HttpShared& shared)
    : stream_(std::move(socket)), shared_(shared) {
  shared_.session_count.fetch_add(1, std::memory_order_relaxed);
  beast::error_code ignored;  // Without it small answers only wait a little.
  stream_.socket().set_option(tcp::no_delay(true), ignored);
}

HttpSession::~HttpSession() { shared_.session_count.fetch_sub(1, std::memory_order_relaxed); }

void HttpSession::ReadHeader() {
  parser_.emplace();
  parser_->header_limit(kHeaderLimitBytes);
  // The path is not known yet, and the parser refuses a long body with the header.
  parser_->body_limit(std::max<uint64_t>(kBodyLimitBytes, shared_.max_body_bytes));
  target_.reset();
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

void HttpSession::OnHeader() {
  const http::request<http::string_body>& request = parser_->get();
  version_ = request.version();
  keep_alive_ = request.keep_alive();
  head_ = request.method() == http::verb::head;
  target_ = ParseModelPath(PathOf(View(request.target())), "infer");
  const bool is_inference = target_->ok() && target_->value().has_value();
  const uint64_t limit = is_inference ? shared_.max_body_bytes : kBodyLimitBytes;
  if (parser_->content_length().value_or(0) > limit) {
    Refuse(413, fmt::format("the body is longer than {} bytes", limit));
    return;
  }
  if (!parser_->content_length().has_value()) {
    parser_->body_limit(limit);
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

void HttpSession::ReadBody() {
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](const beast::error_code& error, size_t /*bytes*/) {
                     if (error) {
                       self->OnReadError(error);
                     } else {
                       self->Answer();
                     }
                   });
}

void HttpSession::OnReadError(const beast::error_code& error) {
  if (error == http::error::body_limit) {
    const bool is_inference = target_.has_value() && target_->ok() && target_->value().has_value();
    Refuse(413, fmt::format("the body is longer than {} bytes", is_inference || !target_.has_value()
                                                                    ? shared_.max_body_bytes
                                                                    : kBodyLimitBytes));
  } else if (error == http::error::header_limit) {
    Refuse(431, fmt::format("the header is longer than {} bytes", kHeaderLimitBytes));
  } else if (error.category() == http::make_error_code(http::error::bad_method).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message) {
    Refuse(400, "not a request of HTTP/1.1");
  } else {
    Close();  // The client is gone, or said nothing for too long.
  }
}

void HttpSession::Answer() {
  const http::request<http::string_body>& request = parser_->get();
  if (!target_->ok()) {
    WriteReply(HttpError(400, MessageOf(target_->status())));
    return;
  }
  if (!target_->value().has_value()) {
    WriteReply(shared_.routes.Answer(View(request.method_string()), View(request.target())));
    return;
  }
  if (request.method() != http::verb::post) {
    HttpReply reply = HttpError(405, "Method Not Allowed");
    reply.allow = "POST";
    WriteReply(std::move(reply));
    return;
  }
  StartInference(*std::move(target_->value()));
}

void HttpSession::StartInference(ModelTarget target) {
  http::request<http::string_body> request = parser_->release();
  inference_ = std::make_shared<Inference>();
  inference_->message = {
      .target = std::move(target),
      .body = std::move(request.body()),
      .header_bytes = std::string(View(request["Inference-Header-Content-Length"])),
      .encoding = std::string(View(request[http::field::content_encoding])),
      .received = shared_.clock.Now()};
  Watch();
  if (inference_->message.body.size() <= kShortBytes) {
    Submit(inference_);
  } else {
    asio::post(shared_.workers,
               [self = shared_from_this(), inference = inference_] { self->Submit(inference); });
  }
}

void HttpSession::Submit(const std::shared_ptr<Inference>& inference) {
  const absl::StatusOr<scheduler::RequestId> id = shared_.infer.Start(
      inference->message, inference->rest,
      [self = shared_from_this(), inference](InferResult result) {
        asio::post(self->stream_.get_executor(),
                   [self, inference, held = std::make_shared<InferResult>(std::move(result))] {
                     self->OnResult(inference, held);
                   });
      });
  inference->message.body = std::string();
  asio::dispatch(stream_.get_executor(),
                 [self = shared_from_this(), inference, id] { self->OnStarted(inference, id); });
}

void HttpSession::OnStarted(const std::shared_ptr<Inference>& inference,
                            const absl::StatusOr<scheduler::RequestId>& id) {
  if (!id.ok()) {
    inference_.reset();
    WriteReply(HttpError(id.status()));
    return;
  }
  inference->id = *id;
  if (inference->gone) {  // While its body was read.
    shared_.infer.Cancel(*id);
  }
}

void HttpSession::OnResult(const std::shared_ptr<Inference>& inference,
                           const std::shared_ptr<InferResult>& result) {
  inference_.reset();
  if (inference->gone) {
    return;  // And with the last hold on it the session.
  }
  if (!result->status.ok()) {
    WriteReply(HttpError(result->status));
    return;
  }
  size_t size_bytes = 0;
  for (const scheduler::ResponseOutput& output : result->outputs) {
    size_bytes += output.bytes.size();
  }
  if (size_bytes <= kShortBytes) {
    WriteAnswer(result, BuildInferAnswer(inference->rest, *result));
    return;
  }
  asio::post(shared_.workers, [self = shared_from_this(), inference, result] {
    absl::StatusOr<RestAnswer> answer = BuildInferAnswer(inference->rest, *result);
    asio::post(self->stream_.get_executor(), [self, result, answer = std::move(answer)]() mutable {
      self->WriteAnswer(result, std::move(answer));
    });
  });
}

void HttpSession::Watch() {
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

void HttpSession::OnReadable() {
  char byte = 0;
  const ssize_t peeked = recv(stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (inference_ == nullptr || peeked > 0 || (peeked < 0 && errno == EAGAIN)) {
    return;  // The next request: it is read when this one is answered.
  }
  inference_->gone = true;
  if (inference_->id != 0) {
    shared_.infer.Cancel(inference_->id);
  }
}

void HttpSession::Refuse(int status, std::string_view text) {
  keep_alive_ = false;
  head_ = false;
  WriteReply(HttpError(status, text));
}

void HttpSession::WriteReply(HttpReply reply) {
  auto message = std::make_shared<Message>();
  AppendHead(reply.status, reply.content_type, reply.body.size(), &message->head);
  if (!reply.allow.empty()) {
    message->head += "Allow: " + reply.allow + "\r\n";
  }
  if (!reply.reason.empty()) {
    message->head += fmt::format("Omserve-Refusal: {}\r\n", reply.reason);
  }
  if (reply.retry_after_s > 0) {
    message->head += fmt::format("Retry-After: {}\r\n", reply.retry_after_s);
  }
  message->body = head_ ? "" : std::move(reply.body);
  Send(message);
}

void HttpSession::WriteAnswer(const std::shared_ptr<InferResult>& result,
                              absl::StatusOr<RestAnswer> answer) {
  if (!answer.ok()) {
    WriteReply(HttpError(answer.status()));
    return;
  }
  auto message = std::make_shared<Message>();
  AppendHead(200, answer->is_binary ? "application/octet-stream" : "application/json",
             answer->size_bytes(), &message->head);
  if (answer->is_binary) {
    message->head += fmt::format("Inference-Header-Content-Length: {}\r\n", answer->json.size());
  }
  message->body = std::move(answer->json);
  message->tensors = std::move(answer->binary);
  message->owner = result;
  Send(message);
}

void HttpSession::AppendHead(int status, std::string_view content_type, size_t size_bytes,
                             std::string* head) const {
  const beast::string_view reason =
      http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
  *head += fmt::format(
      "HTTP/1.{} {} {}\r\nServer: omserve\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
      version_ == 10 ? 0 : 1, status, View(reason), content_type, size_bytes);
  if (!keep_alive_) {
    *head += "Connection: close\r\n";
  } else if (version_ == 10) {
    *head += "Connection: keep-alive\r\n";
  }
}

void HttpSession::Send(const std::shared_ptr<Message>& message) {
  message->head += "\r\n";
  std::vector<asio::const_buffer> buffers = {asio::buffer(message->head),
                                             asio::buffer(message->body)};
  for (const std::span<const std::byte> tensor : message->tensors) {
    buffers.emplace_back(tensor.data(), tensor.size());
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

void HttpSession::Close() {
  beast::error_code ignored;  // A connection that is closed already is fine.
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.socket().cancel(ignored);  // A watch would keep the session until the client closes too.
}

}  // namespace omserve::server
