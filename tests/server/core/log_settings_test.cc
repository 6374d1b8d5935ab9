// SPDX-License-Identifier: Apache-2.0
#include "server/core/log_settings.h"

#include <catch2/catch.hpp>

#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;

std::string Refusal(const LogValues& values, absl::StatusCode code, const LogSettings& now = {}) {
  const absl::Status status = ReadLogChange(values, now).status();
  REQUIRE(status.code() == code);
  return std::string(MessageOf(status));
}

// What is given, and nothing else.
TEST_CASE("A change of the log is read", "[1.13]") {
  const LogChange change = VALUE(ReadLogChange({{"log_info", false},
                                                {"log_error", true},
                                                {"log_verbose_level", uint64_t{3}},
                                                {"log_format", std::string("default")}},
                                               {}));
  CHECK(change.info == false);
  CHECK_FALSE(change.warning.has_value());
  CHECK(change.error == true);
  CHECK(change.verbose_level == 3U);
  CHECK(change.format == LogFormat::kDefault);
}

// Names, kinds and values that no setting has; the file, which is not for clients.
TEST_CASE("Changes of the log that are refused", "[1.13]") {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  CHECK_THAT(Refusal({{"log_warnings", true}}, kInvalid),
             Contains("unknown log setting 'log_warnings'"));
  CHECK(Refusal({{"log_info", uint64_t{1}}}, kInvalid) ==
        "invalid value type for 'log_info' log setting, expected true or false");
  CHECK_THAT(Refusal({{"log_info", {}}}, kInvalid), Contains("'log_info'"));
  CHECK_THAT(Refusal({{"log_verbose_level", true}}, kInvalid), Contains("a whole number"));
  CHECK_THAT(Refusal({{"log_verbose_level", uint64_t{1} << 32}}, kInvalid),
             Contains("got 4294967296"));
  CHECK_THAT(Refusal({{"log_format", uint64_t{1}}}, kInvalid), Contains("a string"));
  CHECK_THAT(Refusal({{"log_format", std::string("iso")}}, kInvalid),
             Contains("expected default or ISO8601, got 'iso'"));
  CHECK_THAT(Refusal({{"log_format", std::string("default")}}, kInvalid, LogSettings{.json = true}),
             Contains("log.json"));
  CHECK(Refusal({{"log_file", std::string("x")}}, absl::StatusCode::kUnimplemented) ==
        "log file location can not be updated through network protocol");
}

// Who changed what is told though the change itself switches off all lines; where one value is
// wrong, nothing is changed.
TEST_CASE("The log says who changed it", "[1.13]") {
  InitLog({.level = LogLevel::kInfo, .json = false, .file = "changed.log"});
  const LogValues off = {{"log_info", false}, {"log_warning", false}, {"log_error", false}};
  LogValues wrong = off;
  wrong["log_verbose_level"] = true;
  CHECK_FALSE(ChangeLog(wrong, "ipv4:192.0.2.1:5").ok());
  CHECK(CurrentLogSettings().error);
  REQUIRE_OK(ChangeLog(off, "ipv4:192.0.2.1:7"));
  REQUIRE_OK(ChangeLog({}, "ipv4:192.0.2.1:9"));  // Asks only.
  const std::string text = VALUE(ReadFile("changed.log"));
  CHECK_THAT(text, Contains("log settings changed by=ipv4:192.0.2.1:7 log_error=false "
                            "log_info=false log_warning=false"));
  CHECK_THAT(text, !Contains("192.0.2.1:5") && !Contains("192.0.2.1:9"));
  const LogValues values = LogValuesOf(CurrentLogSettings());
  CHECK(values.at("log_file") == LogValue(std::string("changed.log")));
  CHECK(values.at("log_error") == LogValue(false));
  CHECK(values.at("log_format") == LogValue(std::string("ISO8601")));
}

}  // namespace
}  // namespace omserve::server
