// SPDX-License-Identifier: Apache-2.0
// `omctl label`, `traffic` and `rollback`: where requests to a model go; `omctl epoch`: which
// signed versions are too old.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto/omserve/control.pb.h"
#include "runtime/base/errors.h"
#include "tools/client/grpc_client.h"
#include "tools/client/table.h"
#include "tools/omctl/commands.h"

namespace omserve::omctl {
namespace {

namespace json = boost::json;
using Stub = ModelControl::Stub;

json::object RoutesJson(const std::string& model, const ModelRoutesResponse& routes) {
  json::object labels;
  for (const auto& [label, version] :
       std::map<std::string, int64_t>(routes.labels().begin(), routes.labels().end())) {
    labels[label] = version;
  }
  json::array traffic;
  for (const TrafficShareConfig& share : routes.traffic()) {
    traffic.push_back(json::object{{"label", share.label()}, {"percent", share.percent()}});
  }
  return {{"model", model}, {"labels", std::move(labels)}, {"traffic", std::move(traffic)}};
}

void Print(const CommonOptions& common, const std::string& model,
           const ModelRoutesResponse& routes) {
  if (common.json) {
    fmt::print("{}\n", json::serialize(RoutesJson(model, routes)));
    return;
  }
  std::map<std::string, int> percents;
  for (const TrafficShareConfig& share : routes.traffic()) {
    percents[share.label()] = share.percent();
  }
  std::vector<std::vector<std::string>> table = {{"LABEL", "VERSION", "BEFORE", "TRAFFIC"}};
  for (const auto& [label, version] :
       std::map<std::string, int64_t>(routes.labels().begin(), routes.labels().end())) {
    const auto before = routes.previous().find(label);
    const auto percent = percents.find(label);
    table.push_back({label, std::to_string(version),
                     before == routes.previous().end() ? "-" : std::to_string(before->second),
                     percent == percents.end() ? "-" : fmt::format("{}%", percent->second)});
  }
  fmt::print("{}", client::FormatTable(table));
  if (routes.traffic().empty()) {
    fmt::print("Requests that name no version go to the highest one served.\n");
  }
}

// NAME=NUMBER, and "%" behind it.
absl::StatusOr<std::pair<std::string, int64_t>> ParsePair(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals != std::string::npos && equals > 0) {
    int64_t number = 0;
    const char* end = text.data() + text.size() - (text.ends_with('%') ? 1 : 0);
    const auto [at, error] = std::from_chars(text.data() + equals + 1, end, number);
    if (error == std::errc() && at == end) {
      return std::pair<std::string, int64_t>(text.substr(0, equals), number);
    }
  }
  return InvalidArgument("'{}': expected LABEL=NUMBER", text);
}

template <typename Request>
absl::Status Change(const CommonOptions& common, Request& request,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                 ModelRoutesResponse*)) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.control_url(), common.files));
  client::GrpcClient client(connect);
  ASSIGN_OR_RETURN(const ModelRoutesResponse routes, client.Call(method, request));
  Print(common, request.model_name(), routes);
  return absl::OkStatus();
}

absl::StatusOr<ListModelsResponse::Model> Fetch(const CommonOptions& common,
                                                const std::string& model) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.url(), common.files));
  client::GrpcClient client(connect);
  ListModelsRequest request;
  request.set_model_name(model);
  ASSIGN_OR_RETURN(const ListModelsResponse listed, client.Call(&Stub::ListModels, request));
  return listed.models(0);
}

absl::Status Show(const CommonOptions& common, const std::string& model) {
  ASSIGN_OR_RETURN(const ListModelsResponse::Model found, Fetch(common, model));
  Print(common, model, found.routes());
  return absl::OkStatus();
}

void PrintFloor(const CommonOptions& common, const std::string& model, uint64_t floor) {
  if (common.json) {
    fmt::print("{}\n", json::serialize(json::object{{"model", model}, {"epoch_floor", floor}}));
  } else {
    fmt::print("Signed versions of '{}' are loaded from security epoch {} on.\n", model, floor);
  }
}

}  // namespace

absl::Status Label(const CommonOptions& common, const LabelCommand& command) {
  if (command.labels.empty() && command.remove.empty()) {
    return Show(common, command.model);
  }
  SetLabelsRequest request;
  request.set_model_name(command.model);
  for (const std::string& given : command.labels) {
    ASSIGN_OR_RETURN(const auto pair, ParsePair(given));
    (*request.mutable_labels())[pair.first] = pair.second;
  }
  for (const std::string& label : command.remove) {
    request.add_remove(label);
  }
  return Change(common, request, &Stub::SetLabels);
}

absl::Status Traffic(const CommonOptions& common, const TrafficCommand& command) {
  if (command.shares.empty() && !command.clear) {
    return Show(common, command.model);
  }
  SetTrafficRequest request;
  request.set_model_name(command.model);
  for (const std::string& given : command.shares) {
    ASSIGN_OR_RETURN(const auto pair, ParsePair(given));
    if (pair.second < 1 || pair.second > 100) {
      return InvalidArgument("'{}': expected a share of 1 to 100 %", given);
    }
    TrafficShareConfig* share = request.add_shares();
    share->set_label(pair.first);
    share->set_percent(static_cast<int32_t>(pair.second));
  }
  return Change(common, request, &Stub::SetTraffic);
}

absl::Status RollBack(const CommonOptions& common, const RollBackCommand& command) {
  RollBackRequest request;
  request.set_model_name(command.model);
  request.set_label(command.label);
  return Change(common, request, &Stub::RollBack);
}

absl::Status Epoch(const CommonOptions& common, const EpochCommand& command) {
  if (!command.floor.has_value()) {
    ASSIGN_OR_RETURN(const ListModelsResponse::Model found, Fetch(common, command.model));
    PrintFloor(common, command.model, found.epoch_floor());
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.control_url(), common.files));
  client::GrpcClient client(connect);
  SetEpochFloorRequest request;
  request.set_model_name(command.model);
  request.set_floor(*command.floor);
  request.set_allow_lower(command.allow_lower);
  ASSIGN_OR_RETURN(const SetEpochFloorResponse set, client.Call(&Stub::SetEpochFloor, request));
  PrintFloor(common, command.model, set.floor());
  return absl::OkStatus();
}

}  // namespace omserve::omctl
