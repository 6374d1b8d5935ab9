// SPDX-License-Identifier: Apache-2.0
// Which versions of a model are loaded, and how one is: what may be loaded of it, the load itself,
// and that it serves.
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "runtime/base/errors.h"
#include "server/core/model_repository.h"
#include "server/core/version_policy.h"

namespace omserve::server {
namespace {

// Those that have their file, where any has: others are only just being made.
std::vector<int64_t> Complete(const registry::ModelFolder& folder,
                              const inference::ModelConfig& config) {
  std::vector<int64_t> complete;
  for (const int64_t version : folder.versions) {
    std::error_code ignored;
    if (std::filesystem::exists(
            registry::VersionPath(folder, version, config::CompiledFilename(config)), ignored)) {
      complete.push_back(version);
    }
  }
  return complete.empty() ? folder.versions : complete;
}

}  // namespace

void ModelRepository::KeepLabelled(const std::string& name, const std::vector<int64_t>& on_disk,
                                   std::vector<int64_t>& versions) const {
  for (const auto& [label, version] : catalog_.Routes(name).labels) {
    if (std::binary_search(on_disk.begin(), on_disk.end(), version) &&
        std::find(versions.begin(), versions.end(), version) == versions.end()) {
      versions.push_back(version);
    }
  }
  std::sort(versions.begin(), versions.end());
}

bool ModelRepository::IsUnchanged(const std::string& name, int64_t version,
                                  const std::string& print) const {
  const absl::StatusOr<ModelHandle> served = catalog_.FindStep(name, version);
  if (!served.ok()) {
    return false;
  }
  const std::map<int64_t, std::string>& prints = wanted_.at(name).prints;
  const auto before = prints.find(version);
  if (before != prints.end() && before->second == print && !print.empty()) {
    return true;
  }
  // A file that was written into while its version serves may be half of something, and nobody can
  // go back to what was there: only another one in its place is followed.
  const registry::ModelFile* file = (*served)->file.get();
  return file != nullptr && file->IsOverwritten() && file->IsStillNamed();
}

absl::StatusOr<std::vector<int64_t>> ModelRepository::Selected(const std::string& name,
                                                               const Source& source) {
  std::vector<int64_t> on_disk = source.folder.versions;
  if (!source.is_pipeline()) {
    on_disk = Complete(source.folder, source.config.config);
    const absl::Status incomplete = DropIncomplete(source, on_disk);
    if (!incomplete.ok() && on_disk.empty()) {
      return incomplete;
    }
  } else if (on_disk.empty()) {
    on_disk.push_back(1);  // It has no file of its own, so nobody made it a version folder.
  }
  std::vector<int64_t> usable = on_disk;
  const auto wanted = wanted_.find(name);
  std::erase_if(usable, [&](int64_t version) {
    const bool is_drained = wanted != wanted_.end() && wanted->second.drained.contains(version);
    // Of one that was gone back to, it is the file that is bad, not what serves.
    return is_drained || (WasRolledBack(source, version) && !catalog_.FindStep(name, version).ok());
  });
  ASSIGN_OR_RETURN(
      std::vector<int64_t> versions,
      SelectVersions(source.config.config.version_policy(), usable.empty() ? on_disk : usable));
  if (versions.empty()) {
    return NotFound("model '{}': no version folder; expected '{}/1/{}'", name, name,
                    config::kDefaultModelFilename);
  }
  KeepLabelled(name, on_disk, versions);
  return versions;
}

ModelRepository::Outcome ModelRepository::LoadVersions(const std::string& name,
                                                       const Source& source, Which which) {
  const absl::StatusOr<std::vector<int64_t>> versions = Selected(name, source);
  if (!versions.ok()) {
    catalog_.Fail(name, 0, versions.status());
    counters_.load_failures.fetch_add(1, std::memory_order_relaxed);
    return {.status = versions.status()};
  }
  for (const int64_t version : source.folder.versions) {
    if (WasRolledBack(source, version) && !catalog_.FindStep(name, version).ok() &&
        std::find(versions->begin(), versions->end(), version) == versions->end()) {
      catalog_.PassOver(name, version,
                        "it was rolled back; it is loaded when its files change, or when the model "
                        "is asked for by name");
    }
  }
  std::set<int64_t> before;
  for (const ModelHandle& model : catalog_.Versions(name)) {
    before.insert(model->version);
  }
  absl::Status failure;
  bool any = false;
  bool lost = false;
  bool may_pass = false;
  std::map<int64_t, std::string> prints;
  for (const int64_t version : *versions) {
    // Only files that are looked at from time to time are compared.
    std::string print = options_.mode == ControlMode::kPoll && !source.is_pipeline()
                            ? registry::Fingerprint(source.folder, version).value_or("")
                            : "";
    if (which == Which::kChanged && IsUnchanged(name, version, print)) {
      prints[version] = std::move(print);
      any = true;
      continue;
    }
    const absl::Status loaded = LoadVersion(source, version);
    if (loaded.ok()) {
      prints[version] = std::move(print);
    }
    any = any || loaded.ok();
    may_pass = may_pass || MayPass(loaded);
    lost = lost || (!loaded.ok() && before.contains(version));
    failure.Update(loaded);
  }
  Wanted& wanted = wanted_[name];
  if (!any) {
    if (may_pass) {
      wanted.source.fingerprint.clear();  // The next poll tries again.
    }
    return {.status = failure};
  }
  wanted.has_served = true;
  wanted.has_failed = false;
  wanted.source = source;
  wanted.prints = std::move(prints);
  if (may_pass) {
    wanted.source.fingerprint.clear();  // The next look tries again what has failed.
  }
  WithdrawOthers(name);
  return {.changed = {name}, .status = lost ? failure : absl::OkStatus()};
}

absl::StatusOr<ModelRepository::Trusted> ModelRepository::Trust(const Source& source,
                                                                int64_t version) const {
  Trusted trusted{.config = source.config};
  ASSIGN_OR_RETURN(
      trusted.version,
      trust_.Check(
          {.folder = source.folder,
           .version = version,
           .own_file = source.is_pipeline() ? "" : config::CompiledFilename(source.config.config),
           .has_own_config = source.has_own_config,
           .epoch_floor = state_.Get(source.folder.name).epoch_floor}));
  if (!trusted.version.is_signed) {
    return trusted;
  }
  // What was read before, and by which much has been decided (a pipeline's steps), must be what the
  // checked copies say.
  ASSIGN_OR_RETURN(
      std::optional<config::LoadedModelConfig> read,
      config::LoadModelConfig(trusted.version.folder.path, trusted.version.folder.name));
  trusted.config = std::move(read).value_or(config::LoadedModelConfig());
  if (!google::protobuf::util::MessageDifferencer::Equals(trusted.config.config,
                                                          source.config.config)) {
    return Unavailable("its configuration has changed since it was read; load it again");
  }
  return trusted;
}

absl::StatusOr<std::unique_ptr<LoadedModel>> ModelRepository::MakeLoad(const Source& source,
                                                                       const Trusted& trusted,
                                                                       int64_t version) {
  const registry::ModelFolder& folder = trusted.version.folder;
  if (!source.is_pipeline()) {
    const std::string path = registry::VersionPath(source.folder, version,
                                                   config::CompiledFilename(trusted.config.config));
    registry::FileProtection protection = trusted.version.protection;
    protection.pace = pace_;
    absl::StatusOr<std::shared_ptr<const registry::ModelFile>> file =
        registry::ModelFile::Open(path, protection);
    if (!file.ok()) {
      return WithContext(file.status(), fmt::format("model '{}' version {}", folder.name, version));
    }
    return LoadSubgraphModel(context_, folder, version, trusted.config, *std::move(file),
                             [&](VersionState state, const std::string& reason) {
                               catalog_.Advance(folder.name, version, state, reason);
                             });
  }
  RETURN_IF_ERROR(CheckNoCycle(source));
  catalog_.Advance(folder.name, version, VersionState::kLoading, "its steps are known");
  return LoadPipelineModel(context_, folder, version, trusted.config,
                           catalog_.CachedBytes(folder.name, version),
                           [this](const std::string& model, int64_t wanted) {
                             return catalog_.FindStep(model, wanted);
                           });
}

absl::StatusOr<std::unique_ptr<LoadedModel>> ModelRepository::LoadTrusted(
    const Source& source, int64_t version, std::vector<int64_t>& taken) {
  RETURN_IF_ERROR(CheckComplete(source, version));
  const absl::StatusOr<Trusted> checked = Trust(source, version);
  if (!checked.ok()) {
    return WithContext(checked.status(),
                       fmt::format("model '{}' version {}", source.folder.name, version));
  }
  const Trusted& trusted = *checked;
  bool others_go = context_.unloader.waiting() > 0;
  absl::StatusOr<std::unique_ptr<LoadedModel>> loaded = MakeLoad(source, trusted, version);
  while (loaded.status().code() == absl::StatusCode::kResourceExhausted) {
    // What was just going when this began may have gone meanwhile: then there is more by now.
    const bool have_gone = std::exchange(others_go, false) && context_.unloader.waiting() == 0;
    if (!have_gone && !MakeRoom(source, version, loaded.status(), taken)) {
      break;
    }
    catalog_.Advance(source.folder.name, version, VersionState::kVerifying,
                     "there is more memory: once more");
    loaded = MakeLoad(source, trusted, version);
  }
  RETURN_IF_ERROR(loaded.status());
  (*loaded)->files = trusted.version.copies != nullptr ? trusted.version.copies : source.files;
  if (trusted.version.is_signed) {
    const absl::Status raised = RaiseEpochFloor(source.folder.name, trusted.version.security_epoch);
    if (!raised.ok()) {
      context_.unloader.Discard(*std::move(loaded));
      return raised;
    }
  }
  return loaded;
}

absl::Status ModelRepository::RaiseEpochFloor(const std::string& name, uint64_t epoch) {
  bool is_raised = false;
  absl::Status raised = state_.Change(
      name,
      [&](ModelRecord& record) {
        // The floor may have been raised while the version was loaded.
        RETURN_IF_ERROR(CheckEpoch(epoch, record.epoch_floor));
        is_raised = epoch > record.epoch_floor;
        record.epoch_floor = epoch;
        return absl::OkStatus();
      },
      [](const ModelRecord& /*record*/) {});
  if (!is_raised) {
    return raised;
  }
  audit_.Note({.by = Anybody().who,
               .what = "epoch",
               .model = name,
               .arguments = {{"floor", std::to_string(epoch)}},
               .result = raised});
  return raised;
}

absl::Status ModelRepository::LoadVersion(const Source& source, int64_t version) {
  const std::string& name = source.folder.name;
  catalog_.Begin(name, version, source.why);
  std::string print = PrintOf(source.folder, version);
  std::vector<int64_t> taken;  // What served, and had to go for it.
  absl::StatusOr<std::unique_ptr<LoadedModel>> loaded = LoadTrusted(source, version, taken);
  if (!loaded.ok()) {
    absl::Status why = loaded.status();
    if (why.code() == absl::StatusCode::kResourceExhausted) {
      why = ResourceExhausted("{}{}", MessageOf(why), catalog_.Holders());
    }
    why = ForClients(why, &source);
    counters_.load_failures.fetch_add(1, std::memory_order_relaxed);
    catalog_.Fail(name, version, why);
    Source before = wanted_.at(name).source;
    before.why = fmt::format("version {} could not be loaded in its place", version);
    for (const int64_t gone : taken) {
      LoadVersion(before, gone).IgnoreError();  // Its line tells.
    }
    return why;
  }
  (*loaded)->model.loaded_at = context_.wall_time();
  statistics_.AddModel(name, version);
  counters_.loads.fetch_add(1, std::memory_order_relaxed);
  std::optional<Trial> trial = PrepareTrial(source, version, std::move(print));
  std::string how = source.is_pipeline() ? "built over its steps" : "every gear has run";
  if (trial.has_value()) {
    how += fmt::format(
        "; on probation for {} s beside version {}",
        std::chrono::duration_cast<std::chrono::seconds>(trial->bounds.duration).count(),
        trial->previous->version);
  }
  const ModelHandle model = context_.unloader.Own(*std::move(loaded));
  catalog_.Serve(model, how);
  if (trial.has_value()) {
    BeginTrial(*std::move(trial), *model);
  }
  return absl::OkStatus();
}

}  // namespace omserve::server
