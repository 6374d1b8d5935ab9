// SPDX-License-Identifier: Apache-2.0
// Which handler answers which verb and path. No socket in here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/core/method_group.h"
#include "server/http/http_handler.h"

namespace omserve::server {

struct Route {
  std::string verb;  // GET also answers HEAD: who sends the reply leaves out its body.
  // A path with {model}, {version} (digits only), {region} or {repository} in place of a segment;
  // what stands in [] may be left out: "/v2/models/{model}[/versions/{version}]/infer". A client
  // may write "labels" for "versions", and then a label for the number.
  std::string pattern;
  MethodGroup group = MethodGroup::kMetadata;
  HttpHandler handler;
  bool is_control = false;       // It changes the server or its models; see Operation::Control.
  bool takes_long_body = false;  // Its body may be as long as the settings allow.
};

// The paths of a pattern: with its brackets left out, and with what they hold.
std::vector<std::string> PathsOf(const std::string& pattern);

// Thread-safe.
class Router final {
 public:
  // Where two patterns fit one path, the first has it. Requires well-formed patterns.
  explicit Router(std::vector<Route> routes);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  struct Found {
    const Route* route = nullptr;  // The router's. Null: there is none, and
    HttpReply refusal;             // this is the answer: 404, 405 with Allow, or 400.
    PathParts parts;
  };
  // `target` is the request line's, with a query or without.
  Found Find(std::string_view verb, std::string_view target) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  // A pattern without brackets.
  struct Path {
    std::string pattern;
    const Route* route;
  };

  const std::vector<Route> routes_;
  std::vector<Path> paths_;
};

}  // namespace omserve::server
