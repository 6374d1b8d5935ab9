// SPDX-License-Identifier: Apache-2.0
// What this daemon serves: models by name and version, and those that could not be loaded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/model_config.h"
#include "runtime/base/mutex.h"
#include "runtime/registry/registry.h"
#include "server/core/model.h"
#include "server/core/model_loader.h"
#include "server/core/statistics.h"

namespace omserve::server {

// One line of the repository's index.
struct CatalogEntry {
  std::string name;
  int64_t version = 0;  // 0: the failure is not of one version.
  ModelHandle model;    // Null when it could not be loaded,
  absl::Status status;  // and then this says why.
};

// Thread-safe. Owns the loaded subgraphs, so it must outlive the dispatcher that runs them.
class Catalog final {
 public:
  Catalog() = default;
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  // Loads everything in `repositories`: compiled models first, then the pipelines over them. A
  // model that fails is listed with its reason, logged, and keeps nobody else from being served.
  // Blocks until all is loaded; called once. Errors: those of registry::ScanRepositories.
  absl::Status Load(const std::vector<std::string>& repositories, const LoadContext& context,
                    Statistics& statistics) ABSL_LOCKS_EXCLUDED(mu_);

  // The version that `version` names; "" is the highest one served. Errors, in Triton's words:
  // kNotFound for an unknown model or version, kInvalidArgument for a version that is no number,
  // kUnavailable for one that could not be loaded.
  absl::StatusOr<ModelHandle> Find(const std::string& name, const std::string& version) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // All versions of one model that are served, ascending; empty when there is none.
  std::vector<ModelHandle> Versions(const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);

  // Gives back what the caches of pipelines' steps hold of pinned memory.
  void ClearCaches() const ABSL_LOCKS_EXCLUDED(mu_);

  // Everything, in the order of name and version.
  std::vector<CatalogEntry> List() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Found {
    registry::ModelFolder folder;
    config::LoadedModelConfig config;
  };
  void LoadFolder(const Found& found, const LoadContext& context, Statistics& statistics);
  absl::StatusOr<ModelHandle> LoadVersion(const Found& found, int64_t version,
                                          const LoadContext& context) ABSL_LOCKS_EXCLUDED(mu_);
  // A compiled model, for a step of a pipeline.
  absl::StatusOr<ModelHandle> FindCompiled(const std::string& name, int64_t version) const
      ABSL_LOCKS_EXCLUDED(mu_);
  void Add(ModelHandle model) ABSL_LOCKS_EXCLUDED(mu_);
  // Those of pipelines' steps.
  std::vector<std::shared_ptr<scheduler::StepCache>> Caches() const ABSL_LOCKS_EXCLUDED(mu_);
  // The most that they hold.
  size_t CachedBytes() const ABSL_LOCKS_EXCLUDED(mu_);
  // What a refused load can be told of who has memory, the largest first; empty when nobody has.
  std::string Holders() const ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status WithoutPaths(const absl::Status& status) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddFailure(const std::string& name, int64_t version, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  std::map<std::string, std::map<int64_t, CatalogEntry>> entries_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> pipelines_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> repositories_ ABSL_GUARDED_BY(mu_);  // As they were given.
  LoadedSubgraphs subgraphs_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::server
