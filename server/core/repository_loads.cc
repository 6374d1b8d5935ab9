// SPDX-License-Identifier: Apache-2.0
// What the repository's thread does: it loads and unloads.
#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "server/core/model_repository.h"

namespace omserve::server {
namespace {

constexpr char kConfigName[] = "config of the load request";

// Each model once that its steps run; none of a model that is no pipeline.
std::vector<std::string> StepsOf(inference::ModelConfig config) {
  config::EnsembleToPipeline(config);
  std::vector<std::string> names;
  for (const inference::Pipeline::Step& step : config.pipeline().step()) {
    if (!step.has_host() &&
        std::find(names.begin(), names.end(), step.model_name()) == names.end()) {
      names.push_back(step.model_name());
    }
  }
  return names;
}

}  // namespace

absl::Status ModelRepository::DoLoadInitial() {
  ASSIGN_OR_RETURN(std::vector<registry::ModelFolder> folders,
                   registry::ScanRepositories(options_.folders));
  const std::vector<std::string>& named = options_.load_models;
  const bool loads_all =
      options_.mode != ControlMode::kExplicit || named == std::vector<std::string>{"*"};
  std::vector<registry::ModelFolder> chosen;
  for (registry::ModelFolder& folder : folders) {
    if (loads_all || std::find(named.begin(), named.end(), folder.name) != named.end()) {
      chosen.push_back(std::move(folder));
    } else {
      catalog_.Know(folder.name);
    }
  }
  for (const std::string& name : named) {
    if (!loads_all && std::none_of(chosen.begin(), chosen.end(),
                                   [&name](const auto& folder) { return folder.name == name; })) {
      catalog_.Fail(name, 0, NotFound("model '{}' is in none of the repositories", name));
    }
  }
  LoadAll(chosen, "it is to serve from the start");
  LookAgain(context_.clock.Now() + options_.poll_every);
  return absl::OkStatus();
}

void ModelRepository::LoadAll(const std::vector<registry::ModelFolder>& folders,
                              const std::string& why) {
  std::map<std::string, Source> read;  // By name.
  std::set<std::string> tried;
  for (const registry::ModelFolder& folder : folders) {
    tried.insert(folder.name);
    Wanted& wanted = wanted_[folder.name];
    wanted.by_name = true;
    absl::StatusOr<Source> source = Read(folder, {}, why);
    if (!source.ok()) {
      catalog_.Fail(folder.name, 0, source.status());
      counters_.load_failures.fetch_add(1, std::memory_order_relaxed);
      // Not again before it has changed, unless that may pass.
      wanted.source.fingerprint =
          MayPass(source.status()) ? "" : registry::Fingerprint(folder).value_or("");
      continue;
    }
    Want(folder.name, *source);
    read.insert_or_assign(folder.name, *std::move(source));
  }
  std::set<std::string> changed;  // Of errors each model has its line and its reason.
  for (const auto& [name, source] : read) {
    if (!source.is_pipeline()) {
      changed.merge(LoadVersions(name, source, Which::kChanged).changed);
    }
  }
  std::set<std::string> built;
  for (const std::string& name : PipelinesInOrder(read)) {
    if (const auto source = read.find(name); source != read.end()) {
      changed.merge(LoadWithParts(source->second, tried).changed);
      built.insert(name);
    }
  }
  FollowSteps(changed, built);
  // What has failed may have waited for one of them: the next poll tries again.
  for (auto& [name, wanted] : wanted_) {
    if (wanted.has_failed && !changed.empty()) {
      wanted.source.fingerprint.clear();
    }
  }
}

absl::StatusOr<ModelRepository::Source> ModelRepository::Read(const registry::ModelFolder& folder,
                                                              const LoadParameters& parameters,
                                                              std::string why) {
  Source source{.folder = folder, .why = std::move(why)};
  source.fingerprint =
      options_.mode == ControlMode::kPoll ? registry::Fingerprint(folder).value_or("") : "";
  if (!parameters.files.empty()) {
    ASSIGN_OR_RETURN(source.files, WriteFiles(parameters.files));
    ASSIGN_OR_RETURN(source.folder, registry::ReadModelFolder(folder.name, source.files->path()));
  }
  if (parameters.config.has_value()) {
    source.has_own_config = false;
    ASSIGN_OR_RETURN(source.config,
                     config::ParseModelConfig(config::TextFormat::kJson, *parameters.config,
                                              kConfigName, folder.name));
  } else {
    absl::StatusOr<std::optional<config::LoadedModelConfig>> read =
        config::LoadModelConfig(source.folder.path);
    if (!read.ok()) {
      return ForClients(read.status(), &source);
    }
    if (read->has_value()) {
      source.config = **std::move(read);
    }
  }
  for (const std::string& warning : source.config.warnings) {
    OMSERVE_LOG(kWarning, "catalog", "{}", warning);
  }
  source.steps = StepsOf(source.config.config);
  return source;
}

absl::Status ModelRepository::DoLoad(const std::string& name, const LoadParameters& parameters,
                                     const Requester& by) {
  const auto unread = [&](const absl::Status& why) {
    counters_.load_failures.fetch_add(1, std::memory_order_relaxed);
    return Internal("failed to load '{}', failed to poll from model repository: {}", name,
                    MessageOf(ForClients(why, nullptr)));
  };
  absl::StatusOr<std::optional<registry::ModelFolder>> folder =
      registry::FindModel(options_.folders, name);
  if (!folder.ok()) {
    return unread(folder.status());
  }
  if (!folder->has_value() && parameters.files.empty()) {
    return unread(NotFound("it is in none of the repositories"));
  }
  if (!folder->has_value()) {
    *folder = registry::ModelFolder{.name = name};  // All of it comes with the request.
  }
  absl::StatusOr<Source> source =
      Read(**folder, parameters, fmt::format("asked for by {}", by.who));
  if (!source.ok()) {
    catalog_.Fail(name, 0, source.status());
    return unread(source.status());
  }
  for (const std::string& step :
       parameters.config.has_value() ? source->steps : std::vector<std::string>()) {
    if (!by.may_use(step)) {
      return MakeStatus(absl::StatusCode::kPermissionDenied,
                        fmt::format("failed to load '{}': its configuration names the model '{}', "
                                    "which who asks may not use",
                                    name, step));
    }
  }
  // Whoever asks for it by name means also what was rolled back before.
  RETURN_IF_ERROR(state_.Change(
      name,
      [](ModelRecord& record) {
        record.rolled_back.clear();
        return absl::OkStatus();
      },
      [](const ModelRecord& /*record*/) {}));
  Want(name, *source);
  wanted_[name].by_name = true;
  wanted_[name].drained.clear();
  std::set<std::string> tried;
  const Outcome loaded = LoadWithParts(*source, tried);
  FollowSteps(loaded.changed, {name});
  if (!loaded.status.ok()) {
    return Internal("failed to load '{}', no version is available: {}", name,
                    MessageOf(loaded.status));
  }
  return absl::OkStatus();
}

// What has served is wanted until another load serves in its place.
void ModelRepository::Want(const std::string& name, const Source& source) {
  Wanted& wanted = wanted_[name];
  if (!wanted.has_served) {
    wanted.source = source;
  }
  wanted.source.fingerprint = source.fingerprint;
  wanted.has_failed = true;  // Until a version of it serves.
}

ModelRepository::Outcome ModelRepository::LoadWithParts(const Source& source,
                                                        std::set<std::string>& tried) {
  const std::string& name = source.folder.name;
  Outcome parts;
  tried.insert(name);
  const std::set<std::string> kept_before = kept_;
  kept_.insert(name);
  kept_.insert(source.steps.begin(), source.steps.end());
  for (const std::string& step : source.steps) {
    if (tried.contains(step) || !catalog_.Versions(step).empty()) {
      continue;
    }
    if (!wanted_.contains(step)) {
      parts.brought.push_back(step);
    }
    Outcome part = LoadPart(step, name, tried);
    parts.changed.merge(part.changed);
    parts.brought.insert(parts.brought.end(), part.brought.begin(), part.brought.end());
  }
  Outcome loaded = LoadVersions(name, source);
  if (loaded.changed.empty()) {
    for (const std::string& step : std::exchange(parts.brought, {})) {
      if (IsNeeded(step, /*but=*/name)) {
        continue;  // By one that could be built over it since.
      }
      wanted_.erase(step);
      if (!catalog_.Versions(step).empty()) {
        tried.erase(step);  // It can be loaded for another pipeline.
      }
      Withdraw(step, /*but=*/{}, UnloadedStatus(), /*wanted=*/false);
      parts.changed.erase(step);
    }
  }
  kept_ = kept_before;
  loaded.changed.merge(parts.changed);
  loaded.brought = std::move(parts.brought);
  return loaded;
}

ModelRepository::Outcome ModelRepository::LoadPart(const std::string& name,
                                                   const std::string& pipeline,
                                                   std::set<std::string>& tried) {
  const auto wanted = wanted_.find(name);
  if (wanted != wanted_.end() && catalog_.IsParked(name) &&
      (!wanted->second.source.has_own_config || wanted->second.source.files != nullptr)) {
    // As it came with a load request; else it is what its folder has now.
    Source source = wanted->second.source;
    source.why = fmt::format("a step of pipeline '{}'", pipeline);
    Want(name, source);
    return LoadWithParts(source, tried);
  }
  const absl::StatusOr<std::optional<registry::ModelFolder>> folder =
      registry::FindModel(options_.folders, name);
  if (!folder.ok() || !folder->has_value()) {
    return {};  // The pipeline's own error tells.
  }
  const absl::StatusOr<Source> source =
      Read(**folder, {}, fmt::format("a step of pipeline '{}'", pipeline));
  if (!source.ok()) {
    catalog_.Fail(name, 0, source.status());
    counters_.load_failures.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  Want(name, *source);
  return LoadWithParts(*source, tried);
}

absl::Status ModelRepository::CheckNoCycle(const Source& source) const {
  // Depth first, with the way that led to each model; one that was met before leads nowhere new.
  std::set<std::string> met;
  std::vector<std::vector<std::string>> ways{{source.folder.name}};
  while (!ways.empty()) {
    const std::vector<std::string> way = std::move(ways.back());
    ways.pop_back();
    const auto wanted = wanted_.find(way.back());
    const bool is_first = way.size() == 1;
    if (!is_first && wanted == wanted_.end()) {
      continue;
    }
    for (const std::string& step : is_first ? source.steps : wanted->second.source.steps) {
      std::vector<std::string> next = way;
      next.push_back(step);
      if (step == source.folder.name) {
        return InvalidArgument("pipeline '{}' is a step of itself: {}; take one of these steps out",
                               step, fmt::join(next, " -> "));
      }
      if (met.insert(step).second) {
        ways.push_back(std::move(next));
      }
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> ModelRepository::PipelinesInOrder(
    const std::map<std::string, Source>& read) const {
  std::vector<std::string> ordered;
  std::set<std::string> met;
  const std::function<void(const std::string&)> visit = [&](const std::string& name) {
    const auto wanted = wanted_.find(name);
    if (wanted == wanted_.end() || !met.insert(name).second) {
      return;
    }
    const auto anew = read.find(name);
    const Source& source = anew != read.end() ? anew->second : wanted->second.source;
    for (const std::string& step : source.steps) {
      visit(step);
    }
    if (source.is_pipeline()) {
      ordered.push_back(name);
    }
  };
  for (const auto& [name, wanted] : wanted_) {
    visit(name);
  }
  return ordered;
}

void ModelRepository::FollowSteps(std::set<std::string> changed, const std::set<std::string>& but) {
  std::set<std::string> built = but;
  built.insert(changed.begin(), changed.end());
  std::set<std::string> followed;
  for (const std::string& pipeline : PipelinesInOrder({})) {
    const Wanted& wanted = wanted_[pipeline];
    if (catalog_.IsParked(pipeline)) {
      // It is built when it is asked for, unless somebody has taken a step of it away by hand.
      for (const std::string& step : wanted.source.steps) {
        if (changed.contains(step) && !wanted_.contains(step)) {
          ReleaseParked(pipeline, step);
        }
      }
      continue;
    }
    const std::vector<std::string> steps = wanted.source.steps;
    const std::set<std::string>& of_interest = built.contains(pipeline) ? followed : changed;
    if (std::none_of(steps.begin(), steps.end(), [&of_interest](const std::string& step) {
          return of_interest.contains(step);
        })) {
      continue;
    }
    absl::Status missing;
    for (const std::string& step : steps) {
      missing.Update(catalog_.FindStep(step, 0).status());
    }
    if (missing.ok()) {
      // What cannot be built over the new load stays on the one before, which it holds.
      Source anew = wanted.source;
      anew.why = "a step of it is served by another load";
      if (LoadVersions(pipeline, anew).changed.empty()) {
        continue;
      }
    } else {
      Withdraw(pipeline, /*but=*/{}, WithContext(missing, fmt::format("pipeline '{}'", pipeline)),
               /*wanted=*/true);
    }
    changed.insert(pipeline);
    followed.insert(pipeline);
  }
}

void ModelRepository::Withdraw(const std::string& name, const std::vector<int64_t>& but,
                               const absl::Status& why, bool wanted) {
  for (const CatalogEntry& entry : catalog_.List()) {
    if (entry.name == name && entry.wanted &&
        std::find(but.begin(), but.end(), entry.version) == but.end()) {
      counters_.unloads.fetch_add(entry.model != nullptr ? 1 : 0, std::memory_order_relaxed);
      catalog_.Withdraw(name, entry.version, why, wanted);
    }
  }
}

bool ModelRepository::IsNeeded(const std::string& step, const std::string& but) const {
  return std::any_of(wanted_.begin(), wanted_.end(), [&](const auto& entry) {
    const std::vector<std::string>& steps = entry.second.source.steps;
    return entry.first != but && std::find(steps.begin(), steps.end(), step) != steps.end();
  });
}

absl::Status ModelRepository::DoDrain(const std::string& name, int64_t version) {
  RETURN_IF_ERROR(WithContext(catalog_.FindStep(name, version).status(),
                              fmt::format("'{}' cannot be drained", name)));
  EndTrials(name);
  if (const auto wanted = wanted_.find(name); wanted != wanted_.end()) {
    wanted->second.drained.insert(version);
    wanted->second.prints.erase(version);
  }
  counters_.unloads.fetch_add(1, std::memory_order_relaxed);
  catalog_.Withdraw(name, version, Unavailable("drained"), /*wanted=*/false);
  FollowSteps({name}, {});
  return absl::OkStatus();
}

absl::Status ModelRepository::DoUnload(const std::string& name, bool parts, const Requester& by) {
  EndTrials(name);
  const auto found = wanted_.find(name);
  std::vector<std::string> steps;
  if (found != wanted_.end()) {
    steps = found->second.source.steps;
    wanted_.erase(found);
  }
  Withdraw(name, /*but=*/{}, UnloadedStatus(), /*wanted=*/false);
  FollowSteps({name}, {});
  for (const std::string& step : steps) {
    const auto part = wanted_.find(step);
    if (parts && part != wanted_.end() && !part->second.by_name && !IsNeeded(step) &&
        by.may_use(step)) {
      DoUnload(step, parts, by).IgnoreError();
    }
  }
  return absl::OkStatus();
}

}  // namespace omserve::server
