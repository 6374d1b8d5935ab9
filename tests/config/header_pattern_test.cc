// SPDX-License-Identifier: Apache-2.0
#include "config/header_pattern.h"

#include <catch2/catch.hpp>

#include "runtime/base/errors.h"
#include "tests/status_test_util.h"

namespace omserve::config {
namespace {

// A part of the name has to match, whatever its case; with (?-i) as it is written.
TEST_CASE("A header pattern takes names") {
  const HeaderPattern tenant = VALUE(HeaderPattern::Make("^x-tenant|zone$"));
  CHECK(tenant.takes_any());
  CHECK(tenant.Takes("X-Tenant-Id"));
  CHECK(tenant.Takes("my-zone"));
  CHECK_FALSE(tenant.Takes("zones"));
  const HeaderPattern exact = VALUE(HeaderPattern::Make("(?-i)^X-Tenant$"));
  CHECK(exact.Takes("X-Tenant"));
  CHECK_FALSE(exact.Takes("x-tenant"));
  CHECK_FALSE(HeaderPattern().takes_any());
  CHECK_FALSE(VALUE(HeaderPattern::Make("")).Takes(""));
}

// Secrets are none of a pattern's business, in any case.
TEST_CASE("A header pattern takes no secrets") {
  const HeaderPattern all = VALUE(HeaderPattern::Make(".*", {"x-key"}));
  for (const char* secret :
       {"Authorization", "authorization", "Proxy-Authorization", "Cookie", "X-Key", "x-key"}) {
    CHECK_FALSE(all.Takes(secret));
  }
  CHECK(all.Takes("x-keys"));
}

// What is no regular expression is told with the reason.
TEST_CASE("A wrong header pattern") {
  const absl::Status status = HeaderPattern::Make("(x").status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(MessageOf(status)),
             Catch::Contains("'(x' is no regular expression: missing ): (x"));
}

}  // namespace
}  // namespace omserve::config
