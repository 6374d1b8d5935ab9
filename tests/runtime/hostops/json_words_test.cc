// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/json_words.h"

#include <catch2/catch.hpp>

#include "runtime/base/file.h"
#include "tests/runtime/hostops/host_op_test_util.h"

namespace omserve::hostops {
namespace {

using Catch::Matchers::Contains;
using Words = std::vector<std::string>;

std::string Written(const std::string& name, const std::string& contents) {
  REQUIRE_OK(WriteFileAtomically(name, contents));
  return name;
}

// A JSON array of strings is read in order, escapes resolved.
TEST_CASE("Words are read from JSON") {
  CHECK(VALUE(ReadJsonWords(Written("words.json", R"( ["b", "a\n\u00e9", ""] )"))) ==
        Words{"b", "a\n\xc3\xa9", ""});
}

// Anything but an array of strings is refused, naming the file and the element.
TEST_CASE("JSON that is no array of strings is refused") {
  const auto error = [](const std::string& contents) {
    return ErrorOf(ReadJsonWords(Written("bad.json", contents)).status());
  };
  CHECK_THAT(error(""), Contains("'bad.json': not JSON"));
  CHECK_THAT(error("[\"a\""), Contains("not JSON"));
  CHECK_THAT(error("[\"a\"] x"), Contains("not JSON"));
  CHECK_THAT(error("[\"\xff\"]"), Contains("not JSON"));
  CHECK_THAT(error(std::string(100000, '[')), Contains("not JSON"));
  CHECK_THAT(error("{\"a\": 1}"), Contains("no array"));
  CHECK_THAT(error("[]"), Contains("an empty array"));
  CHECK_THAT(error("[\"a\", 7]"), Contains("element 1 is no string"));
}

// Labels are lines; the last one may end with a line or not, and lines may end as on Windows.
TEST_CASE("Labels are read from lines") {
  CHECK(VALUE(ReadLabels(Written("a.txt", "cat\ndog\n"))) == Words{"cat", "dog"});
  CHECK(VALUE(ReadLabels(Written("b.txt", "cat\r\ndog"))) == Words{"cat", "dog"});
  CHECK(VALUE(ReadLabels(Written("c.txt", "cat\n\ndog\n"))) == Words{"cat", "", "dog"});
  CHECK(VALUE(ReadLabels(Written("d.json", "[\"cat\"]"))) == Words{"cat"});
}

// A file without a label and a missing file are refused.
TEST_CASE("Labels that are not there are refused") {
  CHECK_THAT(ErrorOf(ReadLabels(Written("none.txt", "")).status()), Contains("'none.txt': empty"));
  CHECK(ReadLabels("missing.txt").status().code() == absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace omserve::hostops
