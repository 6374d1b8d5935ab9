// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_trust.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/path_below.h"
#include "runtime/trust/bundle.h"
#include "runtime/trust/folder.h"

namespace omserve::server {
namespace {

using trust::TrustMode;

// Of digests and of decrypting: a load leaves the rest of the machine to requests.
int LoadThreads() {
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency() / 2, 1U, 4U));
}

// As a model's folder begins, whatever slashes stand at the end of a repository's path.
std::string_view WithoutSlashes(std::string_view repository) {
  while (repository.size() > 1 && repository.ends_with('/')) {
    repository.remove_suffix(1);
  }
  return repository;
}

absl::StatusOr<std::string> ReadIfNamed(const std::string& path) {
  return path.empty() ? absl::StatusOr<std::string>(std::string()) : ReadFile(path);
}

absl::StatusOr<trust::TrustRoots> ReadRoots(const SignaturePolicyConfig& config) {
  trust::TrustRoots::Texts texts;
  ASSIGN_OR_RETURN(texts.public_keys, ReadIfNamed(config.public_keys_file()));
  ASSIGN_OR_RETURN(texts.certificates, ReadIfNamed(config.ca_file()));
  return trust::TrustRoots::Create(texts);
}

// The files of a signed version but for the model's own, each checked in the memory that its copy
// is written from. What has to be there is known: the names are those that are signed.
absl::StatusOr<std::shared_ptr<const OverrideFolder>> CopyChecked(const trust::Statement& statement,
                                                                  const std::string& folder,
                                                                  int64_t version,
                                                                  const std::string& own_name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> scope, trust::ListScope(folder, version));
  RETURN_IF_ERROR(trust::CheckNames(statement, scope));
  std::map<std::string, std::string> files;
  for (const std::string& name : scope) {
    if (name == own_name) {
      continue;
    }
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(fmt::format("{}/{}", folder, name)));
    RETURN_IF_ERROR(
        trust::CheckFile(statement, name, std::as_bytes(std::span(bytes)), LoadThreads()));
    files[name] = std::move(bytes);
  }
  ASSIGN_OR_RETURN(std::unique_ptr<OverrideFolder> copies, WriteFiles(files));
  return std::shared_ptr<const OverrideFolder>(std::move(copies));
}

template <typename... Args>
absl::Status Denied(fmt::format_string<Args...> text, Args&&... args) {
  return MakeStatus(absl::StatusCode::kPermissionDenied,
                    fmt::format(text, std::forward<Args>(args)...));
}

// Counts and tells what became of a version's signature; then what counts of that. `signer` is told
// where it is good.
absl::Status Conclude(TrustCounters& counters, const ModelTrust::Question& question, TrustMode mode,
                      const std::string& signer, const absl::Status& checked) {
  if (checked.ok()) {
    counters.verified.fetch_add(1, std::memory_order_relaxed);
    OMSERVE_LOG(kInfo, "catalog", "signature good name={} version={} signer=\"{}\"",
                question.folder.name, question.version, signer);
    return checked;
  }
  if (mode == TrustMode::kRequire) {
    counters.refusals.fetch_add(1, std::memory_order_relaxed);
    return checked;
  }
  counters.warnings.fetch_add(1, std::memory_order_relaxed);
  OMSERVE_LOG(kWarning, "catalog",
              "version without a good signature name={} version={} error=\"{}\"",
              question.folder.name, question.version, MessageOf(checked));
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckEpoch(uint64_t epoch, uint64_t floor) {
  if (epoch < floor) {
    return Denied(
        "its security epoch is {}, and the floor is {}: versions of a lower one were taken back; "
        "omctl epoch shows and sets it",
        epoch, floor);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ModelTrust>> ModelTrust::Make(
    const RepositoryConfig& config, const std::vector<std::string>& repositories,
    WallTime wall_time) {
  std::unique_ptr<ModelTrust> trust(new ModelTrust());  // NOLINT: private constructor.
  trust->repositories_ = repositories;
  trust->wall_time_ = std::move(wall_time);
  for (int i = 0; i < config.signatures_size(); ++i) {
    const absl::Status added = trust->AddPolicy(config.signatures(i), repositories);
    if (!added.ok()) {
      return WithContext(added, fmt::format("repository.signatures[{}]", i));
    }
  }
  const bool requires_any =
      std::any_of(trust->policies_.begin(), trust->policies_.end(),
                  [](const Policy& policy) { return policy.policy.mode == TrustMode::kRequire; });
  if (requires_any && config.state_file().empty()) {
    OMSERVE_LOG(kWarning, "catalog",
                "signatures are required and repository.state_file is not set: security epochs are "
                "forgotten when the daemon ends");
  }
  ASSIGN_OR_RETURN(sealed::KeyRing keys, ReadModelKeys(config));
  if (!keys.empty()) {
    OMSERVE_LOG(kInfo, "catalog", "keys of sealed models: {}", keys.ToText());
    trust->keys_ = std::make_shared<const sealed::KeyRing>(std::move(keys));
  }
  return trust;
}

absl::Status ModelTrust::AddPolicy(const SignaturePolicyConfig& config,
                                   const std::vector<std::string>& repositories) {
  const std::optional<TrustMode> mode = trust::TrustModeFromName(config.mode());
  if (!mode.has_value()) {
    return InvalidArgument("mode '{}': expected off, warn or require", config.mode());
  }
  if (!config.repository().empty() && std::find(repositories.begin(), repositories.end(),
                                                config.repository()) == repositories.end()) {
    return InvalidArgument("repository '{}' is none of model_repository; write it as there",
                           config.repository());
  }
  for (const Policy& other : policies_) {
    if (other.repository == config.repository()) {
      return InvalidArgument("a second entry for {}; join them",
                             config.repository().empty()
                                 ? "all repositories"
                                 : fmt::format("repository '{}'", config.repository()));
    }
  }
  Policy policy{.repository = config.repository(), .policy = {.mode = *mode}};
  if (*mode != TrustMode::kOff) {
    absl::StatusOr<trust::TrustRoots> roots = ReadRoots(config);
    if (!roots.ok()) {
      return WithContext(roots.status(), "public_keys_file, ca_file");
    }
    policy.roots = *std::move(roots);
  }
  for (const SignerConfig& signer : config.signers()) {
    policy.policy.signers.push_back({.identity = signer.identity(),
                                     .key_fingerprint = signer.key_fingerprint(),
                                     .models = {signer.models().begin(), signer.models().end()}});
  }
  RETURN_IF_ERROR(policy.policy.Validate());
  policies_.push_back(std::move(policy));
  return absl::OkStatus();
}

const ModelTrust::Policy* ModelTrust::PolicyOf(const registry::ModelFolder& folder) const {
  const std::string* repository = nullptr;  // The innermost: one may lie in another.
  for (const std::string& path : repositories_) {
    if (IsBelow(folder.path, WithoutSlashes(path)) &&
        (repository == nullptr || path.size() > repository->size())) {
      repository = &path;
    }
  }
  const Policy* found = nullptr;
  for (const Policy& policy : policies_) {
    if (repository == nullptr) {
      // Files that came with a request: whoever may bring them is not whoever may sign.
      found = found == nullptr || policy.policy.mode > found->policy.mode ? &policy : found;
    } else if (policy.repository == *repository) {
      return &policy;
    } else if (policy.repository.empty()) {
      found = &policy;
    }
  }
  return found;
}

absl::StatusOr<ModelTrust::Version> ModelTrust::Check(const Question& question) const {
  Version unchecked{.folder = question.folder,
                    .protection = {.keys = keys_, .threads = LoadThreads()}};
  const Policy* policy = PolicyOf(question.folder);
  if (policy == nullptr || policy->policy.mode == TrustMode::kOff) {
    return unchecked;
  }
  const TrustMode mode = policy->policy.mode;
  absl::StatusOr<Version> checked = CheckSigned(*policy, question);
  if (!checked.ok() || question.own_file.empty()) {
    const absl::Status verdict =
        Conclude(*counters_, question, mode, checked.ok() ? checked->signer : "", checked.status());
    RETURN_IF_ERROR(verdict);
    return checked.ok() ? *std::move(checked) : unchecked;
  }
  // The rest is known when the model's own file was read; it may be read again for a lost device.
  checked->protection.verdict =
      [counters = counters_, question, mode, signer = checked->signer,
       told = std::make_shared<std::atomic<bool>>(false)](const absl::Status& own) {
        return told->exchange(true) ? (mode == TrustMode::kWarn ? absl::OkStatus() : own)
                                    : Conclude(*counters, question, mode, signer, own);
      };
  return checked;
}

absl::StatusOr<ModelTrust::Report> ModelTrust::Examine(const Question& question) const {
  const Policy* policy = PolicyOf(question.folder);
  if (policy == nullptr || !policy->roots.has_value()) {
    return FailedPrecondition(
        "no signatures are asked of its repository, so nobody is trusted to sign: see "
        "repository.signatures");
  }
  ASSIGN_OR_RETURN(const Version checked, CheckSigned(*policy, question));
  std::set<std::string_view> files;  // Each may be in several shards.
  for (const trust::Resource& resource : checked.protection.statement->resources) {
    files.insert(resource.name);
  }
  Report report{
      .signer = checked.signer, .security_epoch = checked.security_epoch, .files = files.size()};
  if (!question.own_file.empty()) {
    const std::string path =
        registry::VersionPath(question.folder, question.version, question.own_file);
    ASSIGN_OR_RETURN(const std::shared_ptr<const registry::ModelFile> file,
                     registry::ModelFile::Open(path, checked.protection));
    ASSIGN_OR_RETURN(const std::shared_ptr<const registry::FileBytes> bytes, file->Read());
    report.size_bytes = bytes->span().size();
  }
  return report;
}

absl::StatusOr<ModelTrust::Version> ModelTrust::CheckSigned(const Policy& policy,
                                                            const Question& question) const {
  const registry::ModelFolder& folder = question.folder;
  const std::string bundle_path =
      fmt::format("{}/{}", folder.path, trust::BundleNameOf(question.version));
  const absl::StatusOr<std::string> bundle = ReadFile(bundle_path, trust::kMostBundleBytes);
  if (bundle.status().code() == absl::StatusCode::kNotFound) {
    return Denied("it is not signed: '{}' is missing; sign it with omc sign", bundle_path);
  }
  RETURN_IF_ERROR(bundle.status());
  if (!question.has_own_config) {
    return Denied("its configuration came with the request, and nobody has signed that");
  }
  const std::chrono::system_clock::time_point now(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(wall_time_()));
  ASSIGN_OR_RETURN(trust::SignedStatement signed_statement,
                   trust::VerifyBundle(*bundle, *policy.roots, now));
  RETURN_IF_ERROR(
      trust::CheckMaySign(policy.policy, signed_statement, folder.name, question.version));
  const auto statement =
      std::make_shared<const trust::Statement>(std::move(signed_statement.statement));
  const uint64_t epoch = statement->security_epoch.value_or(0);
  RETURN_IF_ERROR(CheckEpoch(epoch, question.epoch_floor));
  const std::string own_name =
      question.own_file.empty() ? "" : fmt::format("{}/{}", question.version, question.own_file);
  ASSIGN_OR_RETURN(std::shared_ptr<const OverrideFolder> copies,
                   CopyChecked(*statement, folder.path, question.version, own_name));
  Version checked{.folder = folder,
                  .copies = std::move(copies),
                  .protection = {.statement = statement,
                                 .name = own_name,
                                 .keys = keys_,
                                 .threads = LoadThreads()},
                  .security_epoch = epoch,
                  .is_signed = true,
                  .signer = signed_statement.signer.Text()};
  checked.folder.path = checked.copies->path();
  return checked;
}

}  // namespace omserve::server
