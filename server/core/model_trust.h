// SPDX-License-Identifier: Apache-2.0
// Which versions may be loaded, as their signatures say, and the keys of files that are sealed.
//
// What is checked is what is used: of a signed version, the files beside the model's own are copied
// to a folder of the load's own while they are checked, and loaded from there; the model's own is
// checked in the memory that it is loaded from. Nothing is used before it was checked.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/omserve/server_config.pb.h"
#include "runtime/registry/model_file.h"
#include "runtime/registry/registry.h"
#include "runtime/sealed/key_ring.h"
#include "runtime/trust/policy.h"
#include "runtime/trust/verifier.h"
#include "server/core/file_overrides.h"

namespace omserve::server {

// Counts by themselves, of which none says anything about another.
struct TrustCounters {
  std::atomic<uint64_t> verified{0};  // Versions whose signature was found good.
  std::atomic<uint64_t> warnings{0};  // Versions that are loaded with no good one.
  std::atomic<uint64_t> refusals{0};  // Versions that are not, for want of one.
};

// Immutable but for its counters; thread-safe.
class ModelTrust final {
 public:
  // Reads keys and certificates; runs the commands that give keys. Errors: kInvalidArgument and
  // kNotFound naming the setting. Blocks.
  static absl::StatusOr<std::unique_ptr<ModelTrust>> Make(
      const RepositoryConfig& config, const std::vector<std::string>& repositories);

  // A version as it may be loaded.
  struct Version {
    // Where its files are: those of the repository or, of a signed version, checked copies.
    registry::ModelFolder folder;
    std::shared_ptr<const OverrideFolder> copies;  // Null where there are none.
    registry::FileProtection protection;           // Of the model's own file.
    std::optional<uint64_t> security_epoch;        // Of a good signature; absent counts as 0.
    bool is_signed = false;                        // Well.
  };
  // `own_file` is the model's own, within the version's folder. Errors: those of the signature,
  // with what failed in front; kPermissionDenied for one of somebody who may not sign the model, or
  // of an epoch below `epoch_floor`. Where the policy only warns, the log is told instead, and the
  // repository's files are what may be loaded. Blocks on the disk.
  absl::StatusOr<Version> Check(const registry::ModelFolder& folder, int64_t version,
                                const std::string& own_file, uint64_t epoch_floor) const;

  // Whether nothing may be loaded from the model's folder that is not signed.
  bool RequiresSignatures(const registry::ModelFolder& folder) const;

  const TrustCounters& counters() const { return counters_; }

 private:
  struct Policy {
    std::string repository;  // Empty: of all that have none of their own.
    trust::TrustPolicy policy;
    std::optional<trust::TrustRoots> roots;  // With warn and require.
  };

  ModelTrust() = default;
  absl::Status AddPolicy(const SignaturePolicyConfig& config,
                         const std::vector<std::string>& repositories);
  // Null: signatures are not looked at.
  const Policy* PolicyOf(const registry::ModelFolder& folder) const;
  absl::StatusOr<Version> CheckSigned(const Policy& policy, const registry::ModelFolder& folder,
                                      int64_t version, const std::string& own_file,
                                      uint64_t epoch_floor) const;

  std::vector<Policy> policies_;
  std::shared_ptr<const sealed::KeyRing> keys_;  // Null: none.
  mutable TrustCounters counters_;
};

// The keys that the settings name. Errors: kInvalidArgument, kNotFound and kUnavailable, naming the
// setting. Blocks: may run commands.
absl::StatusOr<sealed::KeyRing> ReadModelKeys(const RepositoryConfig& config);

}  // namespace omserve::server
