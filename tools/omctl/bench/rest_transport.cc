// SPDX-License-Identifier: Apache-2.0
// Requests over HTTP/1.1: made into bytes once, a connection for each call, all on one thread. A
// connection that fails or is too slow is closed and made anew for the next request.
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/thread.h"
#include "tools/omctl/bench/thread_cpu.h"
#include "tools/omctl/bench/transport.h"
#include "tools/omctl/tensor_text.h"

namespace omserve::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;
using asio::ip::tcp;

absl::StatusOr<json::object> Header(const Question& question,
                                    const std::vector<client::Tensor>& inputs, bool as_json) {
  json::array tensors;
  for (const client::Tensor& input : inputs) {
    json::object tensor{{"name", input.name},
                        {"datatype", std::string(DataTypeName(input.type))},
                        {"shape", json::array(input.dims.begin(), input.dims.end())}};
    if (as_json) {
      ASSIGN_OR_RETURN(tensor["data"], omctl::TensorToJson(input));
    } else {
      tensor["parameters"] = json::object{{"binary_data_size", input.raw.size()}};
    }
    tensors.push_back(std::move(tensor));
  }
  json::object parameters{{"binary_data_output", !as_json}};
  if (question.timeout > Clock::duration::zero()) {
    parameters["timeout"] =
        std::chrono::duration_cast<std::chrono::microseconds>(question.timeout).count();
  }
  if (question.priority > 0) {
    parameters["priority"] = question.priority;
  }
  json::object header{{"inputs", std::move(tensors)}, {"parameters", std::move(parameters)}};
  if (!question.outputs.empty()) {
    json::array outputs;
    for (const std::string& output : question.outputs) {
      outputs.push_back(json::object{{"name", output}});
    }
    header["outputs"] = std::move(outputs);
  }
  return header;
}

std::string PercentEncoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

// The whole request as it goes over the wire.
absl::StatusOr<std::string> RequestBytes(const Question& question, const TransportOptions& options,
                                         const std::vector<client::Tensor>& inputs, bool as_json) {
  const std::string& token = options.connect.token;
  ASSIGN_OR_RETURN(const json::object header, Header(question, inputs, as_json));
  const std::string text = json::serialize(header);
  size_t size_bytes = text.size();
  for (const client::Tensor& input : inputs) {
    size_bytes += as_json ? 0 : input.raw.size();
  }
  std::string bytes = fmt::format(
      "POST /v2/models/{}{}/infer HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{}{}\r\n",
      PercentEncoded(question.model),
      question.version.empty() ? "" : "/versions/" + PercentEncoded(question.version),
      options.address, size_bytes,
      token.empty() ? "" : fmt::format("Authorization: Bearer {}\r\n", token),
      as_json ? "Content-Type: application/json\r\n"
              : fmt::format("Content-Type: application/octet-stream\r\n"
                            "Inference-Header-Content-Length: {}\r\n",
                            text.size()));
  bytes += text;
  for (const client::Tensor& input : inputs) {
    bytes += as_json ? "" : input.raw;
  }
  return bytes;
}

absl::StatusCode CodeOf(unsigned http_status) {
  switch (http_status) {
    case 400:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 499:
      return absl::StatusCode::kCancelled;
    case 501:
      return absl::StatusCode::kUnimplemented;
    case 503:
      return absl::StatusCode::kUnavailable;
    case 504:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return absl::StatusCode::kInternal;
  }
}

// One call. Confined to the transport's thread.
class Connection final {
 public:
  Connection(asio::io_context& context, const tcp::resolver::results_type& endpoints,
             Clock::duration deadline, std::function<void(absl::Status)> done)
      : context_(context), endpoints_(endpoints), deadline_(deadline), done_(std::move(done)) {}

  void Send(const std::string& request) {
    if (stream_.has_value()) {
      stream_->expires_after(deadline_);
      Write(request);
      return;
    }
    stream_.emplace(context_);
    buffer_.clear();
    stream_->expires_after(deadline_);
    stream_->async_connect(endpoints_, [this, &request](const beast::error_code& error,
                                                        const tcp::endpoint& /*endpoint*/) {
      if (error) {
        Fail(error, "connect");
        return;
      }
      beast::error_code ignored;  // Without it small requests only wait a little.
      stream_->socket().set_option(tcp::no_delay(true), ignored);
      Write(request);
    });
  }

  void Cancel() {
    cancelled_ = true;
    if (stream_.has_value()) {
      stream_->cancel();
    }
  }

 private:
  void Write(const std::string& request) {
    asio::async_write(*stream_, asio::buffer(request),
                      [this](const beast::error_code& error, size_t /*bytes*/) {
                        if (error) {
                          Fail(error, "send");
                          return;
                        }
                        Read();
                      });
  }

  void Read() {
    parser_.emplace();
    parser_->body_limit(boost::none);
    http::async_read(*stream_, buffer_, *parser_,
                     [this](const beast::error_code& error, size_t /*bytes*/) {
                       if (error) {
                         Fail(error, "receive");
                         return;
                       }
                       Finish();
                     });
  }

  void Finish() {
    const http::response<http::string_body>& response = parser_->get();
    if (!response.keep_alive()) {
      stream_.reset();
    }
    const unsigned code = response.result_int();
    done_(code == 200 ? absl::OkStatus() : MakeStatus(CodeOf(code), response.body()));
  }

  void Fail(const beast::error_code& error, const char* what) {
    stream_.reset();
    absl::Status status = cancelled_ ? Cancelled("the benchmark ended")
                          : error == beast::error::timeout
                              ? DeadlineExceeded("no answer within the deadline")
                              : Unavailable("{}: {}", what, error.message());
    done_(std::move(status));
  }

  asio::io_context& context_;
  const tcp::resolver::results_type& endpoints_;
  const Clock::duration deadline_;
  const std::function<void(absl::Status)> done_;
  std::optional<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
  std::optional<http::response_parser<http::string_body>> parser_;
  bool cancelled_ = false;
};

class RestTransport final : public Transport {
 public:
  RestTransport(std::vector<std::string> requests, const TransportOptions& options, OnDone on_done)
      : requests_(std::move(requests)), options_(options), on_done_(std::move(on_done)) {}

  absl::Status Start() {
    const size_t colon = options_.address.rfind(':');
    if (colon == std::string::npos) {
      return InvalidArgument("'{}' is no host:port (--rest-url)", options_.address);
    }
    beast::error_code error;
    tcp::resolver resolver(context_);
    endpoints_ = resolver.resolve(options_.address.substr(0, colon),
                                  options_.address.substr(colon + 1), error);
    if (error) {
      return InvalidArgument("'{}' cannot be resolved: {} (--rest-url)", options_.address,
                             error.message());
    }
    for (int i = 0; i < options_.calls; ++i) {
      const auto call = static_cast<size_t>(i);
      connections_.push_back(std::make_unique<Connection>(
          context_, endpoints_, options_.deadline,
          [this, call](absl::Status status) { on_done_(call, std::move(status)); }));
    }
    thread_ = StartThread("bench-rest", [this] { context_.run(); });
    return absl::OkStatus();
  }

  ~RestTransport() override {
    work_.reset();
    context_.stop();
    thread_ = {};  // Joins, before the connections go.
  }

  void Send(size_t call) override {
    asio::dispatch(context_, [this, call] {
      connections_[call]->Send(requests_[next_request_++ % requests_.size()]);
    });
  }

  void CancelAll() override {
    asio::post(context_, [this] {
      for (const std::unique_ptr<Connection>& connection : connections_) {
        connection->Cancel();
      }
    });
  }

  std::vector<Clock::duration> ThreadCpu() const override { return {ThreadCpuTime(thread_)}; }

 private:
  // Constant after Start.
  const std::vector<std::string> requests_;
  const TransportOptions options_;
  const OnDone on_done_;
  tcp::resolver::results_type endpoints_;

  asio::io_context context_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
      asio::make_work_guard(context_)};

  // Confined to the thread.
  std::vector<std::unique_ptr<Connection>> connections_;
  size_t next_request_ = 0;

  mutable std::jthread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> MakeRestTransport(const Question& question,
                                                             const TransportOptions& options,
                                                             bool as_json,
                                                             Transport::OnDone on_done) {
  std::vector<std::string> requests;
  for (const std::vector<client::Tensor>& inputs : question.payloads) {
    ASSIGN_OR_RETURN(std::string bytes, RequestBytes(question, options, inputs, as_json));
    requests.push_back(std::move(bytes));
  }
  auto transport =
      std::make_unique<RestTransport>(std::move(requests), options, std::move(on_done));
  RETURN_IF_ERROR(transport->Start());
  return transport;
}

}  // namespace omserve::bench
