// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_trust.h"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/trust/folder.h"

namespace omserve::server {
namespace {

using trust::TrustMode;

// Of digests and of decrypting: a load leaves the rest of the machine to requests.
int LoadThreads() {
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency() / 2, 1U, 4U));
}

// Requires "a/b" or a path below it, whatever slashes stand at the end of `repository`.
bool IsBelow(const std::string& path, std::string repository) {
  while (repository.size() > 1 && repository.ends_with('/')) {
    repository.pop_back();
  }
  return path.starts_with(repository + "/");
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
absl::StatusOr<std::shared_ptr<const OverrideFolder>> CopyChecked(
    const trust::Statement& statement, const std::string& folder, int64_t version,
    const std::string& own_name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> scope, trust::ListScope(folder, version));
  RETURN_IF_ERROR(trust::CheckNames(statement, scope));
  std::map<std::string, std::string> files;
  for (const std::string& name : scope) {
    if (name == own_name) {
      continue;
    }
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(fmt::format("{}/{}", folder, name)));
    RETURN_IF_ERROR(trust::CheckFile(statement, name, std::as_bytes(std::span(bytes)),
                                     LoadThreads()));
    files[name] = std::move(bytes);
  }
  ASSIGN_OR_RETURN(std::unique_ptr<OverrideFolder> copies, WriteFiles(files));
  return std::shared_ptr<const OverrideFolder>(std::move(copies));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelTrust>> ModelTrust::Make(
    const RepositoryConfig& config, const std::vector<std::string>& repositories) {
  std::unique_ptr<ModelTrust> trust(new ModelTrust());  // NOLINT: private constructor.
  for (int i = 0; i < config.signatures_size(); ++i) {
    const absl::Status added = trust->AddPolicy(config.signatures(i), repositories);
    if (!added.ok()) {
      return WithContext(added, fmt::format("repository.signatures[{}]", i));
    }
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
  if (!config.repository().empty() &&
      std::find(repositories.begin(), repositories.end(), config.repository()) ==
          repositories.end()) {
    return InvalidArgument("repository '{}' is none of model_repository; write it as there",
                           config.repository());
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
  const Policy* fallback = nullptr;
  for (const Policy& policy : policies_) {
    if (!policy.repository.empty() && IsBelow(folder.path, policy.repository)) {
      return &policy;
    }
    fallback = policy.repository.empty() ? &policy : fallback;
  }
  return fallback;
}

bool ModelTrust::RequiresSignatures(const registry::ModelFolder& folder) const {
  const Policy* policy = PolicyOf(folder);
  return policy != nullptr && policy->policy.mode == TrustMode::kRequire;
}

absl::StatusOr<ModelTrust::Version> ModelTrust::Check(const registry::ModelFolder& folder,
                                                      int64_t version,
                                                      const std::string& own_file,
                                                      uint64_t epoch_floor) const {
  Version unchecked{.folder = folder, .protection = {.keys = keys_, .threads = LoadThreads()}};
  const Policy* policy = PolicyOf(folder);
  if (policy == nullptr || policy->policy.mode == TrustMode::kOff) {
    return unchecked;
  }
  absl::StatusOr<Version> checked = CheckSigned(*policy, folder, version, own_file, epoch_floor);
  if (checked.ok()) {
    counters_.verified.fetch_add(1, std::memory_order_relaxed);
    return checked;
  }
  if (policy->policy.mode == TrustMode::kRequire) {
    counters_.refusals.fetch_add(1, std::memory_order_relaxed);
    return checked;
  }
  counters_.warnings.fetch_add(1, std::memory_order_relaxed);
  OMSERVE_LOG(kWarning, "catalog", "version without a good signature name={} version={} error=\"{}\"",
              folder.name, version, MessageOf(checked.status()));
  return unchecked;
}

absl::StatusOr<ModelTrust::Version> ModelTrust::CheckSigned(const Policy& policy,
                                                            const registry::ModelFolder& folder,
                                                            int64_t version,
                                                            const std::string& own_file,
                                                            uint64_t epoch_floor) const {
  const std::string bundle_path =
      fmt::format("{}/{}", folder.path, trust::BundleNameOf(version));
  const absl::StatusOr<std::string> bundle = ReadFile(bundle_path, trust::kMostBundleBytes);
  if (bundle.status().code() == absl::StatusCode::kNotFound) {
    return MakeStatus(absl::StatusCode::kPermissionDenied,
                      fmt::format("it is not signed: '{}' is missing; sign it with omc sign",
                                  bundle_path));
  }
  RETURN_IF_ERROR(bundle.status());
  ASSIGN_OR_RETURN(trust::SignedStatement signed_statement,
                   trust::VerifyBundle(*bundle, *policy.roots, std::chrono::system_clock::now()));
  RETURN_IF_ERROR(trust::CheckMaySign(policy.policy, signed_statement, folder.name, version));
  const auto statement =
      std::make_shared<const trust::Statement>(std::move(signed_statement.statement));
  const uint64_t epoch = statement->security_epoch.value_or(0);
  if (epoch < epoch_floor) {
    return MakeStatus(absl::StatusCode::kPermissionDenied,
                      fmt::format("its security epoch is {}, and this daemon has served {}: older "
                                  "versions were taken back; omctl epoch lowers the floor",
                                  epoch, epoch_floor));
  }
  const std::string own_name = fmt::format("{}/{}", version, own_file);
  ASSIGN_OR_RETURN(std::shared_ptr<const OverrideFolder> copies,
                   CopyChecked(*statement, folder.path, version, own_name));
  OMSERVE_LOG(kInfo, "catalog", "signature good name={} version={} epoch={} signer=\"{}\"",
              folder.name, version, epoch, signed_statement.signer.Text());
  Version checked{.folder = folder,
                  .copies = std::move(copies),
                  .protection = {.statement = statement,
                                 .name = own_name,
                                 .keys = keys_,
                                 .threads = LoadThreads()},
                  .security_epoch = epoch,
                  .is_signed = true};
  checked.folder.path = checked.copies->path();
  return checked;
}

}  // namespace omserve::server
