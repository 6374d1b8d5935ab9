// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_control.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "config/model_config.h"
#include "runtime/base/errors.h"
#include "runtime/registry/registry.h"
#include "runtime/trust/statement.h"
#include "server/core/places.h"

namespace omserve::server {

ModelControl::ModelControl(std::vector<std::string> folders, Catalog& catalog, RegistryState& state,
                           const ModelTrust& trust, const AuditLog& audit, Clock& clock)
    : folders_(std::move(folders)),
      catalog_(catalog),
      state_(state),
      trust_(trust),
      audit_(audit),
      clock_(clock) {
  for (const auto& [model, record] : state_.All()) {
    catalog_.SetRoutes(model, record.routes);
  }
}

absl::Status ModelControl::CheckKnown(const std::string& model, const ModelRecord& record) const {
  // What is kept of a model that is away just now can be changed: a mistyped name cannot.
  return catalog_.IsKnown(model) || record != ModelRecord() ? absl::OkStatus()
                                                            : NotFound("it is not known here");
}

absl::Status ModelControl::CheckServed(const std::string& model, int64_t version) const {
  const absl::Status served = catalog_.FindStep(model, version).status();
  if (!served.ok()) {
    return FailedPrecondition("version {} is not served ({}); load it first", version,
                              MessageOf(served));
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelRoutes> ModelControl::Change(
    ControlAction action, const std::function<absl::Status(ModelRoutes&)>& change) {
  const Clock::time_point start = clock_.Now();
  ModelRoutes routes;
  action.result = state_.Change(
      action.model,
      [&](ModelRecord& record) -> absl::Status {
        RETURN_IF_ERROR(CheckKnown(action.model, record));
        return change(record.routes);
      },
      [&](const ModelRecord& record) {
        catalog_.SetRoutes(action.model, record.routes);
        routes = record.routes;
      });
  action.took = clock_.Now() - start;
  audit_.Note(action);
  if (!action.result.ok()) {
    return WithContext(action.result, fmt::format("model '{}'", action.model));
  }
  return routes;
}

absl::StatusOr<ModelRoutes> ModelControl::SetLabels(const std::string& model,
                                                    const std::map<std::string, int64_t>& labels,
                                                    const std::vector<std::string>& remove,
                                                    const std::string& by) {
  ControlAction action{.by = by, .what = "label", .model = model};
  for (const auto& [label, version] : labels) {
    action.arguments.emplace_back(label, std::to_string(version));
  }
  for (const std::string& label : remove) {
    action.arguments.emplace_back(label, "");
  }
  return Change(std::move(action), [&](ModelRoutes& routes) -> absl::Status {
    for (const auto& [label, version] : labels) {
      RETURN_IF_ERROR(CheckServed(model, version));
      RETURN_IF_ERROR(MoveLabel(label, version, routes));
    }
    for (const std::string& label : remove) {
      RETURN_IF_ERROR(RemoveLabel(label, routes));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<ModelRoutes> ModelControl::SetTraffic(const std::string& model,
                                                     const std::vector<TrafficShare>& shares,
                                                     const std::string& by) {
  ControlAction action{.by = by, .what = "traffic", .model = model};
  for (const TrafficShare& share : shares) {
    action.arguments.emplace_back(share.label, fmt::format("{}%", share.percent));
  }
  return Change(std::move(action),
                [&](ModelRoutes& routes) { return server::SetTraffic(shares, routes); });
}

absl::StatusOr<uint64_t> ModelControl::SetEpochFloor(const std::string& model, uint64_t floor,
                                                     bool allow_lower, const std::string& by) {
  ControlAction action{
      .by = by, .what = "epoch", .model = model, .arguments = {{"floor", std::to_string(floor)}}};
  if (allow_lower) {
    action.arguments.emplace_back("allow_lower", "true");
  }
  const Clock::time_point start = clock_.Now();
  uint64_t before = 0;
  action.result = state_.Change(
      model,
      [&](ModelRecord& record) -> absl::Status {
        RETURN_IF_ERROR(CheckKnown(model, record));
        before = record.epoch_floor;
        if (floor < before && !allow_lower) {
          return FailedPrecondition(
              "the floor is {}; to lower it to {} lets versions in that were taken back: say that "
              "this is meant (omctl epoch --allow-lower)",
              before, floor);
        }
        if (floor > trust::kMostSecurityEpoch) {
          return InvalidArgument("floor {}: expected at most {}", floor, trust::kMostSecurityEpoch);
        }
        record.epoch_floor = floor;
        return absl::OkStatus();
      },
      [](const ModelRecord& /*record*/) {});
  action.took = clock_.Now() - start;
  audit_.Note(action);
  if (!action.result.ok()) {
    return WithContext(action.result, fmt::format("model '{}'", model));
  }
  return before;
}

absl::Status ModelControl::Verify(const std::string& model, int64_t version, const std::string& by,
                                  const OnVerified& on_version) {
  ControlAction action{.by = by, .what = "verify", .model = model};
  if (version != 0) {
    action.arguments.emplace_back("version", std::to_string(version));
  }
  const Clock::time_point start = clock_.Now();
  absl::Status verified = Unavailable("another verification goes on; ask again when it is done");
  if (!verifies_.exchange(true)) {
    verified = VerifyAll(model, version, on_version, action.result);
    verifies_ = false;
  }
  action.result.Update(verified);
  action.took = clock_.Now() - start;
  audit_.Note(action);
  return WithoutPlaces(verified, folders_);
}

absl::Status ModelControl::VerifyAll(const std::string& model, int64_t version,
                                     const OnVerified& on_version, absl::Status& bad) const {
  RETURN_IF_ERROR(CheckModelName(model));  // It becomes part of a path.
  if (version < 0) {
    return InvalidArgument("version {}: expected one of 1 or more, or 0 for all", version);
  }
  ASSIGN_OR_RETURN(const std::optional<registry::ModelFolder> folder,
                   registry::FindModel(folders_, model));
  if (!folder.has_value()) {
    return NotFound("model '{}' is in none of the repositories", model);
  }
  std::vector<int64_t> versions = folder->versions;
  if (version != 0) {
    if (std::find(versions.begin(), versions.end(), version) == versions.end()) {
      return NotFound("model '{}' has no version {} in its folder", model, version);
    }
    versions = {version};
  }
  ASSIGN_OR_RETURN(const std::optional<config::LoadedModelConfig> config,
                   config::LoadModelConfig(folder->path));
  const inference::ModelConfig& own =
      config.has_value() ? config->config : inference::ModelConfig::default_instance();
  for (const int64_t each : versions) {
    if (ends_) {
      return Unavailable("the server is shutting down");
    }
    const absl::StatusOr<ModelTrust::Report> report =
        trust_.Examine({.folder = *folder,
                        .version = each,
                        .own_file = config::IsPipeline(own) ? "" : config::CompiledFilename(own),
                        .epoch_floor = EpochFloor(model)});
    Verified verified{
        .version = each, .versions = static_cast<int>(versions.size()), .report = report};
    if (!report.ok()) {
      verified.report = WithoutPlaces(report.status(), folders_);
    }
    if (!on_version(verified)) {
      return Cancelled("whoever asked has gone by version {}", each);
    }
    bad.Update(WithContext(report.status(), fmt::format("version {}", each)));
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelRoutes> ModelControl::RollBack(const std::string& model,
                                                   const std::string& label,
                                                   const std::string& by) {
  return Change({.by = by, .what = "rollback", .model = model, .arguments = {{"label", label}}},
                [&](ModelRoutes& routes) -> absl::Status {
                  RETURN_IF_ERROR(RollBackLabel(label, routes));
                  return CheckServed(model, routes.labels.at(label));
                });
}

}  // namespace omserve::server
