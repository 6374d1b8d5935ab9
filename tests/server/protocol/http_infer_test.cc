// SPDX-License-Identifier: Apache-2.0
// POST /v2/models/M/infer, asked by curl: JSON, binary tensors, errors, a client that goes away.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "runtime/base/file.h"
#include "tests/server/protocol/curl.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using inference::ModelInferResponse;

boost::json::value Parsed(const std::string& text) {
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(text, error);
  INFO(text);
  REQUIRE_FALSE(error);
  return value;
}

// TextRequest(model, 1) as JSON.
std::string TextJson(const std::string& more = "") {
  std::string ids;
  std::string mask;
  for (int i = 0; i < 32; ++i) {
    ids += (i > 0 ? "," : "") + std::to_string(i < 5 ? i + 1 : 0);
    mask += (i > 0 ? "," : "") + std::to_string(i < 5 ? 1 : 0);
  }
  return R"({"inputs":[{"name":"input_ids","shape":[1,32],"datatype":"INT64","data":[)" + ids +
         R"(]},{"name":"attention_mask","shape":[1,32],"datatype":"INT64","data":[[)" + mask +
         "]]}]" + more + "}";
}

// What gRPC answers to the same request.
ModelInferResponse Expected(TestDaemon& daemon, const std::string& model) {
  ModelInferResponse response;
  REQUIRE(daemon.client().Infer(TextRequest(model, 1), &response).ok());
  return response;
}

// Numbers as text, there and back: the same values as over gRPC, bit for bit.
TEST_CASE("HTTP infer: JSON",
          "[protocol][1.2/infer][1.2/encoded-names][1.2/query][1.3/id][1.3/model-version]"
          "[1.3/parameters][1.3/data-nested]") {
  Repository repository;
  repository.AddText("my model");
  TestDaemon daemon(repository);
  const ModelInferResponse expected = Expected(daemon, "my model");
  for (const char* path :
       {"/v2/models/my%20model/infer", "/v2/models/my%20model/versions/1/infer?x=1"}) {
    const CurlAnswer answer = Post(daemon.http_port(), path,
                                   TextJson(R"(,"id":"q7","parameters":{"omserve_trace":true})"));
    INFO(answer.body.substr(0, 300));
    REQUIRE(answer.status == 200);
    CHECK_THAT(answer.header, Contains("Content-Type: application/json") &&
                                  !Contains("Inference-Header-Content-Length"));
    const boost::json::value json = Parsed(answer.body);
    CHECK(json.at("id").as_string() == "q7");
    CHECK(json.at("model_name").as_string() == "my model");
    CHECK(json.at("model_version").as_string() == "1");
    CHECK(json.at("parameters").as_object().contains("omserve_stages"));
    const boost::json::value& output = json.at("outputs").at(0);
    CHECK(output.at("name").as_string() == expected.outputs(0).name());
    std::string raw;
    for (const boost::json::value& number : output.at("data").as_array()) {
      const auto value = number.to_number<float>();
      raw.append(static_cast<const char*>(static_cast<const void*>(&value)), sizeof(value));
    }
    CHECK(raw == expected.raw_output_contents(0));
  }
}

// Tensors as bytes in both directions, with a body that is long enough for a worker and for curl to
// ask before it sends it.
TEST_CASE("HTTP infer: binary tensors",
          "[protocol][1.6/binary-data-size][1.6/binary-data-output][1.6/binary-answer]"
          "[1.8/binary-data-output][1.8/binary-data]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const inference::ModelInferRequest request = TextRequest("text", 1);
  const ModelInferResponse expected = Expected(daemon, "text");
  for (const size_t padding : {size_t{0}, size_t{2} << 20}) {
    std::string body =
        R"({"inputs":[{"name":"input_ids","shape":[1,32],"datatype":"INT64",)"
        R"("parameters":{"binary_data_size":256}},{"name":"attention_mask","shape":[1,32],)"
        R"("datatype":"INT64","parameters":{"binary_data_size":256}}],)"
        R"("parameters":{"binary_data_output":true}})" +
        std::string(padding, ' ');
    const std::string length = std::to_string(body.size());
    body += request.raw_input_contents(0) + request.raw_input_contents(1);
    const CurlAnswer answer = Post(daemon.http_port(), "/v2/models/text/infer", body,
                                   "-H 'Inference-Header-Content-Length: " + length + "'");
    INFO(answer.header);
    REQUIRE(answer.status == 200);
    CHECK_THAT(answer.header, Contains("Content-Type: application/octet-stream"));
    const size_t at = answer.header.find("Inference-Header-Content-Length: ");
    REQUIRE(at != std::string::npos);
    const size_t json_bytes = std::stoul(answer.header.substr(at + 33));
    const boost::json::value json = Parsed(answer.body.substr(0, json_bytes));
    CHECK(json.at("outputs").at(0).at("parameters").at("binary_data_size") ==
          expected.raw_output_contents(0).size());
    CHECK(answer.body.substr(json_bytes) == expected.raw_output_contents(0));
  }
}

// A chunked body, a connection that is kept, and one of HTTP/1.0.
TEST_CASE("HTTP infer: ways to send", "[protocol][1.6/chunked]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  CHECK(Post(daemon.http_port(), "/v2/models/text/infer", TextJson(),
             "-H 'Transfer-Encoding: chunked'")
            .status == 200);
  CHECK(Post(daemon.http_port(), "/v2/models/text/infer", TextJson(), "--http1.0").status == 200);
  const std::string body = TextJson();
  const std::string request = "POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
  const std::string bad =
      "POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
  const std::string last = "GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string answers =
      SendHttp(daemon.http_port(), request + bad + request + last, R"({"live":true})");
  size_t good = 0;
  for (size_t at = answers.find("HTTP/1.1 200"); at != std::string::npos;
       at = answers.find("HTTP/1.1 200", at + 1)) {
    ++good;
  }
  CHECK(good == 3);
  CHECK_THAT(answers, Contains("HTTP/1.1 400"));
}

// Each error has its status and a JSON body that says why.
TEST_CASE("HTTP infer: errors",
          "[protocol][1.3/errors][1.7/unknown-coding][1.15/not-found][1.15/invalid-argument]"
          "[1.15/text-unknown-model][1.15/text-missing-input]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(
      repository, [](ServerConfig& config) { config.mutable_http()->set_max_body_bytes(100'000); });
  const auto check = [&](const std::string& path, const std::string& body, int status,
                         const std::string& text, const std::string& more = "") {
    const CurlAnswer answer = Post(daemon.http_port(), path, body, more);
    INFO(answer.body);
    CHECK(answer.status == status);
    CHECK_THAT(std::string(Parsed(answer.body).at("error").as_string().c_str()), Contains(text));
  };
  const std::string path = "/v2/models/text/infer";
  check("/v2/models/nobody/infer", TextJson(), 404,
        "Request for unknown model: 'nobody' is not found");
  check("/v2/models/text/versions/9/infer", TextJson(), 404, "version 9");
  check("/v2/models/%zz/infer", TextJson(), 400, "hexadecimal");
  check(path, "{", 400, "not a JSON object");
  check(path, "{}", 400, "expected 2 inputs but got 0 inputs for model 'text'");
  check(path, TextJson(R"(,"outputs":[{"name":"nobody"}])"), 400, "nobody");
  check(path, TextJson(), 415, "Content-Encoding 'br' is not supported; use gzip, deflate",
        "-H 'Content-Encoding: br'");
  check(path, TextJson(), 400, "Inference-Header-Content-Length",
        "-H 'Inference-Header-Content-Length: many'");
  check(path, TextJson(std::string(100'000, ' ')), 413, "longer than 100000 bytes");
  check(path, TextJson(std::string(100'000, ' ')), 413, "longer than 100000 bytes",
        "-H 'Transfer-Encoding: chunked'");
  const std::string get = HttpGet(daemon.http_port(), path);
  CHECK_THAT(get, Contains("HTTP/1.1 405 ") && Contains("Allow: POST\r\n"));
  // Other paths keep their own, smaller limit.
  check("/metrics", std::string(70'000, ' '), 413, "longer than 65536 bytes");
}

// A batch of which this is the first row waits for company that does not come.
constexpr char kPatientConfig[] =
    "dynamic_batching: {preferred_batch_size: [2, 8], max_queue_delay_microseconds: 60000000}\n";

// The request's own time is over: 504, and nothing is left behind.
TEST_CASE("HTTP infer: a timeout", "[protocol][1.8/timeout]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository);
  // Rows that wait are released for a deadline in time, so that only one that is over at once is
  // sure to be missed.
  const CurlAnswer answer = Post(daemon.http_port(), "/v2/models/patient/infer",
                                 TextJson(R"(,"parameters":{"timeout":1})"));
  INFO(answer.body);
  CHECK(answer.status == 504);
  AwaitMetric(daemon.http_port(), "omserve_requests_in_flight", 0);
}

// One row waits, and no more may: the next is told why, and when to come back.
TEST_CASE("HTTP infer: a refusal", "[protocol][1.15/unavailable][1.15/text-queue-full]") {
  Repository repository;
  repository.AddText("patient",
                     "dynamic_batching: {preferred_batch_size: [2, 8], "
                     "max_queue_delay_microseconds: 60000000, "
                     "default_queue_policy: {max_queue_size: 1}}\n");
  TestDaemon daemon(repository);
  REQUIRE_OK(WriteFileAtomically("first", TextJson()));
  const std::string first =
      "curl -sS --max-time 30 -o first_answer --data-binary @first "
      "'http://127.0.0.1:" +
      std::to_string(daemon.http_port()) + "/v2/models/patient/infer' 2>/dev/null & echo $! >pid";
  REQUIRE(std::system(first.c_str()) == 0);  // NOLINT: the test has one thread.
  AwaitMetric(daemon.http_port(), "omserve_queue_rows{model=\"patient\",version=\"1\"}", 1);
  const CurlAnswer answer = Post(daemon.http_port(), "/v2/models/patient/infer", TextJson());
  INFO(answer.body);
  CHECK(answer.status == 503);
  CHECK_THAT(answer.header, Contains("Omserve-Refusal: QUEUE_ROWS\r\n"));
  CHECK_THAT(answer.header, Contains("Retry-After: 1\r\n"));
  CHECK_THAT(answer.body, Contains("Exceeds maximum queue size"));
  REQUIRE(std::system("kill $(cat pid)") == 0);  // NOLINT: the test has one thread.
  AwaitMetric(daemon.http_port(), "omserve_requests_in_flight", 0);
}

// A client that gives up, and one that asks for nothing more: the request that waits is cancelled.
TEST_CASE("HTTP infer: a client that goes away", "[protocol][1.14/disconnect][1.15/cancelled]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository);
  const CurlAnswer answer =
      Post(daemon.http_port(), "/v2/models/patient/infer", TextJson(), "--max-time 0.3");
  CHECK(answer.exit_code == 28);  // curl's own timeout.
  AwaitMetric(daemon.http_port(),
              "nv_inference_request_failure{model=\"patient\",version=\"1\",reason=\"CANCELED\"}",
              1);
  AwaitMetric(daemon.http_port(), "omserve_requests_in_flight", 0);
}

// Answers of a long JSON body do not hold up the probe: health answers while workers are at it.
TEST_CASE("HTTP infer: many at once", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  REQUIRE_OK(WriteFileAtomically("long", TextJson(std::string(3 << 20, ' '))));
  const std::string url = "'http://127.0.0.1:" + std::to_string(daemon.http_port());
  const std::string command =
      "for i in 1 2 3 4 5 6 7 8; do curl -sS --max-time 60 -o /dev/null -w "
      "'%{http_code}\\n' --data-binary @long " +
      url + "/v2/models/text/infer' & done >statuses; curl -sS " + url +
      "/v2/health/live' >live; wait";
  REQUIRE(std::system(command.c_str()) == 0);  // NOLINT: the test has one thread.
  CHECK(VALUE(ReadFile("live")) == R"({"live":true})");
  std::string expected;
  for (int i = 0; i < 8; ++i) {
    expected += "200\n";
  }
  CHECK(VALUE(ReadFile("statuses")) == expected);
}

}  // namespace
}  // namespace omserve::server
