// SPDX-License-Identifier: Apache-2.0
#include "server/core/control_messages.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

constexpr char kDefaultLabel[] = "stable";

template <typename Duration>
uint64_t Count(Clock::duration duration) {
  return static_cast<uint64_t>(std::chrono::duration_cast<Duration>(duration).count());
}

void Fill(const ModelRoutes& routes, ModelRoutesResponse* response) {
  response->mutable_labels()->insert(routes.labels.begin(), routes.labels.end());
  response->mutable_previous()->insert(routes.previous.begin(), routes.previous.end());
  for (const TrafficShare& share : routes.traffic) {
    TrafficShareConfig* to = response->add_traffic();
    to->set_label(share.label);
    to->set_percent(share.percent);
  }
}

void Fill(const CatalogEntry& entry, ListModelsResponse::Version* to) {
  to->set_version(entry.version);
  to->set_state(std::string(VersionStateName(entry.state)));
  to->set_next_state(entry.next.has_value() ? std::string(VersionStateName(*entry.next)) : "");
  to->set_since_ms(static_cast<uint64_t>(entry.since.count()));
  to->set_last_transition(entry.reason);
  to->set_holders(entry.holders);
  if (entry.model == nullptr) {
    to->set_reason(std::string(MessageOf(entry.status)));
    return;
  }
  const Model& model = *entry.model;
  to->set_load(model.load);
  to->set_loaded_at_ms(static_cast<uint64_t>(model.loaded_at.count()));
  to->set_load_us(Count<std::chrono::microseconds>(model.load_time));
  size_t bytes = 0;
  for (const DeviceShare& share : model.shares) {
    bytes += share.loaded_bytes();
  }
  to->set_memory_bytes(bytes);
  to->set_is_pipeline(model.is_pipeline);
  to->set_is_overwritten(entry.is_overwritten);
}

void Count(const std::vector<ModelStatistics>& statistics, const CatalogEntry& entry,
           ListModelsResponse::Version* to) {
  const auto found = std::ranges::find_if(statistics, [&entry](const ModelStatistics& counted) {
    return counted.name == entry.name && counted.version == entry.version;
  });
  if (found != statistics.end()) {
    to->set_requests(found->success.count + found->fail.count);
    to->set_failed_requests(found->fail.count);
    to->set_last_inference_ms(found->last_inference_ms);
  }
}

absl::Status Answer(const absl::StatusOr<ModelRoutes>& routes, ModelRoutesResponse* response) {
  RETURN_IF_ERROR(routes.status());
  Fill(*routes, response);
  return absl::OkStatus();
}

}  // namespace

absl::Status FillModels(const Catalog& catalog, const ModelControl& control,
                        const Statistics& statistics, const Caller& caller,
                        const ListModelsRequest& request, ListModelsResponse* response) {
  const std::vector<ModelStatistics> counted = statistics.Snapshot();
  response->set_now_ms(static_cast<uint64_t>(catalog.Now().count()));
  const std::string& only = request.model_name();
  ListModelsResponse::Model* model = nullptr;
  for (const CatalogEntry& entry : catalog.List()) {  // In the order of names.
    if ((!only.empty() && entry.name != only) || !caller.MayUse(entry.name)) {
      continue;
    }
    if (model == nullptr || model->name() != entry.name) {
      model = response->add_models();
      model->set_name(entry.name);
      Fill(catalog.Routes(entry.name), model->mutable_routes());
      model->set_epoch_floor(control.EpochFloor(entry.name));
    }
    ListModelsResponse::Version* version = model->add_versions();
    Fill(entry, version);
    Count(counted, entry, version);
  }
  return only.empty() || model != nullptr ? absl::OkStatus()
                                          : NotFound("model '{}' is not known here", only);
}

VerifyModelResponse VerifyMessage(const ModelControl::Verified& found) {
  VerifyModelResponse message;
  message.set_version(found.version);
  message.set_versions(found.versions);
  message.set_is_good(found.report.ok());
  if (!found.report.ok()) {
    message.set_reason(std::string(MessageOf(found.report.status())));
    return message;
  }
  message.set_signer(found.report->signer);
  message.set_security_epoch(found.report->security_epoch);
  message.set_files(found.report->files);
  message.set_size_bytes(found.report->size_bytes);
  return message;
}

absl::Status Perform(ModelControl& control, const Caller& caller, const SetLabelsRequest& request,
                     ModelRoutesResponse* response) {
  return Answer(
      control.SetLabels(request.model_name(), {request.labels().begin(), request.labels().end()},
                        {request.remove().begin(), request.remove().end()}, caller.Who()),
      response);
}

absl::Status Perform(ModelControl& control, const Caller& caller, const SetTrafficRequest& request,
                     ModelRoutesResponse* response) {
  std::vector<TrafficShare> shares;
  for (const TrafficShareConfig& share : request.shares()) {
    shares.push_back({.label = share.label(), .percent = share.percent()});
  }
  return Answer(control.SetTraffic(request.model_name(), shares, caller.Who()), response);
}

absl::Status Perform(ModelControl& control, const Caller& caller, const RollBackRequest& request,
                     ModelRoutesResponse* response) {
  const std::string label = request.label().empty() ? kDefaultLabel : request.label();
  return Answer(control.RollBack(request.model_name(), label, caller.Who()), response);
}

absl::Status Perform(ModelControl& control, const Caller& caller,
                     const SetEpochFloorRequest& request, SetEpochFloorResponse* response) {
  ASSIGN_OR_RETURN(const uint64_t before,
                   control.SetEpochFloor(request.model_name(), request.floor(),
                                         request.allow_lower(), caller.Who()));
  response->set_before(before);
  response->set_floor(request.floor());
  return absl::OkStatus();
}

}  // namespace omserve::server
