// SPDX-License-Identifier: Apache-2.0
// What becomes of a repository: versions, batch sizes, instances, and models that cannot be served.
#include <catch2/catch.hpp>
#include <map>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Stub = inference::GRPCInferenceService::Stub;

// Reason by "name:version", empty for what is ready.
std::map<std::string, std::string> Index(Client& client) {
  inference::RepositoryIndexResponse index;
  REQUIRE(client.Call(&Stub::RepositoryIndex, inference::RepositoryIndexRequest(), &index).ok());
  std::map<std::string, std::string> reasons;
  for (const auto& model : index.models()) {
    CHECK((model.state() == "READY") == model.reason().empty());
    reasons[model.name() + ":" + model.version()] = model.reason();
  }
  return reasons;
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

grpc::Status InferError(Client& client, inference::ModelInferRequest request) {
  inference::ModelInferResponse response;
  return client.Infer(request, &response);
}

// Versions 1, 2 and 10 without a policy: only the highest is served, and answers name it.
TEST_CASE("Models: the latest version is served",
          "[protocol][1.4/concrete-version][1.5/infer][1.12/mode-none]") {
  Repository repository;
  for (const int version : {1, 2, 10}) {
    repository.AddModel("text", "text", "", "1,2,4,8", version);
  }
  repository.Write("text/0042/model.om", "a folder that is no version");
  TestDaemon daemon(repository);
  CHECK(Index(daemon.client()) == std::map<std::string, std::string>{{"text:10", ""}});
  inference::ModelInferRequest request = TextRequest("text", 1);
  inference::ModelInferResponse response;
  REQUIRE(daemon.client().Infer(request, &response).ok());
  CHECK(response.model_version() == "10");
  request.set_model_version("2");
  CHECK(InferError(daemon.client(), request).error_code() == grpc::StatusCode::NOT_FOUND);
}

// Two versions by number: both answer, each under its own.
TEST_CASE("Models: specific versions", "[protocol]") {
  Repository repository;
  for (const int version : {1, 2, 3}) {
    repository.AddModel("text", "text", "version_policy: {specific: {versions: [1, 3]}}\n",
                        "1,2,4,8", version);
  }
  TestDaemon daemon(repository);
  for (const char* version : {"1", "3"}) {
    inference::ModelInferRequest request = TextRequest("text", 1);
    request.set_model_version(version);
    inference::ModelInferResponse response;
    REQUIRE(daemon.client().Infer(request, &response).ok());
    CHECK(response.model_version() == version);
  }
}

// max_batch_size below the largest gear: it bounds requests and batches; two instances run.
TEST_CASE("Models: max_batch_size and instances", "[protocol]") {
  Repository repository;
  repository.AddText("text", "max_batch_size: 2\ninstance_group: [{count: 2}]\n");
  TestDaemon daemon(repository);
  CHECK(InferError(daemon.client(), TextRequest("text", 2)).ok());
  CHECK(InferError(daemon.client(), TextRequest("text", 3)).error_message() ==
        "inference request batch-size must be <= 2 for 'text', got 3; compiled are [32][32] x 1,2");
  inference::ModelConfigRequest request;
  request.set_name("text");
  inference::ModelConfigResponse response;
  REQUIRE(daemon.client().Call(&Stub::ModelConfig, request, &response).ok());
  CHECK(response.config().max_batch_size() == 2);
  CHECK(response.config().instance_group(0).count() == 2);
}

// A model of one gear that is told not to batch: its full dims are on the wire.
TEST_CASE("Models: without a batch dimension", "[protocol]") {
  Repository repository;
  repository.AddModel("text", "text", "max_batch_size: 0\n", "4");
  TestDaemon daemon(repository);
  CHECK(InferError(daemon.client(), TextRequest("text", 4)).ok());
  CHECK(InferError(daemon.client(), TextRequest("text", 2)).error_message() ==
        "unexpected shape for input 'input_ids' for model 'text'. Expected [4,32], got [2,32]; it "
        "was "
        "compiled for these dims alone and has no other gears");
}

// Models that cannot be served, each for a reason of its own: all are named with it, and the one
// that is right is served.
TEST_CASE("Models: reasons of failures", "[protocol]") {
  Repository repository;
  repository.AddScenes();
  repository.Write("no_versions/note.txt", "");
  repository.Write("no_file/1/note.txt", "");
  repository.AddText("wrong_dims",
                     "input: [{name: input_ids, dims: [31]}, {name: attention_mask}]\n");
  repository.AddText("missing_version", "version_policy: {specific: {versions: [7]}}\n");
  repository.AddText("no_dim", "padding: [{input: [{name: input_ids, dim: 1}]}]\n");
  repository.AddText("bad_size", "dynamic_batching: {preferred_batch_size: [9]}\n");
  repository.Write("nested/config.yaml",
                   "input: [{name: image, data_type: TYPE_STRING, dims: [1]}]\n"
                   "output: [{name: answer, data_type: TYPE_STRING, dims: [1]}]\n"
                   "pipeline: {step: [{name: all, model_name: scenes, input_map: {image: image}, "
                   "output_map: {answer: answer}}]}\n");
  repository.Write("over_broken/config.yaml",
                   "input: [{name: input_ids, data_type: TYPE_INT64, dims: [32]}]\n"
                   "output: [{name: y, data_type: TYPE_FP32, dims: [32, 96]}]\n"
                   "pipeline: {step: [{name: t, model_name: no_file, input_map: {input_ids: "
                   "input_ids}, output_map: {text_features: y}}]}\n");
  TestDaemon daemon(repository, nullptr, /*exit_on_error=*/false);
  std::map<std::string, std::string> index = Index(daemon.client());
  CHECK(index.at("scenes:1").empty());
  CHECK(Contains(index.at("no_versions:"), "no_versions/1/model.om"));
  CHECK(Contains(index.at("no_file:1"), "no_file/1/model.om"));
  CHECK(Contains(index.at("wrong_dims:1"), "expected [32], got [31]"));
  CHECK(Contains(index.at("missing_version:"), "asks for version 7, but the folder has [1]"));
  CHECK(Contains(index.at("no_dim:1"), "input 'input_ids' has no dim 1 per row"));
  CHECK(Contains(index.at("bad_size:1"), "9"));
  CHECK(Contains(index.at("nested:1"), "step 'all': input 'text' is not in its input_map"));
  CHECK(Contains(index.at("over_broken:1"), "model 'no_file' could not be loaded"));
  CHECK(InferError(daemon.client(), SceneRequest(SceneFile("samples/00.png"), "count the objects"))
            .ok());
}

// An ensemble in Triton's own format over a model: served like a pipeline.
TEST_CASE("Models: an ensemble", "[protocol]") {
  Repository repository;
  repository.AddText();
  repository.Write("ensemble/1/.gitkeep", "");
  repository.Write("ensemble/config.pbtxt", R"(
name: "ensemble"
platform: "ensemble"
max_batch_size: 8
input [ { name: "ids" data_type: TYPE_INT64 dims: [ 32 ] },
        { name: "mask" data_type: TYPE_INT64 dims: [ 32 ] } ]
output [ { name: "features" data_type: TYPE_FP32 dims: [ 32, 96 ] } ]
ensemble_scheduling { step [ {
  model_name: "text" model_version: -1
  input_map { key: "input_ids" value: "ids" }
  input_map { key: "attention_mask" value: "mask" }
  output_map { key: "text_features" value: "features" }
} ] }
)");
  TestDaemon daemon(repository);
  inference::ModelInferRequest request = TextRequest("text", 2);
  inference::ModelInferResponse direct;
  REQUIRE(daemon.client().Infer(request, &direct).ok());
  request.set_model_name("ensemble");
  request.mutable_inputs(0)->set_name("ids");
  request.mutable_inputs(1)->set_name("mask");
  inference::ModelInferResponse joined;
  REQUIRE(daemon.client().Infer(request, &joined).ok());
  CHECK(joined.outputs(0).name() == "features");
  CHECK(joined.raw_output_contents(0) == direct.raw_output_contents(0));
  const inference::ModelStatistics statistics = daemon.client().Statistics("ensemble");
  CHECK(statistics.inference_count() == 2);
  CHECK(statistics.inference_stats().success().count() == 1);
  CHECK(daemon.client().Statistics("text").inference_stats().success().count() == 2);
}

}  // namespace
}  // namespace omserve::server
