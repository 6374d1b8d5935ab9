// SPDX-License-Identifier: Apache-2.0
// `omctl models` and `omctl status`: what a server has and how it is.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/status_macros.h"
#include "tools/client/grpc_client.h"
#include "tools/client/table.h"
#include "tools/omctl/commands.h"

namespace omserve::omctl {
namespace {

namespace json = boost::json;
using Stub = inference::GRPCInferenceService::Stub;
using Row = std::vector<std::string>;

struct ModelRow {
  inference::RepositoryIndexResponse::ModelIndex index;
  inference::ModelMetadataResponse metadata;  // Empty unless READY.
  inference::ModelStatistics statistics;      // Empty unless READY.
  ListModelsResponse::Version version;
  uint64_t now_ms = 0;              // By the server's clock.
  std::vector<std::string> labels;  // "stable", or "stable 90%" with a share.
};

void AddDetails(const ListModelsResponse::Model& model, ModelRow& row) {
  for (const ListModelsResponse::Version& version : model.versions()) {
    if ((version.version() == 0 ? "" : std::to_string(version.version())) == row.index.version()) {
      row.version = version;
    }
  }
  std::map<std::string, int> percents;
  for (const TrafficShareConfig& share : model.routes().traffic()) {
    percents[share.label()] = share.percent();
  }
  for (const auto& [label, version] : std::map<std::string, int64_t>(
           model.routes().labels().begin(), model.routes().labels().end())) {
    if (version == row.version.version()) {
      row.labels.push_back(percents.contains(label) ? fmt::format("{} {}%", label, percents[label])
                                                    : label);
    }
  }
}

std::string MemoryText(const ModelRow& row) {
  return row.version.is_pipeline()
             ? "-"
             : fmt::format("{:.1f} MB", static_cast<double>(row.version.memory_bytes()) / 1e6);
}

std::string Notes(const ModelRow& row) {
  if (row.index.state() != "READY") {
    return row.index.reason();
  }
  if (!row.version.next_state().empty()) {
    return fmt::format("another load of it is {}", row.version.next_state());
  }
  return row.version.is_overwritten() ? "its file was overwritten" : row.version.last_transition();
}

// How long ago, in one unit.
std::string AgeText(const ModelRow& row) {
  const uint64_t since_ms = row.version.since_ms();
  if (since_ms == 0 || row.now_ms < since_ms) {
    return "-";
  }
  const uint64_t seconds = (row.now_ms - since_ms) / 1000;
  if (seconds < 120) {
    return fmt::format("{} s", seconds);
  }
  return seconds < 7200 ? fmt::format("{} min", seconds / 60) : fmt::format("{} h", seconds / 3600);
}

std::string RequestsText(const ListModelsResponse::Version& version) {
  return version.failed_requests() == 0
             ? std::to_string(version.requests())
             : fmt::format("{} ({} failed)", version.requests(), version.failed_requests());
}

absl::StatusOr<std::vector<ModelRow>> FetchModels(client::GrpcClient& client) {
  ASSIGN_OR_RETURN(const inference::RepositoryIndexResponse index,
                   client.Call(&Stub::RepositoryIndex, inference::RepositoryIndexRequest()));
  ASSIGN_OR_RETURN(const inference::ModelStatisticsResponse statistics,
                   client.Call(&Stub::ModelStatistics, inference::ModelStatisticsRequest()));
  std::map<std::pair<std::string, std::string>, inference::ModelStatistics> by_model;
  for (const inference::ModelStatistics& model : statistics.model_stats()) {
    by_model[{model.name(), model.version()}] = model;
  }
  ASSIGN_OR_RETURN(const ListModelsResponse listed,
                   client.Call(&ModelControl::Stub::ListModels, ListModelsRequest()));
  std::map<std::string, ListModelsResponse::Model> by_name;
  for (const ListModelsResponse::Model& model : listed.models()) {
    by_name[model.name()] = model;
  }
  std::vector<ModelRow> rows;
  for (const auto& model : index.models()) {
    ModelRow row{.index = model, .now_ms = listed.now_ms()};
    if (model.state() == "READY") {
      inference::ModelMetadataRequest request;
      request.set_name(model.name());
      request.set_version(model.version());
      ASSIGN_OR_RETURN(row.metadata, client.Call(&Stub::ModelMetadata, request));
      row.statistics = by_model[{model.name(), model.version()}];
    }
    AddDetails(by_name[model.name()], row);
    rows.push_back(std::move(row));
  }
  return rows;
}

template <typename Tensors>
std::string Signature(const Tensors& tensors) {
  std::string text;
  for (const auto& tensor : tensors) {
    text += text.empty() ? "" : ", ";
    text += fmt::format("{} {}{}", tensor.name(), tensor.datatype(),
                        DimsToString(Dims(tensor.shape().begin(), tensor.shape().end())));
  }
  return text;
}

template <typename Tensors>
json::array SignatureJson(const Tensors& tensors) {
  json::array array;
  for (const auto& tensor : tensors) {
    array.push_back(
        json::object{{"name", tensor.name()},
                     {"datatype", tensor.datatype()},
                     {"shape", json::array(tensor.shape().begin(), tensor.shape().end())}});
  }
  return array;
}

double MeanMs(const inference::StatisticDuration& duration) {
  return duration.count() == 0
             ? 0.0
             : static_cast<double>(duration.ns()) / static_cast<double>(duration.count()) / 1e6;
}

std::string MeanMsText(const inference::StatisticDuration& duration) {
  return duration.count() == 0 ? "-" : fmt::format("{:.3f}", MeanMs(duration));
}

json::object ModelJson(const ModelRow& row) {
  json::object object{{"name", row.index.name()},
                      {"version", row.index.version()},
                      {"state", row.version.state()},
                      {"since_ms", row.version.since_ms()},
                      {"last_transition", row.version.last_transition()},
                      {"requests", row.version.requests()},
                      {"failed_requests", row.version.failed_requests()},
                      {"last_inference_ms", row.version.last_inference_ms()}};
  if (!row.version.next_state().empty()) {
    object["next_state"] = row.version.next_state();
  }
  if (!row.index.reason().empty()) {
    object["reason"] = row.index.reason();
  }
  if (row.index.state() == "READY") {
    const inference::InferStatistics& stats = row.statistics.inference_stats();
    object["platform"] = row.metadata.platform();
    object["labels"] = json::array(row.labels.begin(), row.labels.end());
    object["loaded_at_ms"] = row.version.loaded_at_ms();
    object["load_us"] = row.version.load_us();
    object["memory_bytes"] = row.version.memory_bytes();
    object["is_overwritten"] = row.version.is_overwritten();
    object["inputs"] = SignatureJson(row.metadata.inputs());
    object["outputs"] = SignatureJson(row.metadata.outputs());
    object["inference_count"] = row.statistics.inference_count();
    object["execution_count"] = row.statistics.execution_count();
    object["success_count"] = stats.success().count();
    object["fail_count"] = stats.fail().count();
    object["mean_ms"] = MeanMs(stats.success());
    object["mean_queue_ms"] = MeanMs(stats.queue());
    object["mean_compute_ms"] = MeanMs(stats.compute_infer());
  }
  return object;
}

}  // namespace

absl::Status Models(const CommonOptions& common) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.url(), common.files));
  client::GrpcClient client(connect);
  ASSIGN_OR_RETURN(const std::vector<ModelRow> models, FetchModels(client));
  if (common.json) {
    json::array array;
    for (const ModelRow& row : models) {
      array.push_back(ModelJson(row));
    }
    fmt::print("{}\n", json::serialize(array));
    return absl::OkStatus();
  }
  std::vector<Row> table = {{"MODEL", "VERSION", "STATE", "SINCE", "LABELS", "REQUESTS", "MEMORY",
                             "LOAD MS", "INPUTS", "OUTPUTS", "NOTES"}};
  for (const ModelRow& row : models) {
    const bool ready = row.index.state() == "READY";
    table.push_back({row.index.name(), row.index.version().empty() ? "-" : row.index.version(),
                     row.version.state(), AgeText(row),
                     row.labels.empty() ? "-" : fmt::format("{}", fmt::join(row.labels, ", ")),
                     RequestsText(row.version), ready ? MemoryText(row) : "-",
                     ready ? std::to_string(row.version.load_us() / 1000) : "-",
                     ready ? Signature(row.metadata.inputs()) : "",
                     ready ? Signature(row.metadata.outputs()) : "", Notes(row)});
  }
  fmt::print("{}", client::FormatTable(table));
  return absl::OkStatus();
}

absl::Status Status(const CommonOptions& common) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.url(), common.files));
  client::GrpcClient client(connect);
  ASSIGN_OR_RETURN(const inference::ServerMetadataResponse server,
                   client.Call(&Stub::ServerMetadata, inference::ServerMetadataRequest()));
  ASSIGN_OR_RETURN(const inference::ServerLiveResponse live,
                   client.Call(&Stub::ServerLive, inference::ServerLiveRequest()));
  ASSIGN_OR_RETURN(const inference::ServerReadyResponse ready,
                   client.Call(&Stub::ServerReady, inference::ServerReadyRequest()));
  ASSIGN_OR_RETURN(const std::vector<ModelRow> models, FetchModels(client));
  if (common.json) {
    json::array array;
    for (const ModelRow& row : models) {
      array.push_back(ModelJson(row));
    }
    fmt::print("{}\n", json::serialize(json::object{{"name", server.name()},
                                                    {"version", server.version()},
                                                    {"live", live.live()},
                                                    {"ready", ready.ready()},
                                                    {"models", std::move(array)}}));
    return absl::OkStatus();
  }
  fmt::print("{} {} at {}: {}, {}\n\n", server.name(), server.version(), common.url(),
             live.live() ? "live" : "not live", ready.ready() ? "ready" : "not ready");
  std::vector<Row> table = {{"MODEL", "VERSION", "STATE", "OK", "FAILED", "ROWS", "BATCHES",
                             "ROWS/BATCH", "MEAN MS", "QUEUE MS", "COMPUTE MS"}};
  for (const ModelRow& row : models) {
    const inference::ModelStatistics& model = row.statistics;
    const inference::InferStatistics& stats = model.inference_stats();
    table.push_back({row.index.name(), row.index.version().empty() ? "-" : row.index.version(),
                     row.index.state(), std::to_string(stats.success().count()),
                     std::to_string(stats.fail().count()), std::to_string(model.inference_count()),
                     std::to_string(model.execution_count()),
                     model.execution_count() == 0
                         ? "-"
                         : fmt::format("{:.2f}", static_cast<double>(model.inference_count()) /
                                                     static_cast<double>(model.execution_count())),
                     MeanMsText(stats.success()), MeanMsText(stats.queue()),
                     MeanMsText(stats.compute_infer())});
  }
  fmt::print("{}", client::FormatTable(table));
  return absl::OkStatus();
}

}  // namespace omserve::omctl
