// SPDX-License-Identifier: Apache-2.0
// What a client does with a daemon's repository: models loaded, unloaded and looked at.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/server/protocol/daemon_fixture.h"

namespace omserve::server {

// Settings of a daemon that loads these, and then what clients ask for.
inline std::function<void(ServerConfig&)> Explicit(const std::vector<std::string>& load_models) {
  return [load_models](ServerConfig& config) {
    config.mutable_admin()->set_control_on_public_ports(true);
    config.mutable_repository()->set_control_mode("explicit");
    config.mutable_repository()->mutable_load_models()->Assign(load_models.begin(),
                                                               load_models.end());
  };
}

// Settings of a daemon that follows what changes in its folders.
inline void Polling(ServerConfig& config) {
  config.mutable_repository()->set_control_mode("poll");
  config.mutable_repository()->set_poll_seconds(1);
}

inline grpc::Status Load(Client& client, const std::string& model, const std::string& config = "",
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
  return client.Call(&inference::GRPCInferenceService::Stub::RepositoryModelLoad, request,
                     &response);
}

inline grpc::Status Unload(Client& client, const std::string& model, bool dependents = false) {
  inference::RepositoryModelUnloadRequest request;
  request.set_model_name(model);
  if (dependents) {
    (*request.mutable_parameters())["unload_dependents"].set_bool_param(true);
  }
  inference::RepositoryModelUnloadResponse response;
  return client.Call(&inference::GRPCInferenceService::Stub::RepositoryModelUnload, request,
                     &response);
}

// "STATE reason" by "name:version".
inline std::map<std::string, std::string> Index(Client& client, bool ready = false) {
  inference::RepositoryIndexRequest request;
  request.set_ready(ready);
  inference::RepositoryIndexResponse index;
  REQUIRE(
      client.Call(&inference::GRPCInferenceService::Stub::RepositoryIndex, request, &index).ok());
  std::map<std::string, std::string> lines;
  for (const auto& model : index.models()) {
    lines[model.name() + ":" + model.version()] =
        model.state() + (model.reason().empty() ? "" : " " + model.reason());
  }
  return lines;
}

// Asks until the line is as expected; the last that was seen.
inline std::string AwaitLine(Client& client, const std::string& key, const std::string& expected) {
  std::string line;
  for (int i = 0; i < 600; ++i) {
    line = Index(client)[key];
    if (line == expected) {
      break;
    }
    Pause(std::chrono::milliseconds(20));
  }
  return line;
}

inline bool Answers(Client& client, const std::string& model) {
  inference::ModelInferResponse response;
  return client.Infer(TextRequest(model, 1), &response).ok();
}

inline std::string VersionOf(Client& client, const std::string& model) {
  inference::ModelInferResponse response;
  const grpc::Status status = client.Infer(TextRequest(model, 1), &response);
  INFO(status.error_message());
  CHECK(status.ok());
  return response.model_version();
}

}  // namespace omserve::server
