// SPDX-License-Identifier: Apache-2.0
// What can be read over HTTP besides inference: metadata, configurations, statistics, the index,
// and the port of metrics.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using inference::GRPCInferenceService;

struct JsonAnswer {
  int status = 0;
  boost::json::value body;
};

JsonAnswer Parsed(const std::string& answer) {
  INFO(answer);
  REQUIRE_THAT(answer, StartsWith("HTTP/1.1 ") && Contains("Content-Type: application/json\r\n"));
  boost::system::error_code error;
  JsonAnswer parsed{.status = std::stoi(answer.substr(9, 3)),
                    .body = boost::json::parse(answer.substr(answer.find("\r\n\r\n") + 4), error)};
  REQUIRE_FALSE(error);
  return parsed;
}

JsonAnswer Get(int port, const std::string& path) { return Parsed(HttpGet(port, path)); }

JsonAnswer Post(int port, const std::string& path, const std::string& body) {
  return Parsed(HttpPost(port, path, body));
}

// A model with two versions: as over gRPC, with numbers as numbers; and models that are not there.
TEST_CASE("HTTP: metadata of models", "[1.2/model-metadata][1.2/encoded-names][1.15/not-found]") {
  Repository repository;
  repository.AddText("my model", "version_policy: {all: {}}\n");
  repository.AddModel("text", "my model", "version_policy: {all: {}}\n", "1,2,4,8", 3);
  TestDaemon daemon(repository);
  const int port = daemon.http_port();
  const JsonAnswer answer = Get(port, "/v2/models/my%20model");
  REQUIRE(answer.status == 200);
  CHECK(answer.body.at("name") == "my model");
  CHECK(answer.body.at("versions") == boost::json::array{"1", "3"});
  CHECK(answer.body.at("platform") == "omserve_om");
  CHECK(answer.body.at("inputs").at(0) ==
        boost::json::value{{"name", "input_ids"}, {"datatype", "INT64"}, {"shape", {-1, 32}}});
  CHECK(answer.body.at("outputs").as_array().size() == 1);
  CHECK(Get(port, "/v2/models/my%20model/versions/3").body == answer.body);
  CHECK(Get(port, "/v2/models/my%20model/versions/2").status == 404);
  CHECK(Get(port, "/v2/models/nobody").body.at("error") ==
        "Request for unknown model: 'nobody' is not found");
}

// Names as in the .proto file, 64-bit numbers as numbers, enums by name.
TEST_CASE("HTTP: configuration of models", "[1.2/config]") {
  Repository repository;
  repository.AddText("text",
                     "dynamic_batching: {max_queue_delay_microseconds: 250, priority_levels: 2, "
                     "default_priority_level: 1, "
                     "priority_queue_policy: {2: {timeout_action: DELAY, "
                     "default_timeout_microseconds: 9, max_queue_size: 7}}}\n");
  TestDaemon daemon(repository);
  for (const char* path : {"/v2/models/text/config", "/v2/models/text/versions/1/config"}) {
    const JsonAnswer answer = Get(daemon.http_port(), path);
    REQUIRE(answer.status == 200);
    CHECK(answer.body.at("name") == "text");
    CHECK(answer.body.at("max_batch_size") == 8);
    CHECK(answer.body.at("input").at(0).at("data_type") == "TYPE_INT64");
    CHECK(answer.body.at("input").at(0).at("dims") == boost::json::array{32});
    const boost::json::value& batching = answer.body.at("dynamic_batching");
    CHECK(batching.at("max_queue_delay_microseconds") == 250);
    CHECK(batching.at("preserve_ordering") == false);
    CHECK(batching.at("priority_queue_policy").at("2").at("timeout_action") == "DELAY");
    CHECK(batching.at("priority_queue_policy").at("2").at("max_queue_size") == 7);
    CHECK_FALSE(answer.body.as_object().contains("sequence_batching"));
  }
  CHECK(Get(daemon.http_port(), "/v2/models/nobody/config").status == 404);
}

// Of all models, of one, of one version: the same names as over gRPC.
TEST_CASE("HTTP: statistics", "[1.2/stats]") {
  Repository repository;
  repository.AddText();
  repository.AddText("idle");
  TestDaemon daemon(repository);
  inference::ModelInferResponse response;
  REQUIRE(daemon.client().Infer(TextRequest("text", 3), &response).ok());
  const JsonAnswer all = Get(daemon.http_port(), "/v2/models/stats");
  REQUIRE(all.status == 200);
  REQUIRE(all.body.at("model_stats").as_array().size() == 2);
  CHECK(all.body.at("model_stats").at(0).at("name") == "idle");
  for (const char* path : {"/v2/models/text/stats", "/v2/models/text/versions/1/stats"}) {
    const JsonAnswer one = Get(daemon.http_port(), path);
    REQUIRE(one.body.at("model_stats").as_array().size() == 1);
    const boost::json::value& text = one.body.at("model_stats").at(0);
    CHECK(text.at("name") == "text");
    CHECK(text.at("version") == "1");
    CHECK(text.at("inference_count") == 3);
    CHECK(text.at("last_inference").to_number<int64_t>() > 0);
    CHECK(text.at("inference_stats").at("success").at("count") == 1);
    CHECK(text.at("batch_stats").at(0).at("batch_size") == 3);
    CHECK(text.at("batch_stats").at(0).at("compute_infer").at("ns").is_number());
  }
  CHECK(Get(daemon.http_port(), "/v2/models/text/versions/2/stats").status == 404);
  CHECK(Get(daemon.http_port(), "/v2/models/nobody/stats").status == 404);
}

// An array, with reasons where something is not served; filtered; and bodies that are wrong.
TEST_CASE("HTTP: repository index", "[1.2/index][1.12/states][1.12/ready-only]") {
  Repository repository;
  repository.AddText();
  repository.Write("broken/1/model.om", "no model at all");
  TestDaemon daemon(repository, nullptr, /*exit_on_error=*/false);
  const int port = daemon.http_port();
  for (const char* path : {"/v2/repository/index", "/v2/repository/any/index"}) {
    const JsonAnswer all = Post(port, path, "");
    REQUIRE(all.status == 200);
    REQUIRE(all.body.as_array().size() == 2);
    CHECK(all.body.at(0).at("name") == "broken");
    CHECK(all.body.at(0).at("state") == "UNAVAILABLE");
    CHECK_FALSE(all.body.at(0).at("reason").as_string().empty());
    CHECK(all.body.at(1) ==
          boost::json::value{{"name", "text"}, {"version", "1"}, {"state", "READY"}});
  }
  CHECK(Post(port, "/v2/repository/index", "{}").body.as_array().size() == 2);
  CHECK(Post(port, "/v2/repository/index", R"({"ready":true})").body.as_array().size() == 1);
  CHECK(Post(port, "/v2/repository/index", "[]").status == 400);
  CHECK(Post(port, "/v2/repository/index", R"({"ready":1})").status == 400);
  CHECK(Get(port, "/v2/repository/index").status == 405);
}

// Scrapers have a port of their own, with nothing else on it; the HTTP port has metrics too.
TEST_CASE("HTTP: the port of metrics", "[1.2/ports]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const int port = daemon.daemon().metrics_port();
  CHECK(port != daemon.http_port());
  CHECK(Metric(port, "omserve_ready") == 1);
  CHECK(Metric(daemon.http_port(), "omserve_ready") == 1);
  CHECK(Get(port, "/v2/health/live").status == 404);
}

// Where metrics are not allowed there is neither the port nor the path.
TEST_CASE("HTTP: no metrics", "[1.2/ports]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository,
                    [](ServerConfig& config) { config.mutable_metrics()->set_allow(false); });
  CHECK(daemon.daemon().metrics_port() == 0);
  CHECK(Get(daemon.http_port(), "/metrics").status == 404);
  CHECK(Get(daemon.http_port(), "/v2/health/live").status == 200);
}

}  // namespace
}  // namespace omserve::server
