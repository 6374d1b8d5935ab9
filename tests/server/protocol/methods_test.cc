// SPDX-License-Identifier: Apache-2.0
// Every other method of the service, health and reflection.
#include <catch2/catch.hpp>
#include <set>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Stub = inference::GRPCInferenceService::Stub;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// A daemon that serves: live, ready, and what it says of itself.
TEST_CASE("Server methods",
          "[protocol][1.1/ServerLive][1.1/ServerReady][1.1/ServerMetadata][1.8/extensions]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  Client& client = daemon.client();
  inference::ServerLiveResponse live;
  REQUIRE(client.Call(&Stub::ServerLive, inference::ServerLiveRequest(), &live).ok());
  CHECK(live.live());
  inference::ServerReadyResponse ready;
  REQUIRE(client.Call(&Stub::ServerReady, inference::ServerReadyRequest(), &ready).ok());
  CHECK(ready.ready());
  inference::ServerMetadataResponse metadata;
  REQUIRE(client.Call(&Stub::ServerMetadata, inference::ServerMetadataRequest(), &metadata).ok());
  CHECK(metadata.name() == "omserve");
  CHECK(metadata.version() == "1.2.3");
  CHECK(std::set<std::string>(metadata.extensions().begin(), metadata.extensions().end()) ==
        std::set<std::string>{"binary_tensor_data", "classification", "logging",
                              "model_configuration", "model_repository",
                              "model_repository(unload_dependents)", "parameters",
                              "schedule_policy", "sequence", "sequence(string_id)", "statistics",
                              "system_shared_memory", "trace"});
}

// Models that are there, that are not, and versions of both kinds.
TEST_CASE("ModelReady", "[protocol][1.1/ModelReady][1.5/ready][1.5/grpc-not-a-number]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const auto ready = [&daemon](const std::string& name, const std::string& version) {
    inference::ModelReadyRequest request;
    request.set_name(name);
    request.set_version(version);
    inference::ModelReadyResponse response;
    REQUIRE(daemon.client().Call(&Stub::ModelReady, request, &response).ok());
    return response.ready();
  };
  CHECK(ready("text", ""));
  CHECK(ready("text", "1"));
  CHECK_FALSE(ready("text", "2"));
  CHECK_FALSE(ready("nobody", ""));
  inference::ModelReadyRequest request;
  request.set_name("text");
  request.set_version("one");
  inference::ModelReadyResponse response;
  CHECK(daemon.client().Call(&Stub::ModelReady, request, &response).error_code() ==
        grpc::StatusCode::INVALID_ARGUMENT);
}

// A model with two versions served and a pipeline: shapes with the batch, platform, versions.
TEST_CASE("ModelMetadata and ModelConfig",
          "[protocol][1.1/ModelMetadata][1.1/ModelConfig][1.15/text-unknown-model]"
          "[1.15/not-found]") {
  Repository repository;
  repository.AddScenes();
  repository.AddModel("text", "text", "version_policy: {all: {}}\n", "1,2,4,8", 3);
  TestDaemon daemon(repository);
  inference::ModelMetadataRequest request;
  request.set_name("text");
  inference::ModelMetadataResponse metadata;
  REQUIRE(daemon.client().Call(&Stub::ModelMetadata, request, &metadata).ok());
  CHECK(metadata.platform() == "omserve_om");
  REQUIRE(metadata.versions_size() == 2);
  CHECK(metadata.versions(0) == "1");
  CHECK(metadata.versions(1) == "3");
  REQUIRE(metadata.inputs_size() == 2);
  CHECK(metadata.inputs(0).datatype() == "INT64");
  CHECK(std::vector<int64_t>(metadata.inputs(0).shape().begin(),
                             metadata.inputs(0).shape().end()) == Dims{-1, 32});
  request.set_name("scenes");
  REQUIRE(daemon.client().Call(&Stub::ModelMetadata, request, &metadata).ok());
  CHECK(metadata.platform() == "omserve_pipeline");
  CHECK(metadata.inputs(0).datatype() == "BYTES");

  inference::ModelConfigRequest config_request;
  config_request.set_name("text");
  inference::ModelConfigResponse config;
  REQUIRE(daemon.client().Call(&Stub::ModelConfig, config_request, &config).ok());
  CHECK(config.config().max_batch_size() == 8);
  CHECK(config.config().backend() == "ascend");
  CHECK(config.config().has_dynamic_batching());
  CHECK(std::vector<int64_t>(config.config().input(0).dims().begin(),
                             config.config().input(0).dims().end()) == Dims{32});
  config_request.set_name("nobody");
  const grpc::Status unknown = daemon.client().Call(&Stub::ModelConfig, config_request, &config);
  CHECK(unknown.error_code() == grpc::StatusCode::NOT_FOUND);
  CHECK(unknown.error_message() == "Request for unknown model: 'nobody' is not found");
}

// Requests, then their counters: of the model, of all models, of a version, of nobody.
TEST_CASE("ModelStatistics", "[protocol][1.1/ModelStatistics]") {
  Repository repository;
  repository.AddText();
  repository.AddText("idle");
  TestDaemon daemon(repository);
  inference::ModelInferResponse answer;
  for (const int rows : {1, 3}) {
    REQUIRE(daemon.client().Infer(TextRequest("text", rows), &answer).ok());
  }
  const inference::ModelStatistics text = daemon.client().Statistics("text");
  CHECK(text.inference_count() == 4);
  CHECK(text.execution_count() == 2);
  CHECK(text.last_inference() > 0);
  CHECK(text.inference_stats().success().count() == 2);
  CHECK(text.inference_stats().success().ns() > 0);
  CHECK(text.inference_stats().compute_infer().count() == 2);
  REQUIRE(text.batch_stats_size() == 2);
  CHECK(text.batch_stats(1).batch_size() == 3);
  CHECK(text.batch_stats(1).compute_infer().count() == 1);
  CHECK(text.memory_usage_size() == 2);

  inference::ModelStatisticsRequest request;
  inference::ModelStatisticsResponse response;
  REQUIRE(daemon.client().Call(&Stub::ModelStatistics, request, &response).ok());
  REQUIRE(response.model_stats_size() == 2);
  CHECK(response.model_stats(0).name() == "idle");
  CHECK(response.model_stats(0).inference_count() == 0);
  request.set_name("nobody");
  CHECK(daemon.client().Call(&Stub::ModelStatistics, request, &response).error_code() ==
        grpc::StatusCode::NOT_FOUND);
}

// A repository with a broken model, served all the same: the index says why it is not ready, and
// calls to it say so too.
TEST_CASE("RepositoryIndex: a broken model",
          "[protocol][1.1/RepositoryIndex][1.12/states][1.12/ready-only][1.15/text-no-versions]"
          "[1.15/unavailable]") {
  Repository repository;
  repository.AddText();
  repository.Write("broken/1/model.om", "no model at all");
  repository.Write("pipe/config.yaml",
                   "input: [{name: a, data_type: TYPE_INT64, dims: [32]}]\n"
                   "output: [{name: b, data_type: TYPE_FP32, dims: [32, 96]}]\n"
                   "pipeline:\n  step:\n    - name: s\n      model_name: txt\n"
                   "      input_map: {a: a}\n      output_map: {b: b}\n");
  TestDaemon daemon(repository, nullptr, /*exit_on_error=*/false);
  inference::RepositoryIndexRequest request;
  inference::RepositoryIndexResponse index;
  REQUIRE(daemon.client().Call(&Stub::RepositoryIndex, request, &index).ok());
  REQUIRE(index.models_size() == 3);
  CHECK(index.models(0).name() == "broken");
  CHECK(index.models(0).state() == "UNAVAILABLE");
  CHECK_FALSE(index.models(0).reason().empty());
  // Where files lie is nobody's business, which of them it is everybody's.
  CHECK(index.models(0).reason().find(repository.path()) == std::string::npos);
  CHECK(index.models(0).reason().find("broken/1/model.om") != std::string::npos);
  CHECK(index.models(1).name() == "pipe");
  CHECK(index.models(1).reason().find("did you mean 'text'") != std::string::npos);
  CHECK(index.models(2).state() == "READY");
  CHECK(index.models(2).version() == "1");
  request.set_ready(true);
  REQUIRE(daemon.client().Call(&Stub::RepositoryIndex, request, &index).ok());
  CHECK(index.models_size() == 1);

  inference::ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(TextRequest("broken", 1), &response);
  CHECK(status.error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(status.error_message().find(
            "Request for unknown model: 'broken' has no available versions") == 0);
}

// Health of the daemon under both names, of a model, and of nobody.
TEST_CASE("Health: Check", "[protocol][1.1/health-check]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const auto check = [&daemon](const std::string& service, HealthCheckResponse* response) {
    grpc::ClientContext context;
    Client::SetDeadline(context, std::chrono::seconds(30));
    HealthCheckRequest request;
    request.set_service(service);
    return daemon.client().health->Check(&context, request, response);
  };
  for (const char* service : {"", "inference.GRPCInferenceService", "text", "omserve/live",
                              "omserve/started", "omserve/ready", "omserve/converged"}) {
    HealthCheckResponse response;
    REQUIRE(check(service, &response).ok());
    CHECK(response.status() == HealthCheckResponse::SERVING);
  }
  HealthCheckResponse response;
  CHECK(check("omserve/well", &response).error_code() == grpc::StatusCode::NOT_FOUND);
  const grpc::Status unknown = check("nobody", &response);
  CHECK(unknown.error_code() == grpc::StatusCode::NOT_FOUND);
  CHECK(unknown.error_message() ==
        "service 'nobody' is unknown; \"\" is the daemon, any other name is a model's");
}

// A model that could not be loaded: the daemon has started and is ready for the others, and is not
// as it should be.
TEST_CASE("Health: four words", "[1.2/health-live][1.2/health-ready]") {
  Repository repository;
  repository.AddText();
  repository.Write("broken/1/model.om", "no model at all");
  TestDaemon daemon(repository, nullptr, /*exit_on_error=*/false);
  const auto says = [&daemon](const std::string& word) {
    HealthCheckRequest request;
    HealthCheckResponse response;
    request.set_service("omserve/" + word);
    grpc::ClientContext context;
    Client::SetDeadline(context, std::chrono::seconds(30));
    REQUIRE(daemon.client().health->Check(&context, request, &response).ok());
    const bool holds = response.status() == HealthCheckResponse::SERVING;
    const std::string answer = HttpGet(daemon.http_port(), "/v2/health/" + word);
    CHECK_THAT(answer, Catch::StartsWith(holds ? "HTTP/1.1 200 " : "HTTP/1.1 400 ") &&
                           Catch::EndsWith("{\"" + word + "\":" + (holds ? "true}" : "false}")));
    return holds;
  };
  CHECK(says("live"));
  CHECK(says("started"));
  CHECK(says("ready"));
  CHECK_FALSE(says("converged"));
}

// A watcher of the daemon while it stops: serving, not serving, and the stream ends.
TEST_CASE("Health: Watch", "[protocol][1.1/health-watch]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  grpc::ClientContext unknown_context;
  Client::SetDeadline(unknown_context, std::chrono::seconds(30));
  HealthCheckRequest request;
  const auto watch = daemon.client().health->Watch(&context, request);
  HealthCheckResponse response;
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::SERVING);
  request.set_service("nobody");
  const auto unknown = daemon.client().health->Watch(&unknown_context, request);
  REQUIRE(unknown->Read(&response));
  CHECK(response.status() == HealthCheckResponse::SERVICE_UNKNOWN);
  unknown_context.TryCancel();
  CHECK(unknown->Finish().error_code() == grpc::StatusCode::CANCELLED);
  REQUIRE_OK(daemon.daemon().Stop());
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::NOT_SERVING);
  CHECK_FALSE(watch->Read(&response));
  CHECK(watch->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
}

// A reflection client that asks for the services: all three are listed. The request is written by
// hand, {7: ""} being list_services; its protobuf messages are not packaged.
TEST_CASE("Reflection lists the services", "[protocol][1.1/reflection]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  std::string answer;
  const grpc::Status status =
      daemon.client().RawCall("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                              std::string("\x3a\x00", 2), &answer);
  INFO(status.error_message());
  REQUIRE(status.ok());
  CHECK(answer.find("inference.GRPCInferenceService") != std::string::npos);
  CHECK(answer.find("grpc.health.v1.Health") != std::string::npos);
}

}  // namespace
}  // namespace omserve::server
