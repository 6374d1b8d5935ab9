// SPDX-License-Identifier: Apache-2.0
// Errors tell a client what is wrong with what it sent, and nothing of where the daemon's files lie
// or what is in its memory.
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"

namespace omserve::server {
namespace {

using Stub = inference::GRPCInferenceService::Stub;

// One model that is served, and one for each way to be broken.
void Fill(const Repository& repository) {
  repository.AddText();
  repository.Write("no_file/1/readme", "nothing");
  repository.Write("no_om/1/model.om", "this is no model");
  repository.AddText("bad_config", "max_batch_size: many\n");
  repository.AddText("bad_key", "max_batch_sise: 8\n");
  repository.AddText("bad_label", "output: [{name: text_features, label_filename: labels.txt}]\n");
  repository.Write("bad_pipeline/config.yaml",
                   "steps: [{model_name: nothing, model_version: -1}]\n");
  repository.Write("bad_version/one/model.om", "x");
  repository.Write("bad_pbtxt/config.pbtxt", "name: \"other\" max_batch_size: }");
  repository.Write("bad_pbtxt/1/model.om", "x");
}

const std::vector<std::string>& Models() {
  static const std::vector<std::string> models = {
      "text",      "no_file",         "no_om",        "bad_config",          "bad_key",
      "bad_label", "nothing",         "bad_pipeline", "bad_version",         "bad_pbtxt",
      "../escape", "%2e%2e%2fescape", "/etc",         std::string(4096, 'm')};
  return models;
}

class Watcher final {
 public:
  explicit Watcher(const Repository& repository)
      : hidden_{repository.path(), std::filesystem::temp_directory_path().string() + "/", "/proc/",
                "0x7f", "0x5"} {}

  void Look(const std::string& asked, const std::string& answer) const {
    for (const std::string& hidden : hidden_) {
      INFO(asked.substr(0, 200));
      INFO(answer.substr(0, 2000));
      INFO(hidden);
      CHECK(answer.find(hidden) == std::string::npos);
    }
  }

 private:
  const std::vector<std::string> hidden_;
};

std::vector<std::string> Bodies() {
  return {"",
          "{",
          "[]",
          "null",
          "{}",
          R"({"inputs":[]})",
          R"({"inputs":[{"name":"input_ids"}]})",
          R"({"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1,32],"data":[1]}]})",
          R"({"inputs":[{"name":"input_ids","datatype":"FP99","shape":[1,32],"data":[1]}]})",
          R"({"inputs":[{"name":"no","datatype":"INT64","shape":[-1],"data":["x"]}]})",
          R"({"inputs":[{"name":"input_ids","datatype":"INT64","shape":[9e99],"data":[]}]})",
          R"({"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1,32],)"
          R"("parameters":{"shared_memory_region":"/dev/shm/x","shared_memory_byte_size":8}}]})",
          R"({"log_file":"/etc/passwd"})",
          R"({"parameters":{"file:1/model.om":"AAAA","config":"{}"}})",
          std::string(70'000, '['),
          std::string("\xff\xfe\0\1", 4)};
}

TEST_CASE("Leaks: errors over HTTP name no path", "[1.15]") {
  Repository repository;
  Fill(repository);
  TestDaemon daemon(repository, Explicit({"*"}), /*exit_on_error=*/false);
  const Watcher watcher(repository);
  const std::vector<int> ports = {daemon.http_port(), daemon.daemon().admin_http_port()};
  const auto ask = [&](const std::string& verb, const std::string& path, const std::string& body) {
    for (const int port : ports) {
      const std::string answer =
          SendHttp(port, verb + " " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" +
                             "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
      INFO(verb << " " << path.substr(0, 100) << " with " << body.substr(0, 100));
      CHECK(answer.starts_with("HTTP/1.1 "));
      watcher.Look(verb + " " + path, answer);
    }
  };
  for (const std::string& body : Bodies()) {
    for (const char* path :
         {"/v2/models/text/infer", "/v2/models/text/generate", "/v2/repository/index",
          "/v2/logging", "/v2/repository/models/text/load", "/v2/trace/setting",
          "/v2/systemsharedmemory/region/x/register", "/v2/cudasharedmemory/region/x/register"}) {
      ask("POST", path, body);
    }
  }
  for (const std::string& model : Models()) {
    for (const char* what : {"", "/config", "/stats", "/ready", "/versions/1", "/versions/99",
                             "/versions/99999999999999999999/config"}) {
      ask("GET", "/v2/models/" + model + what, "");
    }
    for (const char* what : {"/v2/models/{}/infer", "/v2/models/{}/versions/1/infer",
                             "/v2/models/{}/generate", "/v2/repository/models/{}/load",
                             "/v2/repository/models/{}/unload", "/v2/models/{}/trace/setting"}) {
      std::string path = what;
      path.replace(path.find("{}"), 2, model);
      ask("POST", path, Bodies()[7]);
    }
  }
  for (const char* path : {"/", "/v2/../../etc/passwd", "/%00", "/v2/models//infer", "/v2/%zz"}) {
    ask("GET", path, "");
    ask("DELETE", path, "");
  }
  watcher.Look("index", SendHttp(daemon.http_port(),
                                 "POST /v2/repository/index HTTP/1.1\r\nHost: h\r\n"
                                 "Connection: close\r\nContent-Length: 0\r\n\r\n"));
}

TEST_CASE("Leaks: errors over gRPC name no path", "[1.15]") {
  Repository repository;
  Fill(repository);
  TestDaemon daemon(repository, Explicit({"*"}), /*exit_on_error=*/false);
  const Watcher watcher(repository);
  Client operators(daemon.daemon().admin_grpc_port());
  for (Client* client : {&daemon.client(), &operators}) {
    const auto look = [&watcher](const std::string& asked, const grpc::Status& status,
                                 const google::protobuf::Message& response) {
      watcher.Look(asked,
                   status.error_message() + status.error_details() + response.ShortDebugString());
    };
    inference::RepositoryIndexResponse index;
    look("index", client->Call(&Stub::RepositoryIndex, {}, &index), index);
    CHECK(index.models_size() >= 8);
    for (const std::string& model : Models()) {
      for (const char* version : {"", "1", "99", "one", "-1"}) {
        inference::ModelInferRequest infer = TextRequest(model, 1);
        infer.set_model_version(version);
        infer.mutable_inputs(0)->set_datatype("INT32");
        inference::ModelInferResponse inferred;
        look(model, client->Infer(infer, &inferred), inferred);
        inference::ModelMetadataRequest metadata;
        metadata.set_name(model);
        metadata.set_version(version);
        inference::ModelMetadataResponse metadata_response;
        look(model, client->Call(&Stub::ModelMetadata, metadata, &metadata_response),
             metadata_response);
        inference::ModelConfigRequest config;
        config.set_name(model);
        config.set_version(version);
        inference::ModelConfigResponse config_response;
        look(model, client->Call(&Stub::ModelConfig, config, &config_response), config_response);
        inference::ModelStatisticsRequest statistics;
        statistics.set_name(model);
        statistics.set_version(version);
        inference::ModelStatisticsResponse statistics_response;
        look(model, client->Call(&Stub::ModelStatistics, statistics, &statistics_response),
             statistics_response);
      }
      inference::RepositoryModelLoadRequest load;
      load.set_model_name(model);
      inference::RepositoryModelLoadResponse loaded;
      look(model, client->Call(&Stub::RepositoryModelLoad, load, &loaded), loaded);
    }
    inference::SystemSharedMemoryRegisterRequest region;
    region.set_name("x");
    region.set_key("/../../etc/passwd");
    region.set_byte_size(8);
    inference::SystemSharedMemoryRegisterResponse registered;
    look("region", client->Call(&Stub::SystemSharedMemoryRegister, region, &registered),
         registered);
    for (const char* method : {"ModelInfer", "ModelMetadata", "LogSettings", "Nothing"}) {
      std::string answer;
      const grpc::Status status =
          client->RawCall(std::string("/inference.GRPCInferenceService/") + method,
                          std::string("\xff\x01\x02\x80\x80", 5), &answer);
      watcher.Look(method, status.error_message() + answer);
    }
  }
}

}  // namespace
}  // namespace omserve::server
