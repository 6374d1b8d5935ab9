// SPDX-License-Identifier: Apache-2.0
// Pipelines whose steps are pipelines: as clients call them, and as their parts come and go.
#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;

// An ensemble of one step, in Triton's own format, with the tensors of "text".
std::string EnsembleOver(const std::string& model) {
  return R"(platform: "ensemble"
max_batch_size: 8
input [ { name: "input_ids" data_type: TYPE_INT64 dims: [ 32 ] },
        { name: "attention_mask" data_type: TYPE_INT64 dims: [ 32 ] } ]
output [ { name: "text_features" data_type: TYPE_FP32 dims: [ 32, 96 ] } ]
ensemble_scheduling { step [ {
  model_name: ")" +
         model + R"("
  input_map { key: "input_ids" value: "input_ids" }
  input_map { key: "attention_mask" value: "attention_mask" }
  output_map { key: "text_features" value: "text_features" }
} ] }
)";
}

// "outer" over "inner" over "middle" over "text"; names are not in the order of loading.
void AddEnsembles(const Repository& repository) {
  repository.AddText();
  repository.Write("middle/config.pbtxt", EnsembleOver("text"));
  repository.Write("inner/config.pbtxt", EnsembleOver("middle"));
  repository.Write("a_outer/config.pbtxt", EnsembleOver("inner"));
}

std::string Features(Client& client, const std::string& model) {
  ModelInferResponse response;
  const grpc::Status status = client.Infer(TextRequest(model, 2), &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  return response.raw_output_contents(0);
}

// Each answers as the model at the bottom does, which runs once for each.
TEST_CASE("Nested: ensembles of ensembles", "[protocol]") {
  Repository repository;
  AddEnsembles(repository);
  TestDaemon daemon(repository);
  Client& client = daemon.client();
  const std::string expected = Features(client, "text");
  for (const char* model : {"middle", "inner", "a_outer"}) {
    CAPTURE(model);
    CHECK(Features(client, model) == expected);
  }
  CHECK(client.Statistics("text").execution_count() == 4);
  CHECK(client.Statistics("a_outer").inference_stats().success().count() == 1);
  // Steps carry the names of those around them.
  ModelInferRequest request = TextRequest("a_outer", 1);
  (*request.mutable_parameters())["omserve_trace"].set_bool_param(true);
  ModelInferResponse response;
  REQUIRE(client.Infer(request, &response).ok());
  CHECK(response.parameters()
            .at("omserve_trace")
            .string_param()
            .find(R"("step":"inner.middle.text")") != std::string::npos);
}

// A pipeline with host steps and branches, twice in one.
TEST_CASE("Nested: a pipeline of many steps", "[protocol]") {
  Repository repository;
  repository.AddScenes();
  repository.Write("twice/config.yaml", R"(
input:
  - {name: left, data_type: TYPE_STRING, dims: [1]}
  - {name: right, data_type: TYPE_STRING, dims: [1]}
  - {name: question, data_type: TYPE_STRING, dims: [1]}
output:
  - {name: left_answer, data_type: TYPE_STRING, dims: [1]}
  - {name: right_answer, data_type: TYPE_STRING, dims: [1]}
pipeline:
  step:
    - name: a
      model_name: scenes
      input_map: {image: left, text: question}
      output_map: {answer: left_answer}
    - name: b
      model_name: scenes
      input_map: {image: right, text: question}
      output_map: {answer: right_answer}
)");
  TestDaemon daemon(repository);
  Client& client = daemon.client();
  const std::string question = "how many objects are there";
  ModelInferRequest both = SceneRequest(SceneFile("samples/00.png"), question);
  both.set_model_name("twice");
  both.mutable_inputs(0)->set_name("left");
  both.mutable_inputs(1)->set_name("question");
  const ModelInferRequest other = SceneRequest(SceneFile("samples/03.png"), question);
  *both.add_inputs() = other.inputs(0);
  both.mutable_inputs(2)->set_name("right");
  both.add_raw_input_contents(other.raw_input_contents(0));
  ModelInferResponse response;
  const grpc::Status status = client.Infer(both, &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  REQUIRE(response.raw_output_contents_size() == 2);
  for (const int side : {0, 1}) {
    ModelInferResponse alone;
    REQUIRE(client
                .Infer(SceneRequest(SceneFile(side == 0 ? "samples/00.png" : "samples/03.png"),
                                    question),
                       &alone)
                .ok());
    CHECK(response.raw_output_contents(side) == alone.raw_output_contents(0));
  }
}

// Steps that lead back to where they began: each says so, with the way, and the others serve.
TEST_CASE("Nested: a cycle", "[protocol]") {
  Repository repository;
  AddEnsembles(repository);
  repository.Write("x/config.pbtxt", EnsembleOver("y"));
  repository.Write("y/config.pbtxt", EnsembleOver("z"));
  repository.Write("z/config.pbtxt", EnsembleOver("x"));
  repository.Write("over_cycle/config.pbtxt", EnsembleOver("x"));
  TestDaemon daemon(repository, nullptr, /*exit_on_error=*/false);
  auto index = Index(daemon.client());
  CHECK(index["a_outer:1"] == "READY");
  CHECK(index["x:1"] ==
        "UNAVAILABLE pipeline 'x' is a step of itself: x -> y -> z -> x; take one of these steps "
        "out");
  CHECK(index["z:1"].find("z -> x -> y -> z") != std::string::npos);
  CHECK(index["over_cycle:1"].find("model 'x'") != std::string::npos);
}

// What is wrong with a step is told as of other steps.
TEST_CASE("Nested: maps that do not fit", "[protocol]") {
  Repository repository;
  AddEnsembles(repository);
  std::string config = EnsembleOver("inner");
  const std::string key = "key: \"text_features\"";
  config.replace(config.find(key), key.size(), "key: \"features\"");
  repository.Write("wrong/config.pbtxt", config);
  TestDaemon daemon(repository, nullptr, /*exit_on_error=*/false);
  CHECK(Index(daemon.client())["wrong:1"] ==
        "UNAVAILABLE pipeline 'wrong': step 'inner': output_map names 'features', but its outputs "
        "are 'text_features'");
}

// A load brings all that is below; what changes below is followed to the top; an unload with its
// dependents leaves nothing.
TEST_CASE("Nested: parts that come and go", "[protocol]") {
  Repository repository;
  AddEnsembles(repository);
  TestDaemon daemon(repository, Explicit({}));
  Client& client = daemon.client();
  REQUIRE(Load(client, "a_outer").ok());
  CHECK(Index(client, /*ready=*/true).size() == 4);
  // The model, and the three over it, each once.
  REQUIRE(Load(client, "text").ok());
  CHECK(Metric(daemon.http_port(), "omserve_model_loads_total") == 8.0);
  AwaitMetric(daemon.http_port(), "omserve_model_loads_to_free", 0);
  CHECK(Features(client, "a_outer") == Features(client, "text"));

  REQUIRE(Unload(client, "middle").ok());
  CHECK_THAT(Index(client)["a_outer:1"], Catch::Contains("model 'middle' is not loaded"));
  CHECK(Index(client, /*ready=*/true).size() == 1);
  REQUIRE(Load(client, "middle").ok());
  CHECK(Index(client, /*ready=*/true).size() == 4);
  CHECK(Features(client, "a_outer") == Features(client, "text"));

  REQUIRE(Unload(client, "a_outer", /*dependents=*/true).ok());
  // Loaded by name meanwhile, with what they need.
  CHECK(Index(client, /*ready=*/true).size() == 2);
}

// Asks `model` until the one at the bottom of it, which was not asked before, has run; false when
// that never comes.
bool ComesToStandOn(Client& client, const std::string& model, const std::string& bottom) {
  for (int i = 0; i < 300; ++i) {
    CHECK(Answers(client, model));
    if (client.Statistics(bottom).execution_count() > 0) {
      return true;
    }
    Pause(std::chrono::milliseconds(50));
  }
  return false;
}

// One look at the repository finds a model that has become a pipeline.
TEST_CASE("Nested: polling a model that becomes a pipeline", "[protocol]") {
  Repository repository;
  repository.AddText("text");
  repository.AddText("bottom");
  TestDaemon daemon(repository, Polling);
  repository.Write("text/config.pbtxt", EnsembleOver("bottom"));
  CHECK(ComesToStandOn(daemon.client(), "text", "bottom"));
}

// One look finds a pipeline with a new step, and that step, a pipeline too, changed: whatever their
// names, the outer one stands on the new inner one.
TEST_CASE("Nested: polling pipelines that change together", "[protocol]") {
  Repository repository;
  repository.AddText("text");
  repository.AddText("bottom");
  repository.Write("a_outer/config.pbtxt", EnsembleOver("text"));
  repository.Write("b_inner/config.pbtxt", EnsembleOver("text"));
  TestDaemon daemon(repository, Polling);
  repository.Write("b_inner/config.pbtxt", EnsembleOver("bottom"));
  repository.Write("a_outer/config.pbtxt", EnsembleOver("b_inner"));
  CHECK(ComesToStandOn(daemon.client(), "a_outer", "bottom"));
}

// A load that fails at the top leaves none of what it brought.
TEST_CASE("Nested: a pipeline that cannot be loaded", "[protocol]") {
  Repository repository;
  AddEnsembles(repository);
  std::string config = EnsembleOver("inner");
  config.replace(config.find("96"), 2, "95");
  repository.Write("a_outer/config.pbtxt", config);
  TestDaemon daemon(repository, Explicit({}));
  Client& client = daemon.client();
  CHECK(Load(client, "a_outer").error_code() == grpc::StatusCode::INTERNAL);
  CHECK(Index(client, /*ready=*/true).empty());
  repository.Write("a_outer/config.pbtxt", EnsembleOver("inner"));
  REQUIRE(Load(client, "a_outer").ok());
  REQUIRE(Unload(client, "a_outer", /*dependents=*/true).ok());
  CHECK(Index(client, /*ready=*/true).empty());
}

// A part that many share and that cannot be loaded is tried once, not once for each way to it.
TEST_CASE("Nested: parts that are shared and cannot be loaded", "[protocol]") {
  constexpr int kLayers = 16;  // 2^16 ways from the top to the bottom.
  Repository repository;
  for (int layer = 0; layer < kLayers; ++layer) {
    const std::string below = std::to_string(layer + 1);
    std::string config = EnsembleOver("a" + below);
    config.insert(config.find("step [") + 6,
                  R"({ input_map { key: "input_ids" value: "input_ids" }
                       output_map { key: "text_features" value: "others" } model_name: "b)" +
                      below + R"(" }, )");
    for (const char* name : {"a", "b"}) {
      repository.Write(name + std::to_string(layer) + "/config.pbtxt", config);
    }
  }
  TestDaemon daemon(repository, Explicit({}));
  const grpc::Status loaded = Load(daemon.client(), "a0");
  CHECK(loaded.error_code() == grpc::StatusCode::INTERNAL);
  CHECK_THAT(loaded.error_message(), Catch::Contains("model 'b16' is unknown"));
  CHECK(Metric(daemon.http_port(), "omserve_model_load_failures_total").value() == 2 * kLayers - 1);
}

}  // namespace
}  // namespace omserve::server
