// SPDX-License-Identifier: Apache-2.0
#include "config/source_map.h"

#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/status_macros.h"

namespace omserve::config {
namespace {

SourceMap Example() {
  SourceMap source("f.yaml");
  source.Set("input", {.line = 3, .column = 1});
  source.Set("input[0].dims", {.line = 4, .column = 5});
  return source;
}

// A value that was set is found; one inside it is found at the value around it.
TEST_CASE("a path is located at the innermost known value") {
  const SourceMap source = Example();
  CHECK(source.Locate("input[0].dims") == "f.yaml:4:5");
  CHECK(source.Locate("input[0].dims[2]") == "f.yaml:4:5");
  CHECK(source.Locate("input[0].name") == "f.yaml:3:1");
  CHECK(source.Has("input"));
  CHECK_FALSE(source.Has("input[0]"));
}

// A path that nothing around is known of is located at the file, and nowhere without one.
TEST_CASE("an unknown path is located at the file") {
  CHECK(Example().Locate("output[0].name") == "f.yaml");
  CHECK(SourceMap().Locate("anything").empty());
}

// Control characters never reach a log line, and long text is cut between characters.
TEST_CASE("quoted text is escaped and cut") {
  CHECK(Quoted("plain") == "\"plain\"");
  CHECK(Quoted("a\"b\\c\nd\x01") == "\"a\\\"b\\\\c\\nd\\x01\"");
  CHECK(Quoted(std::string(100, 'x')) == "\"" + std::string(64, 'x') + "...\"");
  CHECK(Shown(std::string(63, 'x') + "\xc3\xa9") == std::string(63, 'x') + "...");
}

// A long key costs a path no more than a short one.
TEST_CASE("keys are cut in paths") {
  CHECK(KeyedPath("parameters", "k") == "parameters[k]");
  CHECK(KeyedPath("parameters", std::string(1'000'000, 'k')).size() < 100);
}

// Errors are listed with their places, up to 20, and the others are counted.
TEST_CASE("findings keep the first 20 errors") {
  const SourceMap source = Example();
  Findings findings(source);
  for (int i = 0; i < 23; ++i) {
    findings.Error("input", "wrong");
  }
  const absl::Status status = findings.ToStatus();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  const std::string text(MessageOf(status));
  CHECK(text.starts_with("f.yaml:3:1: key 'input': wrong\nf.yaml:3:1: key 'input': wrong\n"));
  CHECK(text.ends_with("\nand 3 more errors"));
}

// What is only not followed has its own code; beside a real error the real one decides.
TEST_CASE("findings tell unsupported from wrong") {
  const SourceMap source = Example();
  Findings findings(source);
  CHECK(findings.ok());
  CHECK(findings.ToStatus().ok());
  findings.Unsupported("input", "remove the key");
  CHECK(findings.ToStatus().code() == absl::StatusCode::kUnimplemented);
  CHECK(MessageOf(findings.ToStatus()) == "f.yaml:3:1: key 'input': not supported: remove the key");
  findings.ErrorAt({.line = 9, .column = 2}, "broken");
  CHECK(findings.ToStatus().code() == absl::StatusCode::kInvalidArgument);
}

// A warning is kept and is no error.
TEST_CASE("warnings are not errors") {
  const SourceMap source;
  Findings findings(source);
  findings.Warn("runtime", "ignored");
  CHECK(findings.ok());
  REQUIRE(findings.warnings().size() == 1);
  CHECK(findings.warnings()[0] == "key 'runtime': ignored");
}

}  // namespace
}  // namespace omserve::config
