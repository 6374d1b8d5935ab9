// SPDX-License-Identifier: Apache-2.0
// Answers that are kept for requests that come again, as clients and operators see them.
#include <catch2/catch.hpp>
#include <string>

#include "tests/server/protocol/daemon_fixture.h"

namespace omserve::server {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;

void KeepAnswers(ServerConfig& config) { config.mutable_cache()->set_response_bytes(1 << 20); }

ModelInferResponse Answer(TestDaemon& daemon, const ModelInferRequest& request) {
  ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(request, &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  return response;
}

// The second time nothing runs, and the answer is the same but for the request's own id; the
// statistics and Triton's metrics tell.
TEST_CASE("An equal request is answered with what was kept", "[3]") {
  Repository repository;
  repository.AddText("text", "response_cache: {enable: true}\n");
  TestDaemon daemon(repository, KeepAnswers);
  ModelInferRequest request = TextRequest("text", 2);
  request.set_id("first");
  const ModelInferResponse first = Answer(daemon, request);
  request.set_id("second");
  ModelInferResponse second = Answer(daemon, request);
  CHECK(second.id() == "second");
  second.set_id("first");
  CHECK(second.SerializeAsString() == first.SerializeAsString());
  Answer(daemon, TextRequest("text", 1));  // Another one.
  const inference::ModelStatistics statistics = daemon.client().Statistics("text");
  CHECK(statistics.execution_count() == 2);
  CHECK(statistics.inference_count() == 3);
  CHECK(statistics.inference_stats().success().count() == 3);
  CHECK(statistics.inference_stats().cache_hit().count() == 1);
  CHECK(statistics.inference_stats().cache_hit().ns() > 0);
  CHECK(statistics.inference_stats().cache_miss().count() == 2);
  const std::string model = "{model=\"text\",version=\"1\"}";
  CHECK(Metric(daemon.http_port(), "nv_cache_num_hits_per_model" + model) == 1);
  CHECK(Metric(daemon.http_port(), "nv_cache_num_misses_per_model" + model) == 2);
  CHECK(Metric(daemon.http_port(), "nv_cache_hit_duration_per_model" + model) > 0);
  CHECK(Metric(daemon.http_port(), "omserve_response_cache_entries") == 2);
}

// Over HTTP the same answers are kept, and a pipeline may keep its own.
TEST_CASE("Answers are kept whatever the protocol") {
  Repository repository;
  repository.AddScenes();
  repository.Write("scenes/config.yaml", SceneFile("repository/scenes/config.yaml") +
                                             "\nresponse_cache: {enable: true}\n");
  TestDaemon daemon(repository, KeepAnswers);
  const ModelInferRequest request = SceneRequest(SceneFile("samples/00.png"), "what is it");
  const ModelInferResponse first = Answer(daemon, request);
  CHECK(Answer(daemon, request).SerializeAsString() == first.SerializeAsString());
  CHECK(daemon.client().Statistics("scenes").inference_stats().cache_hit().count() == 1);
  CHECK(daemon.client().Statistics("text").execution_count() == 1);
}

// A trace tells of a run, and a stream has its answers in order.
TEST_CASE("Traced requests run, and streams are answered from what was kept", "[1.14/order]") {
  Repository repository;
  repository.AddText("text", "response_cache: {enable: true}\n");
  TestDaemon daemon(repository, KeepAnswers);
  ModelInferRequest request = TextRequest("text", 1);
  (*request.mutable_parameters())["omserve_trace"].set_bool_param(true);
  Answer(daemon, request);
  CHECK(Answer(daemon, request).parameters().contains("omserve_trace"));
  CHECK(daemon.client().Statistics("text").execution_count() == 2);
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  const auto stream = daemon.client().stub->ModelStreamInfer(&context);
  for (const char* id : {"a", "b", "c"}) {
    ModelInferRequest plain = TextRequest("text", 1);
    plain.set_id(id);
    REQUIRE(stream->Write(plain));
    inference::ModelStreamInferResponse response;
    REQUIRE(stream->Read(&response));
    CHECK(response.infer_response().id() == id);
  }
  stream->WritesDone();
  CHECK(stream->Finish().ok());
  CHECK(daemon.client().Statistics("text").execution_count() == 3);
}

// A model that is not configured for it, and a daemon without a cache.
TEST_CASE("Nothing is kept where it is not asked for") {
  Repository repository;
  repository.AddText("kept", "response_cache: {enable: true}\n");
  repository.AddText("plain");
  {
    TestDaemon daemon(repository, KeepAnswers);
    Answer(daemon, TextRequest("plain", 1));
    Answer(daemon, TextRequest("plain", 1));
    CHECK(daemon.client().Statistics("plain").execution_count() == 2);
    CHECK(daemon.client().Statistics("plain").inference_stats().cache_miss().count() == 0);
  }
  TestDaemon daemon(repository);
  Answer(daemon, TextRequest("kept", 1));
  Answer(daemon, TextRequest("kept", 1));
  CHECK(daemon.client().Statistics("kept").execution_count() == 2);
  CHECK_FALSE(Metric(daemon.http_port(), "omserve_response_cache_entries").has_value());
}

}  // namespace
}  // namespace omserve::server
