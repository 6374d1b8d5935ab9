// SPDX-License-Identifier: Apache-2.0
// What answers over HTTP tell of load, and the summaries of times, as clients and scrapers see
// them.
#include <catch2/catch.hpp>
#include <string>

#include "tests/server/protocol/daemon_fixture.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::Matches;
using Catch::Matchers::StartsWith;

std::string Ones() {
  std::string ones = "1";
  for (int i = 1; i < 32; ++i) {
    ones += ",1";
  }
  return ones;
}

// Asks infer or generate; gives the header of the answer.
std::string HeadOf(int port, const std::string& verb, const std::string& fields) {
  const std::string body =
      verb == "infer"
          ? R"({"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1,32],"data":[)" +
                Ones() +
                R"(]},{"name":"attention_mask","datatype":"INT64","shape":[1,32],"data":[)" +
                Ones() + "]}]}"
          : R"({"input_ids":[)" + Ones() + R"(],"attention_mask":[)" + Ones() + "]}";
  const std::string answer = SendHttp(
      port, "POST /v2/models/text/" + verb + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" +
                fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  return answer.substr(0, answer.find("\r\n\r\n") + 2);
}

// A client that asks is told, in the format that it asks for; others are not, and nobody where
// metrics are not for clients.
TEST_CASE("Answers tell of load", "[1.10/load-metrics]") {
  Repository repository;
  repository.AddText();
  {
    TestDaemon daemon(repository);
    for (const char* verb : {"infer", "generate", "generate_stream"}) {
      INFO(verb);
      const auto told = [&](const std::string& fields) {
        std::string head = HeadOf(daemon.http_port(), verb, fields);
        CHECK_THAT(head, StartsWith("HTTP/1.1 200 "));
        const size_t at = head.find("endpoint-load-metrics: ");
        return at == std::string::npos ? "" : head.substr(at, head.find("\r\n", at) - at);
      };
      CHECK_THAT(told("endpoint-load-metrics-format: text\r\n"),
                 Matches("endpoint-load-metrics: TEXT named_metrics\\.queue_rows=0, .*"
                         "named_metrics\\.pinned_memory_utilization=[0-9.e-]+.*"));
      CHECK_THAT(told("Endpoint-Load-Metrics-Format: JSON\r\n"),
                 Matches("endpoint-load-metrics: JSON \\{\"named_metrics\":\\{\"queue_rows\":0,.*"
                         "\"pinned_memory_utilization\":[0-9.e-]+.*\\}\\}"));
      CHECK(told("").empty());
      CHECK(told("endpoint-load-metrics-format: bin\r\n").empty());
    }
  }
  TestDaemon closed(repository,
                    [](ServerConfig& config) { config.mutable_metrics()->set_allow(false); });
  CHECK_THAT(HeadOf(closed.http_port(), "infer", "endpoint-load-metrics-format: text\r\n"),
             !Contains("endpoint-load-metrics"));
}

// Triton's flags turn summaries on and choose their quantiles; a wrong one ends the start.
TEST_CASE("Summaries by Triton's flags") {
  Repository repository;
  repository.AddText();
  {
    ChildDaemon daemon(repository,
                       {"--metrics-config", "summary_latencies=true", "--metrics-config",
                        "summary_quantiles=0.5:0.05,0.99:0.001", "--grpc-header-forward-pattern",
                        "^x-", "--http-header-forward-pattern", "^x-"});
    inference::ModelInferResponse response;
    REQUIRE(Client(daemon.grpc_port()).Infer(TextRequest("text", 1), &response).ok());
    const std::string text = HttpGet(daemon.http_port(), "/metrics");
    for (const char* name :
         {"request", "queue", "compute_input", "compute_infer", "compute_output"}) {
      INFO(name);
      const std::string family = std::string("nv_inference_") + name + "_summary_us";
      CHECK_THAT(text, Contains("# TYPE " + family + " summary\n"));
      CHECK_THAT(text, Contains(family + "_count{model=\"text\",version=\"1\"} 1\n"));
      CHECK_THAT(text, Contains(family + "{model=\"text\",version=\"1\",quantile=\"0.5\"} "));
      CHECK_THAT(text, Contains(family + "{model=\"text\",version=\"1\",quantile=\"0.99\"} "));
    }
    CHECK_THAT(text, !Contains("nv_cache_hit_summary_per_model"));  // It keeps no answers.
  }
  const std::string start = "--model-repository " + repository.path() + " ";
  CHECK_THAT(RunOmserved(start + "--metrics-config summary_quantiles=2").output,
             Contains("expected QUANTILE:ERROR, each from 0 to 1"));
  for (const char* protocol : {"grpc", "http"}) {
    const std::string flag = std::string("--") + protocol + "-header-forward-pattern ";
    const std::string key = std::string(protocol) + ".header_forward_pattern";
    CHECK_THAT(RunOmserved(start + flag + "'(x'").output,
               Contains(key) && Contains("no regular expression"));
  }
  const std::string checked = RunOmserved(start +
                                          "--check-config --grpc-header-forward-pattern '^x-g' "
                                          "--http-header-forward-pattern '^x-h'")
                                  .output;
  CHECK_THAT(checked, Contains("\"header_forward_pattern\": \"^x-g\"") &&
                          Contains("\"header_forward_pattern\": \"^x-h\""));
}

}  // namespace
}  // namespace omserve::server
