// SPDX-License-Identifier: Apache-2.0
// Models that clients load and unload while the daemon serves.
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
#include "tests/server/protocol/repository_client.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

constexpr char kNotAllowed[] = "explicit model load / unload is not allowed if polling is enabled";

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
    REQUIRE(
        client.Call(&inference::GRPCInferenceService::Stub::ModelConfig, request, &response).ok());
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
