// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/log.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>

#include "runtime/base/file.h"
#include "runtime/base/log_settings.h"
#include "tests/status_test_util.h"

namespace omserve {
namespace {

using Catch::Matchers::Contains;

// Starts a log into a file that does not exist yet.
std::string FreshLog(const std::string& name, LogLevel level, bool json) {
  std::filesystem::remove(name);
  InitLog({.level = level, .json = json, .file = name});
  return name;
}

// Each name is read as its level.
TEST_CASE("Log levels have names") {
  const std::vector<std::pair<std::string, LogLevel>> levels = {{"debug", LogLevel::kDebug},
                                                                {"info", LogLevel::kInfo},
                                                                {"warning", LogLevel::kWarning},
                                                                {"error", LogLevel::kError},
                                                                {"off", LogLevel::kOff}};
  for (const auto& [name, expected] : levels) {
    CAPTURE(name);
    LogLevel level = expected == LogLevel::kInfo ? LogLevel::kOff : LogLevel::kInfo;
    CHECK(ParseLogLevel(name, &level));
    CHECK(level == expected);
  }
}

// Anything else is no level and leaves the variable as it was.
TEST_CASE("Unknown log levels are refused") {
  for (const char* name : {"", "INFO", "warn", "trace", "info "}) {
    CAPTURE(name);
    LogLevel level = LogLevel::kError;
    CHECK_FALSE(ParseLogLevel(name, &level));
    CHECK(level == LogLevel::kError);
  }
}

// Below the level nothing is written, and the arguments are not even evaluated.
TEST_CASE("Lines below the level cost nothing") {
  const std::string path = FreshLog("level.log", LogLevel::kWarning, false);
  int evaluated = 0;
  OMSERVE_LOG(kInfo, "test", "quiet {}", ++evaluated);
  CHECK(evaluated == 0);
  OMSERVE_LOG(kWarning, "test", "loud {}", ++evaluated);
  CHECK(evaluated == 1);
  const std::string text = VALUE(ReadFile(path));
  CHECK_THAT(text, Contains("W test: loud 1"));
  CHECK_THAT(text, !Contains("quiet"));
}

// Each kind of lines by itself, and the level that was given at the start.
TEST_CASE("Kinds of log lines are switched one by one", "[1.13]") {
  const std::string path = FreshLog("kinds.log", LogLevel::kWarning, false);
  CHECK_FALSE(CurrentLogSettings().info);
  CHECK(CurrentLogSettings().warning);
  CHECK(CurrentLogSettings().verbose_level == 0);
  ChangeLogSettings({.info = true, .warning = false, .verbose_level = 1});
  OMSERVE_LOG(kDebug, "test", "a debug line");
  OMSERVE_LOG(kWarning, "test", "a warning");
  OMSERVE_LOG(kInfo, "test", "news");
  ChangeLogSettings({.error = false, .verbose_level = 0});
  OMSERVE_LOG(kDebug, "test", "another debug line");
  OMSERVE_LOG(kError, "test", "an error");
  ChangeLogSettings({.error = true});
  OMSERVE_LOG(kError, "test", "the last error");
  const std::string text = VALUE(ReadFile(path));
  CHECK_THAT(text, Contains("D test: a debug line") && Contains("I test: news"));
  CHECK_THAT(text, Contains("E test: the last error"));
  CHECK_THAT(text, !Contains("a warning") && !Contains("another") && !Contains("an error"));
}

// As Triton's lines begin, and back.
TEST_CASE("The format of log lines is changed while they are written", "[1.13]") {
  const std::string path = FreshLog("format.log", LogLevel::kInfo, false);
  ChangeLogSettings({.format = LogFormat::kDefault});
  OMSERVE_LOG(kInfo, "test", "short");
  ChangeLogSettings({.format = LogFormat::kIso8601});
  OMSERVE_LOG(kInfo, "test", "long");
  const std::string text = VALUE(ReadFile(path));
  CHECK_THAT(text,
             Catch::Matchers::Matches(R"(I\d{4} \d\d:\d\d:\d\d\.\d{6} \d+\] test: short\n)"
                                      R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} I test: long\n)"));
}

// Quotes, line ends and back-slashes from outside cannot break out of a JSON line.
TEST_CASE("JSON log lines stay JSON whatever the message") {
  const std::string path = FreshLog("json.log", LogLevel::kInfo, true);
  const std::string message = "name=\"a\\b\"\n{}\x01 end";
  OMSERVE_LOG(kInfo, "registry", "{}", message);
  boost::json::error_code error;
  const boost::json::value line = boost::json::parse(VALUE(ReadFile(path)).c_str(), error);
  REQUIRE_FALSE(error);
  CHECK(line.at("component").as_string() == "registry");
  CHECK(line.at("message").as_string() == message.c_str());
  CHECK(line.at("level").as_string() == "info");
}

}  // namespace
}  // namespace omserve
