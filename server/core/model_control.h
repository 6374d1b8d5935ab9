// SPDX-License-Identifier: Apache-2.0
// What operators decide about the versions that serve: labels, and shares of the traffic.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "server/core/audit_log.h"
#include "server/core/catalog.h"
#include "server/core/model_routes.h"
#include "server/core/model_trust.h"
#include "server/core/registry_state.h"

namespace omserve::server {

// Thread-safe. Of a model that nobody knows, everything is kNotFound. Each change is kept before it
// counts, counts for every request that is found a version after the call, and is told of in the
// audit log, done or refused. `by`: see Caller::Who. The references outlive it. All calls block on
// the disk.
class ModelControl final {
 public:
  // `folders`: of models, as ModelRepository has them.
  ModelControl(std::vector<std::string> folders, Catalog& catalog, RegistryState& state,
               const ModelTrust& trust, const AuditLog& audit, Clock& clock);
  ModelControl(const ModelControl&) = delete;
  ModelControl& operator=(const ModelControl&) = delete;

  // How things are afterwards, of all of these.
  // All of the changes or none. Errors: kInvalidArgument for a label; kNotFound for a model that is
  // unknown, and for a label to take away; kFailedPrecondition for a version that is not served.
  absl::StatusOr<ModelRoutes> SetLabels(const std::string& model,
                                        const std::map<std::string, int64_t>& labels,
                                        const std::vector<std::string>& remove,
                                        const std::string& by);
  // Errors: those of server::SetTraffic; kNotFound.
  absl::StatusOr<ModelRoutes> SetTraffic(const std::string& model,
                                         const std::vector<TrafficShare>& shares,
                                         const std::string& by);
  // Errors: those of RollBackLabel; kFailedPrecondition where the version is not served any longer.
  absl::StatusOr<ModelRoutes> RollBack(const std::string& model, const std::string& label,
                                       const std::string& by);
  // The floor before. Errors: kFailedPrecondition for a lower one, unless `allow_lower`.
  absl::StatusOr<uint64_t> SetEpochFloor(const std::string& model, uint64_t floor, bool allow_lower,
                                         const std::string& by);
  // What a version's files are found to be, as they are on the disk now.
  struct Verified {
    int64_t version = 1;
    int versions = 1;  // That are looked at.
    absl::StatusOr<ModelTrust::Report> report;
  };
  // Checks one version, or all (0), and tells `on_version` of each, until it says false: nobody is
  // there any longer who wants to know. OK: it was told of all of them, good or not. Errors,
  // without the places of files: kNotFound for a model or a version that is in no folder;
  // kUnavailable at the end of the daemon and while another verification goes on, since each reads
  // whole files; kCancelled. Blocks on the disk and on the processor.
  using OnVerified = std::function<bool(const Verified&)>;
  absl::Status Verify(const std::string& model, int64_t version, const std::string& by,
                      const OnVerified& on_version);
  // A verification that goes on ends after the version that it is at.
  void EndVerification() { ends_ = true; }
  uint64_t EpochFloor(const std::string& model) const { return state_.Get(model).epoch_floor; }

 private:
  // `bad`: the first that was found wrong with a version.
  absl::Status VerifyAll(const std::string& model, int64_t version, const OnVerified& on_version,
                         absl::Status& bad) const;
  absl::Status CheckKnown(const std::string& model, const ModelRecord& record) const;
  absl::Status CheckServed(const std::string& model, int64_t version) const;
  absl::StatusOr<ModelRoutes> Change(ControlAction action,
                                     const std::function<absl::Status(ModelRoutes&)>& change);

  const std::vector<std::string> folders_;
  Catalog& catalog_;
  RegistryState& state_;
  const ModelTrust& trust_;
  const AuditLog& audit_;
  Clock& clock_;
  std::atomic<bool> verifies_{false};  // One goes on.
  std::atomic<bool> ends_{false};
};

}  // namespace omserve::server
