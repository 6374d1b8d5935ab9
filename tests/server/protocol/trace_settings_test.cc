// SPDX-License-Identifier: Apache-2.0
// The settings of tracing, read and changed over gRPC and over HTTP.
#include <signal.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using inference::TraceSettingRequest;
using inference::TraceSettingResponse;
using Stub = inference::GRPCInferenceService::Stub;
namespace json = boost::json;

std::string Post(int port, const std::string& path, const std::string& body) {
  return SendHttp(port, "POST " + path +
                            " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: " +
                            std::to_string(body.size()) + "\r\n\r\n" + body);
}

json::value BodyOf(const std::string& answer) {
  INFO(answer);
  REQUIRE_THAT(answer, StartsWith("HTTP/1.1 200 "));
  json::error_code error;
  json::value body = json::parse(answer.substr(answer.find("\r\n\r\n") + 4), error);
  REQUIRE_FALSE(error);
  return body;
}

TraceSettingResponse Settings(TestDaemon& daemon, const TraceSettingRequest& request) {
  TraceSettingResponse response;
  const grpc::Status status =
      Client(daemon.daemon().admin_grpc_port()).Call(&Stub::TraceSetting, request, &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  return response;
}

std::string FirstOf(const TraceSettingResponse& response, const std::string& name) {
  return response.settings().at(name).value_size() == 1 ? response.settings().at(name).value(0)
                                                        : "not one value";
}

// All settings in Triton's shapes: texts, but for the list of levels; those of a model are the
// server's until they are set.
TEST_CASE("Trace settings have Triton's shapes",
          "[1.1/TraceSetting][1.2/trace-setting][1.13/trace-keys]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const json::value expected{{"log_frequency", "0"},   {"trace_count", "-1"},
                             {"trace_file", ""},       {"trace_level", json::array{"OFF"}},
                             {"trace_mode", "triton"}, {"trace_rate", "1000"}};
  CHECK(BodyOf(HttpGet(daemon.daemon().admin_http_port(), "/v2/trace/setting")) == expected);
  CHECK(BodyOf(HttpGet(daemon.daemon().admin_http_port(), "/v2/models/text/trace/setting")) ==
        expected);
  const TraceSettingResponse response = Settings(daemon, {});
  CHECK(response.settings_size() == 6);
  CHECK(FirstOf(response, "trace_level") == "OFF");
  CHECK(FirstOf(response, "trace_rate") == "1000");
  CHECK(FirstOf(response, "trace_file").empty());
}

// A change through one protocol shows in the other; null and an empty list take it back.
TEST_CASE("Trace settings are changed over both protocols",
          "[1.1/TraceSetting][1.2/trace-setting][1.13/trace-reset]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const int port = daemon.daemon().admin_http_port();
  json::value body = BodyOf(Post(port, "/v2/models/text/trace/setting",
                                 R"({"trace_level":["TIMESTAMPS","TENSORS"],"trace_rate":"7"})"));
  CHECK(body.at("trace_level") == json::array{"TIMESTAMPS", "TENSORS"});
  CHECK(body.at("trace_rate") == "7");
  TraceSettingRequest request;
  (*request.mutable_settings())["trace_rate"].add_value("9");
  (*request.mutable_settings())["trace_count"].add_value("5");
  CHECK(FirstOf(Settings(daemon, request), "trace_rate") == "9");
  request.mutable_settings()->clear();
  request.set_model_name("text");
  TraceSettingResponse of_model = Settings(daemon, request);
  CHECK(of_model.settings().at("trace_level").value_size() == 2);
  CHECK(FirstOf(of_model, "trace_rate") == "7");
  CHECK(FirstOf(of_model, "trace_count") == "5");
  (*request.mutable_settings())["trace_rate"];  // No value: the server's.
  CHECK(FirstOf(Settings(daemon, request), "trace_rate") == "9");
  body = BodyOf(Post(port, "/v2/trace/setting", R"({"trace_rate":null,"trace_count":null})"));
  CHECK(body.at("trace_rate") == "1000");
  CHECK(body.at("trace_count") == "-1");
  CHECK(BodyOf(HttpGet(port, "/v2/models/text/trace/setting")).at("trace_rate") == "1000");
  // A number and a level that stands alone are taken too.
  CHECK(BodyOf(Post(port, "/v2/trace/setting", R"({"trace_rate":3,"trace_level":"TIMESTAMPS"})"))
            .at("trace_rate") == "3");
}

// Whatever is refused changes nothing, in Triton's words.
TEST_CASE("Trace settings are refused whole",
          "[1.13/trace-file][1.13/trace-bad-number][1.13/trace-unknown-model][1.15/unsupported]"
          "[1.15/invalid-argument]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const int port = daemon.daemon().admin_http_port();
  const std::string path = "/v2/trace/setting";
  const std::string before = HttpGet(port, path);
  CHECK_THAT(Post(port, path, R"({"trace_file":"x"})"),
             StartsWith("HTTP/1.1 501 ") &&
                 Contains(R"({"error":"trace file location can not be updated through network )"
                          R"(protocol"})"));
  CHECK_THAT(Post(port, path, R"({"trace_count":"4","trace_rate":"often"})"),
             StartsWith("HTTP/1.1 400 ") &&
                 Contains(R"({"error":"Unable to parse 'trace_rate', got: often"})"));
  CHECK_THAT(Post(port, path, R"({"trace_level":["OFF","TENSORS"]})"),
             Contains("Expect only one trace level 'OFF' is specified"));
  CHECK_THAT(Post(port, path, "[1]"), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(Post(port, path, R"({"trace_rate":["1"]})"), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(Post(port, path, R"({"trace_level":[]})"), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(
      HttpGet(port, "/v2/models/none/trace/setting"),
      StartsWith("HTTP/1.1 400 ") && Contains(R"({"error":"Request for unknown model : none"})"));
  TraceSettingRequest request;
  request.set_model_name("none");
  TraceSettingResponse response;
  grpc::Status status =
      Client(daemon.daemon().admin_grpc_port()).Call(&Stub::TraceSetting, request, &response);
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(status.error_message() == "Request for unknown model : none");
  request.clear_model_name();
  (*request.mutable_settings())["trace_file"].add_value("x");
  status = Client(daemon.daemon().admin_grpc_port()).Call(&Stub::TraceSetting, request, &response);
  CHECK(status.error_code() == grpc::StatusCode::UNIMPLEMENTED);
  CHECK(BodyOf(HttpGet(port, path)) == BodyOf(before));
}

// tritonserver's flags: what they set is what clients find, and the file has the traces.
TEST_CASE("--trace-config", "[1.13][2]") {
  Repository repository;
  repository.AddText();
  TempFolder folder;
  const std::string file = folder.path() + "/trace.json";
  ChildDaemon daemon(repository,
                     {"--trace-config", "triton,file=" + file, "--trace-config", "rate=1",
                      "--trace-config", "level=TIMESTAMPS", "--trace-config", "count=2"});
  const json::value body = BodyOf(HttpGet(daemon.http_port(), "/v2/trace/setting"));
  CHECK(body.at("trace_file") == json::value(json::string(file)));
  CHECK(body.at("trace_rate") == "1");
  CHECK(body.at("trace_count") == "2");
  for (int i = 0; i < 3; ++i) {
    inference::ModelInferResponse response;
    // An open connection would be waited for at the end.
    REQUIRE(Client(daemon.grpc_port()).Infer(TextRequest("text", 1), &response).ok());
  }
  daemon.Signal(SIGTERM);
  CHECK(daemon.Wait() == 0);
  json::error_code error;
  const json::value traces = json::parse(VALUE(ReadFile(file)), error);
  REQUIRE_FALSE(error);
  CHECK(traces.as_array().size() == 4);  // Two traces of two elements.
  CHECK(
      RunOmserved("--model-repository . --trace-config opentelemetry,url=localhost:4318").status !=
      0);
  CHECK_THAT(RunOmserved("--model-repository . --trace-config rate=x").output,
             Contains("--trace-config: expected rate as a number from 0 to 4294967295, got 'x'"));
}

}  // namespace
}  // namespace omserve::server
