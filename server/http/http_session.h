// SPDX-License-Identifier: Apache-2.0
// One connection of the HTTP port: a request, its answer, the next request.
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
#include "server/http/infer_route.h"
#include "server/http/routes.h"

namespace omserve::server {

// What all sessions use; outlives them.
struct HttpShared {
  const HttpRoutes& routes;
  const InferRoute& infer;
  const Clock& clock;
  const size_t max_body_bytes;  // Of an inference.
  // Reads and writes the bodies that take long, so that the thread of the sockets does not.
  boost::asio::thread_pool& workers;
  std::atomic<size_t> session_count{0};  // A count alone: no order is needed.
};

// Confined to the thread of the sockets, but for what says otherwise. Each pending operation holds
// the session, so that it dies with its last one, on whatever thread that is.
//
// While an inference runs, the socket is watched: a client that closes it, also one that only ends
// its sending, wants no answer any longer, and the inference is cancelled.
class HttpSession final : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, HttpShared& shared);
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;
  ~HttpSession();

  // Reads the first request, and goes on by itself.
  void Start() { ReadHeader(); }

 private:
  // An inference under way.
  struct Inference {
    // Of whoever submits it, until that is done.
    InferMessage message;
    // Written before the engine has the request, read after the engine has answered it.
    RestCall rest;
    // Of the sockets' thread.
    scheduler::RequestId id = 0;  // 0: not known yet.
    bool gone = false;            // The client is.
  };
  struct Message;

  void ReadHeader();
  void OnHeader();
  void ReadBody();
  void OnReadError(const boost::system::error_code& error);
  void Answer();

  void StartInference(ModelTarget target);
  // On the sockets' thread or on a worker.
  void Submit(const std::shared_ptr<Inference>& inference);
  void OnStarted(const std::shared_ptr<Inference>& inference,
                 const absl::StatusOr<scheduler::RequestId>& id);
  void OnResult(const std::shared_ptr<Inference>& inference,
                const std::shared_ptr<InferResult>& result);
  void Watch();
  void OnReadable();

  // Answers what could not be read; the rest of the stream has no meaning, so it is closed after.
  void Refuse(int status, std::string_view text);
  void WriteReply(HttpReply reply);
  void WriteAnswer(const std::shared_ptr<InferResult>& result, absl::StatusOr<RestAnswer> answer);
  void AppendHead(int status, std::string_view content_type, size_t size_bytes,
                  std::string* head) const;
  void Send(const std::shared_ptr<Message>& message);
  void Close();

  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  HttpShared& shared_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::optional<absl::StatusOr<std::optional<ModelTarget>>> target_;  // Of an inference's path.
  unsigned version_ = 11;
  bool keep_alive_ = false;
  bool head_ = false;
  std::shared_ptr<Inference> inference_;
  bool watching_ = false;
};

}  // namespace omserve::server
