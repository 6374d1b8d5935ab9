// SPDX-License-Identifier: Apache-2.0
// One GET after the other over HTTP(S), by libcurl, on the calling thread. Internal to
// runtime/source.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"

namespace omserve::source {

struct HttpRequest {
  std::string url;
  // The bytes from `offset` on are asked for; all of them where the file's tag is no longer
  // `if_tag`.
  uint64_t offset = 0;
  std::string if_tag;
  std::string bearer;  // Sent to the host of `url` alone. Empty: none.
};

// An answer without its body.
struct HttpAnswer {
  int status = 0;
  std::string tag;                 // A strong ETag; empty where there is none.
  std::optional<uint64_t> length;  // Of the body.
  std::string content_range;       // As it came.
};

// Confined to one thread; keeps connections between calls.
class HttpClient final {
 public:
  struct Options {
    std::string ca_file;  // PEM. Empty: the system's.
    std::chrono::milliseconds connect_timeout{10'000};
    // Without a byte for so long a transfer is given up; whole seconds, 1 at least.
    std::chrono::seconds stall_timeout{30};
    bool allow_http = false;  // Else redirects, too, lead to https alone.
  };
  // Errors: kInternal where libcurl cannot be set up.
  static absl::StatusOr<std::unique_ptr<HttpClient>> Make(const Options& options);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  // `on_answer`, and then `on_body` as often as bytes come, are called for statuses 200 and 206
  // alone; what they return ends the transfer unless it is OK. Any status is a result. Follows five
  // redirects. Blocks. Errors: kCancelled after a stop; kUnavailable for what may pass;
  // kFailedPrecondition for certificates and redirects; those of the functions.
  absl::StatusOr<HttpAnswer> Get(
      const HttpRequest& request, const std::function<absl::Status(const HttpAnswer&)>& on_answer,
      const std::function<absl::Status(std::span<const std::byte>)>& on_body,
      const std::stop_token& stop);

 private:
  class Transfer;
  struct Handles;
  HttpClient(Options options, std::unique_ptr<Handles> handles);

  const Options options_;
  const std::unique_ptr<Handles> handles_;
};

// The address of a path below another address: bytes that may mean something there are escaped.
std::string UrlBelow(const std::string& base, const std::string& path);

// Errors: kInvalidArgument unless it is http:// or https:// with a host, and without a user, a
// query and a fragment. Pure.
absl::Status CheckHttpUrl(const std::string& url);

}  // namespace omserve::source
