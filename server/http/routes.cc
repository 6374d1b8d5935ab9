// SPDX-License-Identifier: Apache-2.0
#include "server/http/routes.h"

#include <boost/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/base/status_macros.h"

namespace omserve::server {
namespace {

boost::json::string_view View(std::string_view text) { return {text.data(), text.size()}; }

HttpReply Json(int status, const boost::json::object& body) {
  return {.status = status, .body = boost::json::serialize(body)};
}

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return std::nullopt;
}

// nullopt for a '%' that two hexadecimal digits do not follow.
std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const std::optional<int> high = i + 1 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
    const std::optional<int> low = i + 2 < text.size() ? HexDigit(text[i + 2]) : std::nullopt;
    if (!high.has_value() || !low.has_value()) {
      return std::nullopt;
    }
    decoded += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return decoded;
}

std::vector<std::string_view> Segments(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return segments;
}

}  // namespace

HttpReply HttpError(int status, std::string_view text) {
  return Json(status, {{"error", View(text)}});
}

HttpReply HttpRoutes::Answer(std::string_view verb, std::string_view target) const {
  HttpReply reply = Get(target.substr(0, target.find('?')));
  if (reply.status == 404 || verb == "GET" || verb == "HEAD") {
    return reply;
  }
  reply = HttpError(405, "Method Not Allowed");
  reply.allow = "GET, HEAD";
  return reply;
}

HttpReply HttpRoutes::Get(std::string_view path) const {
  if (path == "/metrics") {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = sources_.metrics.Text()};
  }
  if (path == "/v2/health/live") {
    const bool live = sources_.lifecycle.live();
    return Json(live ? 200 : 400, {{"live", live}});
  }
  if (path == "/v2/health/ready") {
    const bool ready = sources_.lifecycle.ready();
    return Json(ready ? 200 : 400, {{"ready", ready}});
  }
  if (path == "/v2" || path == "/v2/") {
    return ServerMetadata();
  }
  constexpr std::string_view kModels = "/v2/models/";
  if (path.substr(0, kModels.size()) == kModels) {
    return ModelReady(path.substr(kModels.size()));
  }
  return HttpError(404, "Not Found");
}

// "M/ready" and "M/versions/V/ready".
HttpReply HttpRoutes::ModelReady(std::string_view path) const {
  const std::vector<std::string_view> parts = Segments(path);
  const bool versioned = parts.size() == 4 && parts[1] == "versions";
  if ((parts.size() != 2 && !versioned) || parts.back() != "ready") {
    return HttpError(404, "Not Found");
  }
  const std::optional<std::string> name = PercentDecoded(parts[0]);
  const std::optional<std::string> version =
      versioned ? PercentDecoded(parts[2]) : std::optional<std::string>("");
  if (!name.has_value() || !version.has_value()) {
    return HttpError(400, "a '%' in the path is not followed by two hexadecimal digits");
  }
  const absl::StatusOr<bool> served = sources_.readiness.IsModelReady(*name, *version);
  if (served.status().code() == absl::StatusCode::kNotFound) {
    return HttpError(404, MessageOf(served.status()));
  }
  const bool ready = served.value_or(false);
  return Json(ready ? 200 : 400, {{"name", View(*name)}, {"ready", ready}});
}

HttpReply HttpRoutes::ServerMetadata() const {
  return Json(200, {{"name", View(sources_.name)},
                    {"version", View(sources_.version)},
                    {"extensions", boost::json::array()}});
}

}  // namespace omserve::server
