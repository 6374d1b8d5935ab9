// SPDX-License-Identifier: Apache-2.0
#include "server/http/router.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/base/check.h"
#include "server/core/model_routes.h"
#include "server/http/path.h"

namespace omserve::server {
namespace {

std::string* PartOf(std::string_view name, PathParts& parts) {
  if (name == "{model}") {
    return &parts.model;
  }
  if (name == "{version}") {
    return &parts.version;
  }
  if (name == "{region}") {
    return &parts.region;
  }
  return name == "{repository}" ? &parts.repository : nullptr;
}

// Takes what stands before the next slash off `path`, and that slash.
std::string_view TakeSegment(std::string_view& path) {
  const size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return segment;
}

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Whether `path` is of the pattern. Puts its parts, still encoded, into `parts`.
bool Matches(std::string_view pattern, std::string_view path, PathParts& parts) {
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) {
    return false;
  }
  bool is_label = false;  // "labels/stable" in place of "versions/3".
  while (!pattern.empty()) {
    const std::string_view wanted = TakeSegment(pattern);
    const std::string_view found = TakeSegment(path);
    std::string* const part = PartOf(wanted, parts);
    if (wanted == "versions" && found == "labels") {
      is_label = true;
      continue;
    }
    const bool is_version = wanted == "{version}";
    if (part == nullptr ? wanted != found : found.empty()) {
      return false;
    }
    if (is_version && (is_label ? !CheckLabel(found).ok() : !IsNumber(found))) {
      return false;
    }
    if (part != nullptr) {
      *part = found;
    }
  }
  return path.empty();
}

bool Decode(PathParts& parts) {
  for (std::string* part : {&parts.model, &parts.region, &parts.repository}) {
    if (part->find('%') == std::string::npos) {
      continue;
    }
    std::optional<std::string> decoded = PercentDecoded(*part);
    if (!decoded.has_value()) {
      return false;
    }
    *part = *std::move(decoded);
  }
  return true;
}

}  // namespace

std::vector<std::string> PathsOf(const std::string& pattern) {
  const size_t open = pattern.find('[');
  if (open == std::string::npos) {
    return {pattern};
  }
  const size_t close = pattern.find(']', open);
  OMSERVE_CHECK(close != std::string::npos, "a bracket of a pattern is closed");
  std::vector<std::string> all;
  for (const std::string& rest : PathsOf(pattern.substr(close + 1))) {
    all.push_back(pattern.substr(0, open) + rest);
    all.push_back(pattern.substr(0, open) + pattern.substr(open + 1, close - open - 1) + rest);
  }
  return all;
}

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
  for (const Route& route : routes_) {
    for (std::string& pattern : PathsOf(route.pattern)) {
      paths_.push_back({std::move(pattern), &route});
    }
  }
}

Router::Found Router::Find(std::string_view verb, std::string_view target) const {
  const std::string_view path = PathOf(target);
  const std::string_view wanted = verb == "HEAD" ? "GET" : verb;
  std::string allowed;
  for (const Path& candidate : paths_) {
    PathParts parts;
    if (!Matches(candidate.pattern, path, parts)) {
      continue;
    }
    if (!Decode(parts)) {
      return {.refusal =
                  HttpError(400, "a '%' in the path is not followed by two hexadecimal digits")};
    }
    if (candidate.route->verb == wanted) {
      return {.route = candidate.route, .parts = std::move(parts)};
    }
    if (allowed.find(candidate.route->verb) == std::string::npos) {
      allowed += allowed.empty() ? "" : ", ";
      allowed += candidate.route->verb == "GET" ? "GET, HEAD" : candidate.route->verb;
    }
  }
  if (allowed.empty()) {
    return {.refusal = HttpError(404, "Not Found")};
  }
  Found refused{.refusal = HttpError(405, "Method Not Allowed")};
  refused.refusal.AddField("Allow", allowed);
  return refused;
}

}  // namespace omserve::server
