// SPDX-License-Identifier: Apache-2.0
// Models that are loaded and unloaded while the daemon serves.
#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <thread>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/base/thread.h"
#include "tests/server/protocol/curl.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Stub = inference::GRPCInferenceService::Stub;
using std::chrono::milliseconds;

constexpr char kNotAllowed[] = "explicit model load / unload is not allowed if polling is enabled";

std::function<void(ServerConfig&)> Explicit(const std::vector<std::string>& load_models) {
  return [load_models](ServerConfig& config) {
    config.mutable_admin()->set_control_on_public_ports(true);
    config.mutable_repository()->set_control_mode("explicit");
    config.mutable_repository()->mutable_load_models()->Assign(load_models.begin(),
                                                               load_models.end());
  };
}

grpc::Status Load(Client& client, const std::string& model, const std::string& config = "",
                  const std::map<std::string, std::string>& files = {}) {
  inference::RepositoryModelLoadRequest request;
  request.set_model_name(model);
  if (!config.empty()) {
    (*request.mutable_parameters())["config"].set_string_param(config);
  }
  for (const auto& [path, bytes] : files) {
    (*request.mutable_parameters())["file:" + path].set_bytes_param(bytes);
  }
  inference::RepositoryModelLoadResponse response;
  return client.Call(&Stub::RepositoryModelLoad, request, &response);
}

grpc::Status Unload(Client& client, const std::string& model, bool dependents = false) {
  inference::RepositoryModelUnloadRequest request;
  request.set_model_name(model);
  if (dependents) {
    (*request.mutable_parameters())["unload_dependents"].set_bool_param(true);
  }
  inference::RepositoryModelUnloadResponse response;
  return client.Call(&Stub::RepositoryModelUnload, request, &response);
}

// "STATE reason" by "name:version".
std::map<std::string, std::string> Index(Client& client, bool ready = false) {
  inference::RepositoryIndexRequest request;
  request.set_ready(ready);
  inference::RepositoryIndexResponse index;
  REQUIRE(client.Call(&Stub::RepositoryIndex, request, &index).ok());
  std::map<std::string, std::string> lines;
  for (const auto& model : index.models()) {
    lines[model.name() + ":" + model.version()] =
        model.state() + (model.reason().empty() ? "" : " " + model.reason());
  }
  return lines;
}

// Asks until the line is as expected; the last that was seen.
std::string AwaitLine(Client& client, const std::string& key, const std::string& expected) {
  std::string line;
  for (int i = 0; i < 600; ++i) {
    line = Index(client)[key];
    if (line == expected) {
      break;
    }
    Pause(milliseconds(20));
  }
  return line;
}

bool Answers(Client& client, const std::string& model) {
  inference::ModelInferResponse response;
  return client.Infer(TextRequest(model, 1), &response).ok();
}

std::string VersionOf(Client& client, const std::string& model) {
  inference::ModelInferResponse response;
  const grpc::Status status = client.Infer(TextRequest(model, 1), &response);
  INFO(status.error_message());
  CHECK(status.ok());
  return response.model_version();
}

// Nothing serves that was not asked for; a load answers when the model serves, an unload at once.
TEST_CASE("Repository: load and unload over gRPC",
          "[1.1/RepositoryModelLoad][1.1/RepositoryModelUnload][1.12/mode-explicit]"
          "[1.12/load-waits][1.12/unload-at-once][1.12/unload-unknown][1.12/ready-only]"
          "[1.12/states]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Explicit({}));
  Client& client = daemon.client();
  CHECK(Index(client) == std::map<std::string, std::string>{{"text:", "UNAVAILABLE not loaded"}});
  inference::ModelInferResponse response;
  const grpc::Status unknown = client.Infer(TextRequest("text", 1), &response);
  CHECK(unknown.error_code() == grpc::StatusCode::NOT_FOUND);
  CHECK(unknown.error_message() == "Request for unknown model: 'text' is not found");

  for (int round = 0; round < 3; ++round) {
    REQUIRE(Load(client, "text").ok());
    CHECK(Index(client)["text:1"] == "READY");
    CHECK(Index(client, /*ready=*/true).size() == 1);
    CHECK(Answers(client, "text"));
    REQUIRE(Unload(client, "text").ok());
    CHECK_FALSE(Answers(client, "text"));
    CHECK(AwaitLine(client, "text:1", "UNAVAILABLE unloaded") == "UNAVAILABLE unloaded");
    CHECK(Index(client, /*ready=*/true).empty());
  }
  CHECK(Unload(client, "text").ok());  // Not loaded is no error.
  CHECK(Unload(client, "nobody").ok());
  CHECK(Metric(daemon.http_port(), "omserve_model_loads_total") == 3.0);
  CHECK(Metric(daemon.http_port(), "omserve_model_unloads_total") == 3.0);
  AwaitMetric(daemon.http_port(), "omserve_model_loads_to_free", 0);
  // What is not wanted does not keep the daemon from being as it shall be.
  CHECK(
      Curl("http://127.0.0.1:" + std::to_string(daemon.http_port()) + "/v2/health/ready").status ==
      200);
}

// The same routes, bodies and statuses as Triton has them.
TEST_CASE("Repository: load and unload over REST",
          "[1.2/load][1.2/unload][1.12/load-fails][1.12/model-names][1.15/internal]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Explicit({}));
  const int port = daemon.http_port();
  const CurlAnswer loaded = Post(port, "/v2/repository/models/text/load", "");
  CHECK(loaded.status == 200);
  CHECK(loaded.body.empty());
  CHECK(Answers(daemon.client(), "text"));
  CHECK(Post(port, "/v2/repository/index", R"({"ready": true})").body ==
        R"([{"name":"text","version":"1","state":"READY"}])");
  CHECK(Post(port, "/v2/repository/any/models/text/unload",
             R"({"parameters": {"unload_dependents": false}})")
            .status == 200);
  CHECK_FALSE(Answers(daemon.client(), "text"));

  const std::pair<std::string, std::string> refused[] = {
      {R"({"parameters": {"config": 7}})",
       "invalid value type for 'config' parameter, expected string."},
      {R"({"parameters": {"file:1/model.om": "AAAA"}})",
       "failed to load 'text', override model directory requires the parameter 'config' beside "
       "its files"},
      {R"({"parameters": {"config": "{}", "file:1/model.om": "?"}})",
       "a file's contents are not base64: 1 characters, not a multiple of 4"},
      {R"({"parameters": {"other": "x"}})",
       "unrecognized parameter 'other' for model load: expected 'config' or "
       "'file:<version>/<path>'"},
      {"[", "the request is not a JSON object"}};
  for (const auto& [body, text] : refused) {
    const CurlAnswer answer = Post(port, "/v2/repository/models/text/load", body);
    CHECK(answer.status == 400);
    CHECK_THAT(answer.body, Catch::Contains(text));
  }
  const CurlAnswer unknown = Post(port, "/v2/repository/models/nobody/load", "");
  CHECK(unknown.status == 500);
  CHECK_THAT(unknown.body,
             Catch::Contains("failed to load 'nobody', failed to poll from model repository"));
  const CurlAnswer outside = Post(port, "/v2/repository/models/..%2Ftext/load", "");
  CHECK(outside.status == 400);
  CHECK_THAT(outside.body, Catch::Contains("invalid model name '../text', model name must not "
                                           "contain path traversal characters"));
  CHECK_THAT(Post(port, "/v2/repository/models/%20/load", "").body,
             Catch::Contains("Model name cannot be empty. Please enter a valid name to deploy."));
}

// Modes none and poll answer control calls as Triton does.
TEST_CASE("Repository: control calls where they are not allowed",
          "[1.12/mode-none][1.12/control-refused][1.15/unavailable]") {
  Repository repository;
  repository.AddText();
  for (const char* mode : {"none", "poll"}) {
    TestDaemon daemon(repository, [&](ServerConfig& config) {
      config.mutable_admin()->set_control_on_public_ports(true);
      config.mutable_repository()->set_control_mode(mode);
    });
    for (const grpc::Status& status :
         {Load(daemon.client(), "text"), Unload(daemon.client(), "text")}) {
      CHECK(status.error_code() == grpc::StatusCode::UNAVAILABLE);
      CHECK(status.error_message() == kNotAllowed);
    }
    const CurlAnswer answer = Post(daemon.http_port(), "/v2/repository/models/text/load", "");
    CHECK(answer.status == 503);
    CHECK_THAT(answer.body, Catch::Contains(kNotAllowed));
    CHECK(Answers(daemon.client(), "text"));
    CHECK(Metric(daemon.http_port(), "omserve_model_control_refusals_total") == 3.0);
  }
}

// What cannot be read or loaded is INTERNAL with Triton's words and the reason, which names no
// place on the server.
TEST_CASE("Repository: broken models", "[1.12/load-fails][1.12/model-names][1.15/internal]") {
  Repository repository;
  repository.Write("damaged/1/model.om", "no model");
  repository.AddModel("text", "misspelt", "max_batch_sise: 4\n");
  repository.Write("empty/config.yaml", "max_batch_size: 4\n");
  TestDaemon daemon(repository, Explicit({}));
  Client& client = daemon.client();
  const std::pair<const char*, const char*> cases[] = {
      {"damaged", "failed to load 'damaged', no version is available: "},
      {"empty",
       "failed to load 'empty', no version is available: model 'empty': no version folder"},
      {"misspelt", "failed to load 'misspelt', failed to poll from model repository: "},
      {"nobody", "failed to load 'nobody', failed to poll from model repository: "}};
  for (const auto& [model, text] : cases) {
    const grpc::Status status = Load(client, model);
    CHECK(status.error_code() == grpc::StatusCode::INTERNAL);
    CHECK_THAT(status.error_message(), Catch::StartsWith(text));
    CHECK(status.error_message().find(repository.path()) == std::string::npos);
  }
  const auto index = Index(client);
  CHECK_THAT(index.at("damaged:1"), Catch::StartsWith("UNAVAILABLE model 'damaged'"));
  CHECK_THAT(index.at("misspelt:"), Catch::Contains("max_batch_sise"));
  CHECK(index.count("nobody:") == 0);  // Clients choose names: none is kept.
  for (const char* name : {"", " ", "a/b", ".."}) {
    CHECK(Load(client, name).error_code() == grpc::StatusCode::INVALID_ARGUMENT);
    CHECK(Unload(client, name).error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  }
  // Mended, it loads.
  repository.AddModel("text", "damaged");
  CHECK(Load(client, "damaged").ok());
  CHECK(Answers(client, "damaged"));
}

// What failed and is not asked for any longer does not count.
TEST_CASE("Repository: what is not wanted any longer", "[1.2]") {
  Repository repository;
  repository.AddModel("text", "misspelt", "max_batch_sise: 4\n");
  repository.AddText("text", "version_policy: {all: {}}\n");
  repository.Write("text/2/model.om", "half a model");
  TestDaemon daemon(repository, Explicit({}));
  Client& client = daemon.client();
  const auto has_converged = [&] {
    const std::string answer = HttpGet(daemon.http_port(), "/v2/health/converged");
    return answer.find("HTTP/1.1 200") != std::string::npos;
  };
  REQUIRE_FALSE(Load(client, "misspelt").ok());
  CHECK_FALSE(has_converged());
  REQUIRE(Unload(client, "misspelt").ok());
  CHECK(Index(client)["misspelt:"] == "UNAVAILABLE unloaded");
  inference::ModelInferResponse response;
  CHECK(client.Infer(TextRequest("misspelt", 1), &response).error_code() ==
        grpc::StatusCode::NOT_FOUND);
  CHECK(has_converged());

  REQUIRE(Load(client, "text").ok());  // Version 1.
  CHECK_FALSE(has_converged());
  std::filesystem::remove_all(repository.path() + "/text/2");
  REQUIRE(Load(client, "text").ok());
  CHECK(has_converged());
}

// A reload that fails leaves the version that serves as it was; one that succeeds takes its place.
TEST_CASE("Repository: a failed reload changes nothing", "[1.12/reload-fails]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Explicit({"*"}));
  Client& client = daemon.client();
  CHECK(VersionOf(client, "text") == "1");
  repository.Write("text/2/model.om", "half a model");
  CHECK(Load(client, "text").error_code() == grpc::StatusCode::INTERNAL);
  CHECK(VersionOf(client, "text") == "1");
  CHECK(Index(client)["text:1"] == "READY");
  repository.AddModel("text", "text", "", "1,2", 2);
  REQUIRE(Load(client, "text").ok());
  CHECK(VersionOf(client, "text") == "2");
  CHECK(AwaitLine(client, "text:1", "UNAVAILABLE unloaded") == "UNAVAILABLE unloaded");
  // A damaged file under the version that serves.
  repository.Write("text/2/model.om", "half a model");
  CHECK(Load(client, "text").error_code() == grpc::StatusCode::INTERNAL);
  CHECK(VersionOf(client, "text") == "2");
}

// A configuration and files that come with the request: for this load, in place of the
// repository's.
TEST_CASE("Repository: inline configuration and files",
          "[1.12/load-config][1.12/load-files][1.12/load-file-paths]") {
  Repository repository;
  repository.AddText();
  Repository elsewhere;
  elsewhere.AddModel("text", "other", "", "1,2");
  const std::string om = VALUE(ReadFile(elsewhere.path() + "/other/1/model.om"));
  TestDaemon daemon(repository, Explicit({}));
  Client& client = daemon.client();
  const auto max_batch = [&](const std::string& model) {
    inference::ModelConfigRequest request;
    request.set_name(model);
    inference::ModelConfigResponse response;
    REQUIRE(client.Call(&Stub::ModelConfig, request, &response).ok());
    return response.config().max_batch_size();
  };
  REQUIRE(Load(client, "text", R"({"max_batch_size": 2})").ok());
  CHECK(max_batch("text") == 2);
  CHECK(Answers(client, "text"));
  REQUIRE(Load(client, "text").ok());  // The repository's own again.
  CHECK(max_batch("text") == 8);

  REQUIRE(Load(client, "text", "{}", {{"3/model.om", om}}).ok());
  CHECK(VersionOf(client, "text") == "3");
  CHECK(max_batch("text") == 2);
  REQUIRE(Load(client, "brought", "{}", {{"1/model.om", om}}).ok());
  CHECK(Answers(client, "brought"));

  CHECK(Load(client, "text", "", {{"3/model.om", om}}).error_code() ==
        grpc::StatusCode::INVALID_ARGUMENT);
  for (const char* path : {"../text/1/model.om", "/etc/passwd", "1/../../x", "", "1/"}) {
    CHECK(Load(client, "text", "{}", {{path, om}}).error_code() ==
          grpc::StatusCode::INVALID_ARGUMENT);
  }
  const grpc::Status bad = Load(client, "text", R"({"max_batch_sise": 2})");
  CHECK(bad.error_code() == grpc::StatusCode::INTERNAL);
  CHECK_THAT(bad.error_message(),
             Catch::StartsWith("failed to load 'text', failed to poll from model repository: "));
  CHECK(VersionOf(client, "text") == "3");
}

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
  TestDaemon daemon(repository, [](ServerConfig& config) {
    config.mutable_repository()->set_control_mode("poll");
    config.mutable_repository()->set_poll_seconds(1);
  });
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
        config.mutable_device()->set_config_file(repository.path() + "/acl.json");
        config.mutable_repository()->set_control_mode("poll");
        config.mutable_repository()->set_poll_seconds(1);
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
  TestDaemon daemon(repository, [](ServerConfig& config) {
    config.mutable_repository()->set_control_mode("poll");
    config.mutable_repository()->set_poll_seconds(1);
  });
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

// Clients that load the same model at once: one after the other, and all of them are answered.
TEST_CASE("Repository: loads of one model at once", "[1.12]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Explicit({}));
  std::atomic<int> loaded{0};
  {
    std::vector<std::jthread> clients;
    for (int c = 0; c < 6; ++c) {
      clients.push_back(StartThread("client", [&] {
        Client own(daemon.daemon().grpc_port());
        loaded += Load(own, "text").ok() ? 1 : 0;
      }));
    }
  }
  CHECK(loaded == 6);
  CHECK(Answers(daemon.client(), "text"));
  AwaitMetric(daemon.http_port(), "omserve_model_loads_to_free", 0);
}

}  // namespace
}  // namespace omserve::server
