// SPDX-License-Identifier: Apache-2.0
#include "server/core/catalog.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "config/nearest_name.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "scheduler/step_cache.h"
#include "server/core/version_policy.h"

namespace omserve::server {
namespace {

// Names come from clients; a message shows no more of them than this.
constexpr size_t kShownNameBytes = 256;

void LogLoaded(const Model& model) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(model.load_time).count();
  if (model.is_pipeline) {
    OMSERVE_LOG(kInfo, "catalog", "pipeline ready name={} version={} steps={} max_batch={}",
                model.name, model.version, model.plan->nodes.size(), model.config.max_batch_size());
    return;
  }
  OMSERVE_LOG(kInfo, "catalog",
              "model ready name={} version={} max_batch={} gears=\"{}\" load_ms={}", model.name,
              model.version, model.config.max_batch_size(), model.subgraph->shape.BucketsToString(),
              ms);
  for (const DeviceShare& share : model.shares) {
    OMSERVE_LOG(kInfo, "catalog",
                "model placed name={} version={} device={} instances={} weight_bytes={} "
                "work_bytes={}",
                model.name, model.version, share.device, share.instances, share.weight_bytes,
                share.work_bytes);
  }
}

// The entry of `version`, or of the highest version served when it is 0 or below (the highest of
// all when none is served); null when there is none.
const CatalogEntry* Choose(const std::map<int64_t, CatalogEntry>& versions, int64_t version) {
  if (version > 0) {
    const auto found = versions.find(version);
    return found == versions.end() ? nullptr : &found->second;
  }
  for (auto entry = versions.rbegin(); entry != versions.rend(); ++entry) {
    if (entry->second.model != nullptr) {
      return &entry->second;
    }
  }
  return versions.empty() ? nullptr : &versions.rbegin()->second;
}

}  // namespace

absl::Status Catalog::Load(const std::vector<std::string>& repositories, const LoadContext& context,
                           Statistics& statistics) {
  ASSIGN_OR_RETURN(std::vector<registry::ModelFolder> folders,
                   registry::ScanRepositories(repositories));
  {
    const MutexLock lock(mu_);
    repositories_ = repositories;
  }
  std::vector<Found> models;
  std::vector<Found> pipelines;
  for (registry::ModelFolder& folder : folders) {
    absl::StatusOr<std::optional<config::LoadedModelConfig>> read =
        config::LoadModelConfig(folder.path);
    if (!read.ok()) {
      AddFailure(folder.name, 0, read.status());
      continue;
    }
    Found found{.folder = std::move(folder),
                .config = read->has_value() ? **std::move(read) : config::LoadedModelConfig{}};
    for (const std::string& warning : found.config.warnings) {
      OMSERVE_LOG(kWarning, "catalog", "{}", warning);
    }
    if (config::IsPipeline(found.config.config)) {
      // All of them are known before any is built, so that one that names another is told so.
      const MutexLock lock(mu_);
      pipelines_.insert(found.folder.name);
      pipelines.push_back(std::move(found));
    } else {
      models.push_back(std::move(found));
    }
  }
  // A pipeline stands on compiled models only, so two rounds are an order of dependency.
  for (const Found& found : models) {
    LoadFolder(found, context, statistics);
  }
  for (const Found& found : pipelines) {
    LoadFolder(found, context, statistics);
  }
  return absl::OkStatus();
}

void Catalog::LoadFolder(const Found& found, const LoadContext& context, Statistics& statistics) {
  const bool is_pipeline = config::IsPipeline(found.config.config);
  std::vector<int64_t> on_disk = found.folder.versions;
  if (on_disk.empty() && is_pipeline) {
    on_disk.push_back(1);  // It has no file of its own, so nobody made it a version folder.
  }
  absl::StatusOr<std::vector<int64_t>> versions =
      SelectVersions(found.config.config.version_policy(), on_disk);
  if (versions.ok() && versions->empty()) {
    versions = NotFound("model '{}': no version folder; expected '{}/1/{}'", found.folder.name,
                        found.folder.path, config::kDefaultModelFilename);
  }
  if (!versions.ok()) {
    AddFailure(found.folder.name, 0, versions.status());
    return;
  }
  for (const int64_t version : *versions) {
    absl::StatusOr<ModelHandle> model = LoadVersion(found, version, context);
    if (!model.ok()) {
      const absl::Status& status = model.status();
      AddFailure(found.folder.name, version,
                 status.code() == absl::StatusCode::kResourceExhausted
                     ? ResourceExhausted("{}{}", MessageOf(status), Holders())
                     : status);
      continue;
    }
    statistics.AddModel(found.folder.name, version);
    Add(*std::move(model));
  }
}

absl::StatusOr<ModelHandle> Catalog::LoadVersion(const Found& found, int64_t version,
                                                 const LoadContext& context) {
  if (!config::IsPipeline(found.config.config)) {
    LoadedSubgraphs loaded;
    absl::StatusOr<ModelHandle> model =
        LoadSubgraphModel(context, found.folder, version, found.config, &loaded);
    const MutexLock lock(mu_);
    for (std::unique_ptr<registry::LoadedSubgraph>& subgraph : loaded) {
      subgraphs_.push_back(std::move(subgraph));
    }
    return model;
  }
  return LoadPipelineModel(
      context, found.folder, version, found.config, CachedBytes(),
      [this](const std::string& model, int64_t wanted) { return FindCompiled(model, wanted); });
}

absl::StatusOr<ModelHandle> Catalog::FindCompiled(const std::string& name, int64_t version) const {
  const MutexLock lock(mu_);
  if (pipelines_.count(name) != 0) {
    return Unimplemented(
        "model '{}' is a pipeline itself: pipelines of pipelines are not supported yet; write its "
        "steps here",
        name);
  }
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    std::vector<std::string> known;
    for (const auto& [model, versions] : entries_) {
      known.push_back(model);
    }
    return NotFound("model '{}' is {}", name, config::UnknownName(name, "models", known));
  }
  const CatalogEntry* entry = Choose(found->second, version);
  if (entry == nullptr) {
    return NotFound("model '{}' has no version {} among those served", name, version);
  }
  if (entry->model == nullptr) {
    return WithContext(entry->status, fmt::format("model '{}' could not be loaded", name));
  }
  return entry->model;
}

std::vector<std::shared_ptr<scheduler::StepCache>> Catalog::Caches() const {
  std::vector<std::shared_ptr<scheduler::StepCache>> caches;
  const MutexLock lock(mu_);
  for (const auto& [name, versions] : entries_) {
    for (const auto& [version, entry] : versions) {
      for (size_t n = 0; entry.model != nullptr && n < entry.model->plan->nodes.size(); ++n) {
        if (const auto& cache = entry.model->plan->nodes[n].cache; cache != nullptr) {
          caches.push_back(cache);
        }
      }
    }
  }
  return caches;
}

size_t Catalog::CachedBytes() const {
  size_t bytes = 0;
  for (const auto& cache : Caches()) {
    bytes += cache->max_bytes();
  }
  return bytes;
}

void Catalog::ClearCaches() const {
  for (const auto& cache : Caches()) {
    cache->Clear();
  }
}

std::string Catalog::Holders() const {
  constexpr size_t kMostShown = 5;
  std::vector<std::pair<size_t, std::string>> holders;
  {
    const MutexLock lock(mu_);
    for (const auto& [name, versions] : entries_) {
      for (const auto& [version, entry] : versions) {
        for (size_t i = 0; entry.model != nullptr && i < entry.model->shares.size(); ++i) {
          const DeviceShare& share = entry.model->shares[i];
          holders.emplace_back(share.loaded_bytes(), fmt::format("'{}' version {} on device {}",
                                                                 name, version, share.device));
        }
      }
    }
  }
  std::sort(holders.rbegin(), holders.rend());
  std::string text;
  for (size_t i = 0; i < std::min(kMostShown, holders.size()); ++i) {
    text += fmt::format("{}{} has {}", i == 0 ? "; of others " : ", ", holders[i].second,
                        holders[i].first);
  }
  return text;
}

void Catalog::Add(ModelHandle model) {
  LogLoaded(*model);
  const std::string name = model->name;
  const int64_t version = model->version;
  const MutexLock lock(mu_);
  entries_[name][version] = {.name = name, .version = version, .model = std::move(model)};
}

void Catalog::AddFailure(const std::string& name, int64_t version, const absl::Status& status) {
  OMSERVE_LOG(kError, "catalog", "model not served name={} version={} error=\"{}\"", name, version,
              MessageOf(status));
  const MutexLock lock(mu_);
  entries_[name][version] = {.name = name, .version = version, .status = WithoutPaths(status)};
}

// Clients are told why a model is not served, and not where it lies.
absl::Status Catalog::WithoutPaths(const absl::Status& status) const {
  std::string text(MessageOf(status));
  for (const std::string& repository : repositories_) {
    for (size_t at = text.find(repository); at != std::string::npos;
         at = text.find(repository, at)) {
      // The '/' behind it goes too: what is left is the path within the repository.
      const size_t end = at + repository.size();
      text.erase(at, end - at + (end < text.size() && text[end] == '/' ? 1 : 0));
    }
  }
  return {status.code(), text};
}

absl::StatusOr<ModelHandle> Catalog::Find(const std::string& name,
                                          const std::string& version) const {
  ASSIGN_OR_RETURN(const std::optional<int64_t> wanted, ParseVersion(version));
  const std::string shown = name.substr(0, kShownNameBytes);
  const MutexLock lock(mu_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    return NotFound("Request for unknown model: '{}' is not found", shown);
  }
  const CatalogEntry* entry = Choose(found->second, wanted.value_or(0));
  if (entry == nullptr) {
    return NotFound("Request for unknown model: '{}' version {} is not found", shown, *wanted);
  }
  if (entry->model == nullptr && wanted.has_value()) {
    return Unavailable("Request for unknown model: '{}' version {} is not at ready state: {}",
                       shown, *wanted, MessageOf(entry->status));
  }
  if (entry->model == nullptr) {
    return Unavailable("Request for unknown model: '{}' has no available versions: {}", shown,
                       MessageOf(entry->status));
  }
  return entry->model;
}

std::vector<ModelHandle> Catalog::Versions(const std::string& name) const {
  std::vector<ModelHandle> served;
  const MutexLock lock(mu_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    return served;
  }
  for (const auto& [version, entry] : found->second) {
    if (entry.model != nullptr) {
      served.push_back(entry.model);
    }
  }
  return served;
}

std::vector<CatalogEntry> Catalog::List() const {
  std::vector<CatalogEntry> all;
  const MutexLock lock(mu_);
  for (const auto& [name, versions] : entries_) {
    for (const auto& [version, entry] : versions) {
      all.push_back(entry);
    }
  }
  return all;
}

}  // namespace omserve::server
