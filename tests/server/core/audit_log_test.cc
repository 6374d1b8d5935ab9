// SPDX-License-Identifier: Apache-2.0
#include "server/core/audit_log.h"

#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

const AuditLog::WallTime kNoTime = [] { return std::chrono::milliseconds(0); };

TEST_CASE("A control operation is one line of JSON") {
  CHECK(FormatAction({.by = "ops@ipv4:10.0.0.7:40312",
                      .what = "label",
                      .model = "text",
                      .arguments = {{"stable", "4"}},
                      .took = std::chrono::milliseconds(12)},
                     1'764'172'805'007) ==
        R"({"time":"2025-11-26T16:00:05.007Z","by":"ops@ipv4:10.0.0.7:40312","what":"label",)"
        R"("model":"text","arguments":{"stable":"4"},"result":"OK","ms":12})");
  // Whatever a client names a model: it is one line all the same.
  const std::string line = FormatAction(
      {.by = "a", .what = "load", .model = "x\"\n{}", .result = NotFound("'x\"\n' is not there")},
      0);
  CHECK(line == R"({"time":"1970-01-01T00:00:00.000Z","by":"a","what":"load","model":"x\"\n{}",)"
                R"("result":"NOT_FOUND","error":"'x\"\n' is not there","ms":0})");
}

// Lines of several threads stand one behind the other, and behind those of a daemon before.
TEST_CASE("The audit log is appended to") {
  std::filesystem::remove("audit.jsonl");
  for (int run = 0; run < 2; ++run) {
    const auto log = VALUE(AuditLog::Open("audit.jsonl", kNoTime));
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&log, t] {
        for (int i = 0; i < 100; ++i) {
          log->Note({.by = std::to_string(t), .what = "load", .model = std::string(2000, 'm')});
        }
      });
    }
  }
  const std::string text = VALUE(ReadFile("audit.jsonl"));
  size_t lines = 0;
  for (size_t at = 0; at < text.size(); ++lines) {
    const size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    boost::system::error_code error;
    boost::json::parse({text.data() + at, end - at}, error);
    CHECK(!error);
    at = end + 1;
  }
  CHECK(lines == 800);
  CHECK(AuditLog::Open("no/such/folder/audit.jsonl", kNoTime).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace omserve::server
