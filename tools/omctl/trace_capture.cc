// SPDX-License-Identifier: Apache-2.0
// `omctl trace capture`: asks the daemon's REST port for a picture of some seconds.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "tools/omctl/commands.h"

namespace omserve::omctl {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;
using asio::ip::tcp;
using Seconds = std::chrono::duration<double>;

constexpr std::chrono::milliseconds kTick{200};
constexpr Seconds kPatience{60};  // Beyond the capture itself, for a large answer.

bool AreLoopback(const tcp::resolver::results_type& endpoints) {
  return std::all_of(endpoints.begin(), endpoints.end(),
                     [](const auto& each) { return each.endpoint().address().is_loopback(); });
}

// One GET, with a line of progress while it is under way. Everything happens in Run.
class CaptureCall final {
 public:
  CaptureCall(const TraceCaptureCommand& command, std::string token, bool shows)
      : command_(command),
        token_(std::move(token)),
        shows_(shows),
        stream_(context_),
        timer_(context_) {}

  // The answer's body. Errors: kInvalidArgument when a token would leave this machine in plain
  // text; kUnavailable when the daemon cannot be reached; the daemon's own.
  absl::StatusOr<std::string> Run() {
    const size_t colon = command_.rest_url.rfind(':');
    if (colon == std::string::npos) {
      return InvalidArgument("--rest-url '{}': expected host:port", command_.rest_url);
    }
    beast::error_code error;
    tcp::resolver resolver(context_);
    const auto endpoints = resolver.resolve(command_.rest_url.substr(0, colon),
                                            command_.rest_url.substr(colon + 1), error);
    if (!error && !token_.empty() && !AreLoopback(endpoints)) {
      return InvalidArgument(
          "--token-file: a capture is asked for over plain HTTP, and {} is not loopback; run omctl "
          "beside the daemon, or reach its port by way of a tunnel",
          command_.rest_url);
    }
    if (!error) {
      stream_.expires_after(std::chrono::seconds(10));
      stream_.connect(endpoints, error);
    }
    if (error) {
      return Failure("connect", error);
    }
    http::request<http::empty_body> request(
        http::verb::get, fmt::format("/v2/trace/capture?seconds={}", command_.seconds), 11);
    request.set(http::field::host, command_.rest_url);
    request.set(http::field::connection, "close");
    if (!token_.empty()) {
      request.set(http::field::authorization, "Bearer " + token_);
    }
    http::write(stream_, request, error);
    if (error) {
      return Failure("ask", error);
    }
    return Read();
  }

 private:
  absl::StatusOr<std::string> Read() {
    http::response_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    beast::flat_buffer buffer;
    beast::error_code failed;
    stream_.expires_after(std::chrono::duration_cast<std::chrono::milliseconds>(
        Seconds(command_.seconds) + kPatience));
    http::async_read(stream_, buffer, parser, [&](beast::error_code error, size_t /*bytes*/) {
      failed = error;
      done_ = true;
      timer_.cancel();
    });
    Tick();
    context_.run();
    if (shows_) {
      fmt::print(stderr, "\r\033[K");
    }
    if (failed) {
      return Failure("read", failed);
    }
    if (parser.get().result() != http::status::ok) {
      json::error_code bad;
      const json::value said = json::parse(parser.get().body(), bad);
      const json::value* text =
          bad || !said.is_object() ? nullptr : said.get_object().if_contains("error");
      return FailedPrecondition("{}: {}", command_.rest_url,
                                text != nullptr && text->is_string()
                                    ? std::string(std::string_view(text->get_string()))
                                    : parser.get().body().substr(0, 200));
    }
    return std::move(parser.get().body());
  }

  void Tick() {
    if (shows_) {
      fmt::print(stderr, "\r\033[Kcapturing {:.1f} of {:.1f} s",
                 std::min(passed_.count(), command_.seconds), command_.seconds);
      std::fflush(stderr);
    }
    passed_ += kTick;
    timer_.expires_after(kTick);
    timer_.async_wait([this](beast::error_code error) {
      if (!error && !done_) {  // Where it was due already, there was no wait left to cancel.
        Tick();
      }
    });
  }

  absl::Status Failure(const char* what, const beast::error_code& error) const {
    return Unavailable("cannot {} {}: {}", what, command_.rest_url, error.message());
  }

  const TraceCaptureCommand& command_;
  const std::string token_;
  const bool shows_;
  asio::io_context context_;
  beast::tcp_stream stream_;
  asio::steady_timer timer_;
  Seconds passed_{0};
  bool done_ = false;  // The answer is there, or will not come.
};

}  // namespace

absl::Status CaptureTrace(const CommonOptions& common, const TraceCaptureCommand& command) {
  ASSIGN_OR_RETURN(client::ConnectOptions connect,
                   client::ReadConnectOptions(common.url(), common.files));
  if (connect.tls) {
    return InvalidArgument(
        "--tls: a capture is asked for over plain HTTP; run omctl beside the daemon, or reach its "
        "port by way of a tunnel");
  }
  CaptureCall call(command, std::move(connect.token), isatty(STDERR_FILENO) != 0);
  ASSIGN_OR_RETURN(const std::string trace, call.Run());
  if (command.output == "-") {
    fmt::print("{}\n", trace);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(WriteFileAtomically(command.output, trace));
  json::error_code error;
  const json::value parsed = json::parse(trace, error);
  const json::object* const other =
      error || !parsed.is_object() || !parsed.get_object().contains("otherData")
          ? nullptr
          : parsed.at("otherData").if_object();
  if (other == nullptr) {
    return Internal("{}: the answer is no trace", command.rest_url);
  }
  if (common.json) {
    json::object told = *other;
    told["file"] = command.output;
    fmt::print("{}\n", json::serialize(told));
    return absl::OkStatus();
  }
  fmt::print("{}: {} requests in {} s; open it in https://ui.perfetto.dev\n", command.output,
             json::serialize(other->at("requests")), command.seconds);
  return absl::OkStatus();
}

}  // namespace omserve::omctl
