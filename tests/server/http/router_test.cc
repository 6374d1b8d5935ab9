// SPDX-License-Identifier: Apache-2.0
// Verbs and paths: which route has them, and what is said where none has.
#include "server/http/router.h"

#include <catch2/catch.hpp>

#include "server/http/path.h"

namespace omserve::server {
namespace {

Route At(const std::string& verb, const std::string& pattern) {
  return {.verb = verb, .pattern = pattern};
}

std::vector<Route> SomeRoutes() {
  return {At("POST", "/v2/models/{model}[/versions/{version}]/infer"),
          At("GET", "/v2/models/stats"),
          At("GET", "/v2/models/{model}[/versions/{version}]"),
          At("GET", "/v2[/]"),
          At("GET", "/v2/logging"),
          At("POST", "/v2/logging"),
          At("POST", "/v2/repository[/{repository}]/models/{model}/load"),
          At("GET", "/v2/systemsharedmemory[/region/{region}]/status")};
}

// The pattern that has the path; empty where none has.
std::string PatternOf(const Router& router, const std::string& verb, const std::string& path) {
  const Router::Found found = router.Find(verb, path);
  return found.route == nullptr ? "" : found.route->pattern;
}

// Parts of paths: with what may be left out and without it, percent-encoded, with a query.
TEST_CASE("Router: parts of a path", "[1.2/encoded-names][1.2/query]") {
  const Router router(SomeRoutes());
  const Router::Found plain = router.Find("POST", "/v2/models/my%20model/infer?x=/y");
  REQUIRE(plain.route == router.routes().data());
  CHECK(plain.parts.model == "my model");
  CHECK(plain.parts.version.empty());
  const Router::Found versioned = router.Find("POST", "/v2/models/m/versions/7/infer");
  REQUIRE(versioned.route == router.routes().data());
  CHECK(versioned.parts.version == "7");
  const Router::Found load = router.Find("POST", "/v2/repository/r%2F/models/m/load");
  REQUIRE(load.route != nullptr);
  CHECK(load.parts.repository == "r/");
  CHECK(load.parts.model == "m");
  CHECK(router.Find("GET", "/v2/systemsharedmemory/region/a/status").parts.region == "a");
  CHECK(router.Find("GET", "/v2/systemsharedmemory/status").parts.region.empty());
}

// The first of two patterns that fit has the path; a slash at the end counts.
TEST_CASE("Router: order", "[1.2/server-metadata]") {
  const Router router(SomeRoutes());
  CHECK(PatternOf(router, "GET", "/v2/models/stats") == "/v2/models/stats");
  CHECK(PatternOf(router, "GET", "/v2/models/other") == "/v2/models/{model}[/versions/{version}]");
  CHECK(PatternOf(router, "HEAD", "/v2") == "/v2[/]");
  CHECK(PatternOf(router, "GET", "/v2/") == "/v2[/]");
}

// No such path, no such version, a verb that the path has not, and a '%' without its digits.
TEST_CASE("Router: refusals", "[1.2/not-found][1.2/wrong-verb][1.2/version-digits]") {
  const Router router(SomeRoutes());
  for (const char* path :
       {"", "/", "v2", "/v2//", "/v3", "/v2/models", "/v2/models/", "/v2/models//infer",
        "/v2/models/m/infer/", "/v2/models/m/versions/one/infer", "/v2/models/m/labels/1/infer",
        "/v2/models/m/labels//infer", "/v2/models/m/versions//infer",
        "/v2/models/m/version/7/infer", "/v2/models//x/infer", "/v2/infer"}) {
    CAPTURE(path);
    const Router::Found found = router.Find("POST", path);
    CHECK(found.route == nullptr);
    CHECK(found.refusal.status == 404);
    CHECK(found.refusal.body == R"({"error":"Not Found"})");
  }
  const Router::Found get = router.Find("GET", "/v2/models/m/infer");
  CHECK(get.refusal.status == 405);
  CHECK(get.refusal.body == R"({"error":"Method Not Allowed"})");
  CHECK(get.refusal.fields == "Allow: POST\r\n");
  CHECK(router.Find("DELETE", "/v2/logging").refusal.fields == "Allow: GET, HEAD, POST\r\n");
  CHECK(router.Find("POST", "/v2/models/stats").refusal.fields == "Allow: GET, HEAD\r\n");
  CHECK(router.Find("POST", "/v2/models/%zz/infer").refusal.status == 400);
  CHECK(router.Find("POST", "/v2/models/%4/infer").refusal.status == 400);
}

TEST_CASE("PathOf") { CHECK(PathOf("/a/b?c=/d") == "/a/b"); }

}  // namespace
}  // namespace omserve::server
