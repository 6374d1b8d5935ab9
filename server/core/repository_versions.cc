// SPDX-License-Identifier: Apache-2.0
// How one version is loaded: what may be loaded of it, the load itself, and that it serves.
#include <google/protobuf/util/message_differencer.h>

#include <chrono>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "server/core/model_repository.h"

namespace omserve::server {
namespace {

// How long a load waits for the memory of those that are being unloaded.
constexpr std::chrono::seconds kFreeingGrace{10};

}  // namespace

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
    absl::StatusOr<std::shared_ptr<const registry::ModelFile>> file =
        registry::ModelFile::Open(path, trusted.version.protection);
    if (!file.ok()) {
      return WithContext(file.status(), fmt::format("model '{}' version {}", folder.name, version));
    }
    return LoadSubgraphModel(context_, folder, version, trusted.config, *std::move(file));
  }
  RETURN_IF_ERROR(CheckNoCycle(source));
  return LoadPipelineModel(context_, folder, version, trusted.config,
                           catalog_.CachedBytes(folder.name, version),
                           [this](const std::string& model, int64_t wanted) {
                             return catalog_.FindStep(model, wanted);
                           });
}

absl::StatusOr<std::unique_ptr<LoadedModel>> ModelRepository::LoadTrusted(const Source& source,
                                                                          int64_t version) {
  const absl::StatusOr<Trusted> checked = Trust(source, version);
  if (!checked.ok()) {
    return WithContext(checked.status(),
                       fmt::format("model '{}' version {}", source.folder.name, version));
  }
  const Trusted& trusted = *checked;
  const bool others_go = context_.unloader.waiting() > 0;
  absl::StatusOr<std::unique_ptr<LoadedModel>> loaded = MakeLoad(source, trusted, version);
  if (loaded.status().code() == absl::StatusCode::kResourceExhausted &&
      (others_go || context_.unloader.waiting() > 0)) {
    // What was unloaded a moment ago had the memory that this one needs.
    context_.unloader.AwaitFreed(context_.clock.Now() + kFreeingGrace);
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
  catalog_.Begin(name, version);
  absl::StatusOr<std::unique_ptr<LoadedModel>> loaded = LoadTrusted(source, version);
  if (!loaded.ok()) {
    absl::Status why = loaded.status();
    if (why.code() == absl::StatusCode::kResourceExhausted) {
      why = ResourceExhausted("{}{}", MessageOf(why), catalog_.Holders());
    }
    why = ForClients(why, &source);
    counters_.load_failures.fetch_add(1, std::memory_order_relaxed);
    catalog_.Fail(name, version, why);
    return why;
  }
  (*loaded)->model.loaded_at = context_.wall_time();
  statistics_.AddModel(name, version);
  counters_.loads.fetch_add(1, std::memory_order_relaxed);
  catalog_.Serve(context_.unloader.Own(*std::move(loaded)));
  return absl::OkStatus();
}

}  // namespace omserve::server
