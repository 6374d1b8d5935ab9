// SPDX-License-Identifier: Apache-2.0
// The log's settings, read and changed over gRPC and over HTTP.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using inference::LogSettingsRequest;
using inference::LogSettingsResponse;
using Stub = inference::GRPCInferenceService::Stub;

std::string Post(int port, const std::string& body) {
  return SendHttp(port,
                  "POST /v2/logging HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                  "Content-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body);
}

boost::json::value BodyOf(const std::string& answer) {
  INFO(answer);
  REQUIRE_THAT(answer, StartsWith("HTTP/1.1 200 "));
  boost::system::error_code error;
  boost::json::value body = boost::json::parse(answer.substr(answer.find("\r\n\r\n") + 4), error);
  REQUIRE_FALSE(error);
  return body;
}

// All settings come back, in their types, and a change through one protocol shows in the other.
TEST_CASE("The log is changed over both protocols",
          "[1.1/LogSettings][1.2/logging][1.13/log-keys]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  InitLog({.level = LogLevel::kInfo, .json = false, .file = "daemon.log"});
  const int port = daemon.daemon().admin_http_port();
  Client operators(daemon.daemon().admin_grpc_port());
  CHECK(BodyOf(HttpGet(port, "/v2/logging")) == boost::json::value{{"log_file", "daemon.log"},
                                                                   {"log_info", true},
                                                                   {"log_warning", true},
                                                                   {"log_error", true},
                                                                   {"log_verbose_level", 0},
                                                                   {"log_format", "ISO8601"}});
  LogSettingsRequest request;
  (*request.mutable_settings())["log_info"].set_bool_param(false);
  (*request.mutable_settings())["log_verbose_level"].set_uint32_param(2);
  (*request.mutable_settings())["log_format"].set_string_param("default");
  LogSettingsResponse response;
  REQUIRE(operators.Call(&Stub::LogSettings, request, &response).ok());
  CHECK(response.settings_size() == 6);
  CHECK_FALSE(response.settings().at("log_info").bool_param());
  CHECK(response.settings().at("log_warning").bool_param());
  CHECK(response.settings().at("log_verbose_level").uint32_param() == 2);
  CHECK(response.settings().at("log_format").string_param() == "default");
  CHECK(response.settings().at("log_file").string_param() == "daemon.log");
  const boost::json::value body = BodyOf(Post(port, R"({"log_warning": false})"));
  CHECK(body.at("log_info") == false);
  CHECK(body.at("log_warning") == false);
  CHECK(body.at("log_error") == true);
  CHECK(body.at("log_verbose_level") == 2);
  CHECK(BodyOf(Post(port, "")) == body);
  const std::string text = VALUE(ReadFile("daemon.log"));
  CHECK_THAT(text, Contains("log settings changed by=ipv") && Contains("log_info=false"));
  CHECK_THAT(text,
             Contains("log settings changed by=ipv4:127.0.0.1:") && Contains(" log_warning=false"));
  InitLog({.level = LogLevel::kOff});
}

// Whatever is refused changes nothing.
TEST_CASE("Changes of the log are refused whole",
          "[1.13/log-keys][1.13/log-file][1.15/unsupported][1.15/invalid-argument]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const int port = daemon.daemon().admin_http_port();
  Client operators(daemon.daemon().admin_grpc_port());
  const std::string before = HttpGet(port, "/v2/logging");
  CHECK_THAT(Post(port, R"({"log_info": true, "log_infos": true})"),
             StartsWith("HTTP/1.1 400 ") && Contains("unknown log setting 'log_infos'"));
  CHECK_THAT(Post(port, R"({"log_error": null})"), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(Post(port, R"({"log_verbose_level": -1})"), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(Post(port, "[]"), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(
      Post(port, R"({"log_file": "/x"})"),
      StartsWith("HTTP/1.1 501 ") &&
          Contains(R"({"error":"log file location can not be updated through network protocol"})"));
  LogSettingsRequest request;
  LogSettingsResponse response;
  (*request.mutable_settings())["log_file"].set_string_param("/x");
  CHECK(operators.Call(&Stub::LogSettings, request, &response).error_code() ==
        grpc::StatusCode::UNIMPLEMENTED);
  request.mutable_settings()->clear();
  (*request.mutable_settings())["log_info"];  // No value at all.
  CHECK(operators.Call(&Stub::LogSettings, request, &response).error_code() ==
        grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(BodyOf(HttpGet(port, "/v2/logging")) == BodyOf(before));
}

// On the public ports settings are read, and changing them is refused with a word on where to.
TEST_CASE("The log is not changed over public ports", "[1.13]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  CHECK(BodyOf(HttpGet(daemon.http_port(), "/v2/logging")).is_object());
  CHECK_THAT(Post(daemon.http_port(), R"({"log_info": true})"),
             StartsWith("HTTP/1.1 403 ") && Contains("admin.http_port") &&
                 Contains("admin.control_on_public_ports"));
  LogSettingsRequest request;
  LogSettingsResponse response;
  CHECK(daemon.client().Call(&Stub::LogSettings, request, &response).ok());
  (*request.mutable_settings())["log_info"].set_bool_param(true);
  const grpc::Status refused = daemon.client().Call(&Stub::LogSettings, request, &response);
  CHECK(refused.error_code() == grpc::StatusCode::PERMISSION_DENIED);
  CHECK_THAT(refused.error_message(), Contains("admin.grpc_port"));
  CHECK(Metric(daemon.http_port(), "omserve_access_refused_calls_total{reason=\"admin_port\"}") ==
        2);
}

// Unless the settings say so, as Triton's clients expect it.
TEST_CASE("The log is changed over public ports where that is set", "[1.13]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, [](ServerConfig& config) {
    config.mutable_admin()->set_allow(false);
    config.mutable_admin()->set_control_on_public_ports(true);
  });
  CHECK(daemon.daemon().admin_grpc_port() == 0);
  CHECK(BodyOf(Post(daemon.http_port(), R"({"log_info": false})")).at("log_info") == false);
  LogSettingsRequest request;
  LogSettingsResponse response;
  (*request.mutable_settings())["log_info"].set_bool_param(true);
  CHECK(daemon.client().Call(&Stub::LogSettings, request, &response).ok());
  InitLog({.level = LogLevel::kOff});
}

}  // namespace
}  // namespace omserve::server
