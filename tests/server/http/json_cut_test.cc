// SPDX-License-Identifier: Apache-2.0
// What is cut out of an inference's JSON, and what stays.
#include "server/http/json_cut.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "server/http/json_scan.h"
#include "tests/server/http/json_oracle.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;

struct Parts {
  std::string document;
  std::vector<std::string> data;

  bool operator==(const Parts&) const = default;
};

Parts CutOf(const std::string& text) {
  const CutRequest cut = VALUE(CutTensorData(text));
  return {cut.document, {cut.data.begin(), cut.data.end()}};
}

// Only the data of inputs, whatever they are and wherever they stand in their input.
TEST_CASE("CutTensorData: what is cut") {
  CHECK(CutOf(R"({"inputs":[{"name":"x","data":[[1,2],[3,4]]},{"data" : "]" , "name":"y"}]})") ==
        Parts{R"({"inputs":[{"name":"x","data":0 },{"data" : 1  , "name":"y"}]})",
              {"[[1,2],[3,4]]", R"("]")"}});
  CHECK(CutOf(R"({"inputs":[{"data":{"a":["}"]}}]})") ==
        Parts{R"({"inputs":[{"data":0 }]})", {R"({"a":["}"]})"}});
  CHECK(CutOf(R"({"inputs":[{"d\u0061ta":-1.5}]})") ==
        Parts{R"({"inputs":[{"d\u0061ta":0 }]})", {"-1.5"}});
}

// Others of the name, requests without data, and what is no JSON.
TEST_CASE("CutTensorData: what stays") {
  for (const char* text :
       {R"({"data":[1],"x":{"inputs":[{"data":[1]}]},"inputs":[{"p":{"data":[1]}},[{"data":1}]]})",
        R"({"inputs":{"data":[1]},"outputs":[{"data":[1]}]})", R"({})", R"({"inputs":[]})", "",
        "[1]", "null", R"({"inputs":[{"data":[1,2)", R"({"inputs":[{"data":"x)",
        R"({"inputs":[{"data":)", R"({"inputs":[{"data")", R"({"inputs":[{"data":}]})"}) {
    CHECK(CutOf(text) == Parts{text, {}});
  }
}

// Digits after a value do not make another index of its own one.
TEST_CASE("CutTensorData: digits after a value") {
  for (const char* after_second : {"", "0"}) {
    std::string text = R"({"inputs":[)";
    for (int i = 0; i < 12; ++i) {
      text +=
          fmt::format(R"({}{{"data":[{}]{}}})", i == 0 ? "" : ",", i, i == 1 ? after_second : "");
    }
    CHECK(CutDifference(text + "]}") == "");
  }
}

// Of two only one could be meant.
TEST_CASE("CutTensorData: a name twice") {
  CHECK_THAT(std::string(MessageOf(
                 CutTensorData(R"({"inputs":[{"data":[1],"name":"x","data":[2]}]})").status())),
             Contains("'data' twice"));
  CHECK_THAT(std::string(MessageOf(CutTensorData(R"({"inputs":[],"inputs":[]})").status())),
             Contains("'inputs' twice"));
  REQUIRE_OK(CutTensorData(R"({"inputs":[{"data":[1]},{"data":[2]}]})").status());
}

// The parts say together what the whole says, and are damaged where it is.
TEST_CASE("CutTensorData: every way to cut a request short, and to damage it") {
  const std::string text =
      R"({"id":"\"[","inputs":[{"name":"x","shape":[1,2],"data":[[1.5,-2e3]]},)"
      R"({"data":["a\\","]}"],"datatype":"BYTES"}],"outputs":[{"name":"y"}]})";
  REQUIRE(CutDifference(text).empty());
  for (size_t at = 0; at < text.size(); ++at) {
    CHECK(CutDifference(text.substr(0, at)) == "");
    for (const char other : std::string("\"\\[]{},:1 a\0", 12)) {
      std::string damaged = text;
      damaged[at] = other;
      CHECK(CutDifference(damaged) == "");
    }
  }
}

// Long values are shown in part, and never with half a character at the end.
TEST_CASE("ShownJson") {
  CHECK(ShownJson("[1]") == "[1]");
  CHECK(ShownJson(std::string(61, 'x')) == std::string(60, 'x') + "...");
  CHECK(ShownJson(std::string(59, 'x') + "\xc3\xa9!") == std::string(59, 'x') + "...");
}

}  // namespace
}  // namespace omserve::server
