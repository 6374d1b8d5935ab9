// SPDX-License-Identifier: Apache-2.0
// The HTTP port: its routes, its limits, and bytes that are no HTTP.
#include <catch2/catch.hpp>
#include <random>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

std::string BodyOf(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

bool StartsWith(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

// Every route of a daemon that serves, and the paths that are none.
TEST_CASE("HTTP: routes",
          "[protocol][1.2/health-live][1.2/health-ready][1.2/model-ready][1.2/server-metadata]"
          "[1.2/not-found][1.2/version-digits][1.2/encoded-names][1.2/query]"
          "[1.5/rest-not-a-number][1.8/extensions]") {
  Repository repository;
  repository.AddText("my model");
  TestDaemon daemon(repository);
  const int port = daemon.http_port();
  CHECK(BodyOf(HttpGet(port, "/v2/health/live")) == R"({"live":true})");
  CHECK(BodyOf(HttpGet(port, "/v2/health/ready?x=1")) == R"({"ready":true})");
  CHECK(BodyOf(HttpGet(port, "/v2")) ==
        R"({"name":"omserve","version":"1.2.3",)"
        R"("extensions":["binary_tensor_data","classification","logging","model_configuration",)"
        R"x("model_repository","model_repository(unload_dependents)",)x"
        R"("parameters","schedule_policy","sequence",)"
        R"x("sequence(string_id)","statistics","system_shared_memory","trace"]})x");
  CHECK(BodyOf(HttpGet(port, "/v2/models/my%20model/ready")) ==
        R"({"name":"my model","ready":true})");
  CHECK(StartsWith(HttpGet(port, "/v2/models/my%20model/versions/1/ready"), "HTTP/1.1 200 "));
  CHECK(StartsWith(HttpGet(port, "/v2/models/my%20model/versions/7/ready"), "HTTP/1.1 400 "));
  CHECK(BodyOf(HttpGet(port, "/v2/models/nobody/ready")) == R"({"name":"nobody","ready":false})");
  CHECK(StartsWith(HttpGet(port, "/v2/models/%zz/ready"), "HTTP/1.1 400 "));
  for (const char* path : {"/", "/v2/models", "/v2/models/", "/v2/models//", "/v3", "/metrics/x",
                           "/v2/models/my%20model/versions/one/ready"}) {
    const std::string answer = HttpGet(port, path);
    CHECK(StartsWith(answer, "HTTP/1.1 404 "));
    CHECK(BodyOf(answer) == R"({"error":"Not Found"})");
  }
}

// HEAD and wrong verbs: a header without a body, and 405 with what is allowed.
TEST_CASE("HTTP: verbs", "[protocol][1.2/wrong-verb]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const std::string rest = " /v2/health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const std::string head = SendHttp(daemon.http_port(), "HEAD" + rest);
  CHECK(StartsWith(head, "HTTP/1.1 200 "));
  CHECK(head.find("Content-Length: 13\r\n") != std::string::npos);
  CHECK(BodyOf(head).empty());
  for (const char* verb : {"POST", "DELETE", "BREW"}) {
    const std::string answer = SendHttp(daemon.http_port(), verb + rest);
    CHECK(StartsWith(answer, "HTTP/1.1 405 "));
    CHECK(answer.find("Allow: GET, HEAD\r\n") != std::string::npos);
    CHECK(BodyOf(answer) == R"({"error":"Method Not Allowed"})");
  }
}

// Two requests on one connection, also after an error that was answered.
TEST_CASE("HTTP: keep-alive", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const std::string answer =
      SendHttp(daemon.http_port(),
               "POST /v2/health/live HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
               "GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n",
               R"({"live":true})");
  CHECK(StartsWith(answer, "HTTP/1.1 405 "));
  CHECK(answer.find("HTTP/1.1 200 ") != std::string::npos);
}

// The scrape: every family is there once, with its type, and nothing is malformed.
TEST_CASE("HTTP: metrics", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  inference::ModelInferResponse response;
  REQUIRE(daemon.client().Infer(TextRequest("text", 3), &response).ok());
  const std::string answer = HttpGet(daemon.http_port(), "/metrics");
  CHECK(answer.find("Content-Type: text/plain; version=0.0.4") != std::string::npos);
  for (const char* name : {"nv_inference_request_success",
                           "nv_inference_request_failure",
                           "nv_inference_count",
                           "nv_inference_exec_count",
                           "nv_inference_request_duration_us",
                           "nv_inference_queue_duration_us",
                           "nv_inference_compute_input_duration_us",
                           "nv_inference_compute_infer_duration_us",
                           "nv_inference_compute_output_duration_us",
                           "nv_inference_pending_request_count",
                           "nv_model_load_duration_secs",
                           "nv_pinned_memory_pool_total_bytes",
                           "nv_pinned_memory_pool_used_bytes",
                           "omserve_batches_released_total",
                           "omserve_batch_padded_rows_total",
                           "omserve_queue_rows",
                           "omserve_device_pool_size_bytes",
                           "omserve_device_pool_used_bytes",
                           "omserve_device_pool_peak_bytes",
                           "omserve_device_pool_allocations_total",
                           "omserve_device_arena_bytes",
                           "omserve_arena_launches_total",
                           "omserve_output_sets",
                           "omserve_output_sets_used",
                           "omserve_model_memory_bytes",
                           "omserve_pinned_pool_peak_bytes",
                           "omserve_requests_in_flight",
                           "omserve_ready",
                           "omserve_build_info",
                           "process_resident_memory_bytes"}) {
    INFO(name);
    const std::string type = "# TYPE " + std::string(name) + " ";
    CHECK(answer.find(type) != std::string::npos);
    CHECK(answer.find(type) == answer.rfind(type));
  }
  const std::string text_model = "{model=\"text\",version=\"1\"}";
  CHECK(Metric(daemon.http_port(), "nv_inference_count" + text_model) == 3);
  CHECK(Metric(daemon.http_port(), "omserve_batch_padded_rows_total" + text_model) == 1);
  CHECK(Metric(daemon.http_port(), "process_resident_memory_bytes").value_or(0) > 1e6);
  CHECK(answer.find("omserve_build_info{version=\"1.2.3\",device=\"OmserveHost\",library=") !=
        std::string::npos);
}

// Requests that are too long: refused by size, before they are read.
TEST_CASE("HTTP: limits", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  CHECK(StartsWith(SendHttp(daemon.http_port(),
                            "GET /metrics HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n"),
                   "HTTP/1.1 431 "));
  CHECK(StartsWith(
      SendHttp(daemon.http_port(),
               "POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n"),
      "HTTP/1.1 413 "));
  CHECK(StartsWith(HttpGet(daemon.http_port(), "/v2/health/live"), "HTTP/1.1 200 "));
}

// Noise on the port, seeded: the daemon answers or closes, and goes on.
TEST_CASE("HTTP: bytes that are no HTTP", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  std::mt19937 random(20261122);
  CHECK(StartsWith(SendHttp(daemon.http_port(), "hello\r\n\r\n"), "HTTP/1.1 400 "));
  for (int i = 0; i < 50; ++i) {
    std::string noise = i % 2 == 0 ? "" : "GET ";
    for (size_t length = random() % 300; noise.size() < length;) {
      noise += static_cast<char>(random());
    }
    SendHttp(daemon.http_port(), noise);
  }
  CHECK(StartsWith(HttpGet(daemon.http_port(), "/v2/health/live"), "HTTP/1.1 200 "));
}

}  // namespace
}  // namespace omserve::server
