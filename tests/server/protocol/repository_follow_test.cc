// SPDX-License-Identifier: Apache-2.0
// What follows what: pipelines their steps, the daemon the folders of its repository, and requests
// the version that they began with.
#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/base/thread.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

// A pipeline loads what it needs, is withdrawn with a step and comes back with it, and takes its
// parts along when it is told to.
TEST_CASE("Repository: a pipeline and its steps", "[1.12/unload-dependents]") {
  Repository repository;
  repository.AddScenes();
  TestDaemon daemon(repository, Explicit({"vision_a"}));
  Client& client = daemon.client();
  const auto ask = [&] {
    inference::ModelInferResponse response;
    return client.Infer(SceneRequest(SceneFile("samples/00.png"), "how many objects are there"),
                        &response);
  };
  REQUIRE(Load(client, "scenes").ok());
  CHECK(Index(client, /*ready=*/true).size() == 5);
  CHECK(ask().ok());

  REQUIRE(Unload(client, "fusion").ok());
  const grpc::Status gone = ask();
  CHECK(gone.error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK_THAT(gone.error_message(), Catch::Contains("model 'fusion' is not loaded"));
  const std::string reason = "UNAVAILABLE pipeline 'scenes': model 'fusion' is not loaded";
  CHECK(AwaitLine(client, "scenes:1", reason) == reason);
  REQUIRE(Load(client, "fusion").ok());
  CHECK(Index(client)["scenes:1"] == "READY");
  CHECK(ask().ok());

  // A step that is loaded again: the pipeline goes over to it.
  REQUIRE(Load(client, "text").ok());
  CHECK(ask().ok());
  AwaitMetric(daemon.http_port(), "omserve_model_loads_to_free", 0);

  // Parts that somebody asked for by name stay.
  REQUIRE(Unload(client, "scenes", /*dependents=*/true).ok());
  const auto index = Index(client, /*ready=*/true);
  CHECK(index.size() == 3);
  CHECK(index.count("vision_a:1") == 1);
  CHECK(index.count("fusion:1") == 1);
  CHECK(index.count("text:1") == 1);
}

// A pipeline whose step cannot be loaded leaves none of the others behind; once that is mended, it
// loads.
TEST_CASE("Repository: a pipeline with a broken step", "[1.12/load-fails]") {
  Repository repository;
  repository.AddScenes();
  const std::string om = VALUE(ReadFile(repository.path() + "/fusion/1/model.om"));
  for (const bool by_name : {false, true}) {
    repository.Write("fusion/1/model.om", "half a model");
    TestDaemon daemon(repository, Explicit({}));
    Client& client = daemon.client();
    CHECK((!by_name || !Load(client, "fusion").ok()));
    CHECK(Load(client, "scenes").error_code() == grpc::StatusCode::INTERNAL);
    CHECK(Index(client, /*ready=*/true).empty());
    CHECK_THAT(Index(client)["scenes:1"], Catch::Contains("model 'fusion'"));
    repository.Write("fusion/1/model.om", om);
    REQUIRE(Load(client, "scenes").ok());
    CHECK(Index(client, /*ready=*/true).size() == 5);
    // What was asked for by name stays.
    REQUIRE(Unload(client, "scenes", /*dependents=*/true).ok());
    CHECK(Index(client, /*ready=*/true).size() == (by_name ? 1 : 0));
  }
}

// A reload that would make a pipeline of a step, and fails: nothing of it is left for later.
TEST_CASE("Repository: a failed reload of a step", "[1.12/reload-fails]") {
  Repository repository;
  repository.AddScenes();
  TestDaemon daemon(repository, Explicit({"scenes"}));
  Client& client = daemon.client();
  const grpc::Status failed = Load(client, "text", R"({
      "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [1]}],
      "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [1]}],
      "pipeline": {"step": [{"name": "first", "model_name": "nobody",
                             "input_map": {"x": "x"}, "output_map": {"y": "y"}}]}})");
  CHECK(failed.error_code() == grpc::StatusCode::INTERNAL);
  CHECK_THAT(failed.error_message(),
             Catch::StartsWith("failed to load 'text', no version is available: "));
  for (const char* step : {"text", "fusion"}) {
    CHECK(Index(client)["scenes:1"] == "READY");
    CHECK(Answers(client, "text"));
    CHECK(Load(client, step).ok());
  }
  CHECK(Index(client)["scenes:1"] == "READY");
}

// What changes in the folders is followed: a new model, a new version, a model that is gone.
TEST_CASE("Repository: polling", "[1.12/mode-poll]") {
  Repository repository;
  repository.AddText("first");
  TestDaemon daemon(repository, Polling);
  Client& client = daemon.client();
  repository.AddText("second");
  CHECK(AwaitLine(client, "second:1", "READY") == "READY");
  repository.AddModel("text", "first", "", "1,2", 2);
  CHECK(AwaitLine(client, "first:2", "READY") == "READY");
  CHECK(VersionOf(client, "first") == "2");
  std::filesystem::remove_all(repository.path() + "/second");
  CHECK(AwaitLine(client, "second:1", "").empty());
  CHECK_FALSE(Answers(client, "second"));
}

// What failed for lack of memory is tried again though nothing in its folder has changed.
TEST_CASE("Repository: polling after a passing failure", "[1.12/mode-poll]") {
  Repository repository;
  repository.AddText();
  repository.Write("acl.json", R"({"hostacl": {"faults": [
      {"call": "aclmdlLoadFromMemWithMem", "code": 207001, "times": 1}]}})");
  TestDaemon daemon(
      repository,
      [&](ServerConfig& config) {
        Polling(config);
        config.mutable_device()->set_config_file(repository.path() + "/acl.json");
      },
      /*exit_on_error=*/false);
  CHECK(AwaitLine(daemon.client(), "text:1", "READY") == "READY");
  CHECK(Metric(daemon.http_port(), "omserve_model_load_failures_total") == 1.0);
}

// A pipeline that is changed to stand on a model which does not load yet: it follows once that
// does.
TEST_CASE("Repository: polling a pipeline that waits for a step", "[1.12/mode-poll]") {
  Repository repository;
  repository.AddScenes();
  TestDaemon daemon(repository, Polling);
  Client& client = daemon.client();
  std::string config = SceneFile("repository/scenes/config.yaml");
  const std::string from = "model_name: fusion";
  REQUIRE(config.find(from) != std::string::npos);
  repository.Write("scenes/config.yaml",
                   config.replace(config.find(from), from.size(), "model_name: later"));
  AwaitMetric(daemon.http_port(), "omserve_model_load_failures_total", 1);
  CHECK(Index(client)["scenes:1"] == "READY");
  repository.AddModel("fusion", "later");
  // Four models and the pipeline; the fifth; the pipeline again.
  AwaitMetric(daemon.http_port(), "omserve_model_loads_total", 7);
  CHECK(Index(client)["scenes:1"] == "READY");
}

// Versions are switched again and again while clients ask without a pause: every request is
// answered, by one of the two, and nothing is left of the loads at the end.
TEST_CASE("Repository: switching under load", "[1.12/reload][1.12/unload-in-flight]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Explicit({"text"}));
  Client& client = daemon.client();
  std::atomic<bool> ends{false};
  std::atomic<int> answered{0};
  std::atomic<int> failed{0};
  std::vector<std::jthread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.push_back(StartThread("client", [&] {
      Client own(daemon.daemon().grpc_port());
      while (!ends) {
        ++(Answers(own, "text") ? answered : failed);
      }
    }));
  }
  constexpr int kSwitches = 40;
  for (int i = 0; i < kSwitches; ++i) {
    CHECK(Load(client, "text", i % 2 == 0 ? R"({"max_batch_size": 2})" : "").ok());
  }
  ends = true;
  clients.clear();
  CHECK(failed == 0);
  CHECK(answered > kSwitches);
  AwaitMetric(daemon.http_port(), "omserve_model_loads_to_free", 0);
  CHECK(Metric(daemon.http_port(), "omserve_model_loads_total") == kSwitches + 1.0);
}

}  // namespace
}  // namespace omserve::server
