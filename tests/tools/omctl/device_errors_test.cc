// SPDX-License-Identifier: Apache-2.0
// `omctl device errors`, and the page that is made by it.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "tests/tools/omctl/omctl_run.h"

namespace omserve::omctl {
namespace {

using Catch::Matchers::Contains;
using testing::CheckFails;
using testing::Outcome;
using testing::RunOmctl;

// The page is what the program prints; a table that was changed needs the page made again.
TEST_CASE("docs/device-errors.md is made from the table", "[device]") {
  const Outcome outcome = RunOmctl("device errors --markdown");
  CHECK(outcome.exit_code == 0);
  const bool same = outcome.out == VALUE(ReadFile(OMSERVE_SOURCE_DIR "/docs/device-errors.md"));
  INFO("make it again: build/release/bin/omctl device errors --markdown >docs/device-errors.md");
  CHECK(same);
}

// A code is explained in full, whether it is given by number or by name.
TEST_CASE("omctl device errors explains a code", "[device]") {
  const Outcome by_number = RunOmctl("device errors 507015");
  CHECK(by_number.exit_code == 0);
  CHECK_THAT(by_number.out, Contains("507015 ACL_ERROR_RT_AICORE_EXCEPTION") &&
                                Contains("AI Core") && Contains("INTERNAL") &&
                                Contains("after the device is reset") && Contains("advice"));
  CHECK(RunOmctl("device errors ACL_ERROR_RT_AICORE_EXCEPTION").out == by_number.out);
  CHECK_THAT(RunOmctl("device errors 545001").out, Contains("INVALID_ARGUMENT while a model"));
}

// A part of a name lists those that have it; nothing lists all.
TEST_CASE("omctl device errors lists codes", "[device]") {
  const Outcome some = RunOmctl("device errors TIMEOUT");
  CHECK_THAT(some.out, Contains("507012") && Contains("507014") && !Contains("507015"));
  const Outcome all = RunOmctl("device errors");
  CHECK_THAT(all.out, Contains("100000") && Contains("545601"));
}

// A number that is not in the table has its class; a word that is in no name is an error.
TEST_CASE("omctl device errors knows what it does not know", "[device]") {
  const Outcome unlisted = RunOmctl("device errors 299999");
  CHECK(unlisted.exit_code == 0);
  CHECK_THAT(unlisted.out, Contains("299999 a resource") && Contains("RESOURCE_EXHAUSTED"));
  CheckFails(RunOmctl("device errors nonsense"), "NOT_FOUND");
  CheckFails(RunOmctl("device errors 99999999999"), "NOT_FOUND");
}

// The same as JSON: an object for a code, an array for many.
TEST_CASE("omctl device errors prints JSON", "[device]") {
  boost::system::error_code error;
  const boost::json::value one =
      boost::json::parse(RunOmctl("device errors 207001 --json").out, error);
  REQUIRE_FALSE(error);
  CHECK(one.at("name").as_string() == "ACL_ERROR_RT_MEMORY_ALLOCATION");
  CHECK(one.at("status").as_string() == "RESOURCE_EXHAUSTED");
  CHECK(one.at("class").as_string() == "resource");
  CHECK(one.at("device_unusable") == false);
  const boost::json::value all = boost::json::parse(RunOmctl("device errors --json").out, error);
  REQUIRE_FALSE(error);
  CHECK(all.as_array().size() > 150);
}

}  // namespace
}  // namespace omserve::omctl
