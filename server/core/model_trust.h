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
#include <functional>
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
  using WallTime = std::function<std::chrono::nanoseconds()>;  // Since 1970.
  static absl::StatusOr<std::unique_ptr<ModelTrust>> Make(
      const RepositoryConfig& config, const std::vector<std::string>& repositories,
      WallTime wall_time);

  // A version as it may be loaded.
  struct Version {
    // Where its files are: those of the repository or, of a signed version, checked copies.
    registry::ModelFolder folder;
    std::shared_ptr<const OverrideFolder> copies;  // Null where there are none.
    registry::FileProtection protection;           // Of the model's own file.
    uint64_t security_epoch = 0;                   // Of a good signature; 0 where it says none.
    bool is_signed = false;                        // Well, so far as the files are that were read.
    std::string signer;                            // Who it was, for messages.
  };
  struct Question {
    registry::ModelFolder folder;
    int64_t version = 1;
    std::string own_file;        // The model's own, within the version's folder; empty: none.
    bool has_own_config = true;  // Its configuration is a file of its folder.
    uint64_t epoch_floor = 0;
  };
  // Errors: those of the signature, with what failed in front; kPermissionDenied for one of
  // somebody who may not sign the model, or of an epoch below the floor, and for a configuration
  // that came with a request. Where the policy only warns, the log is told instead, and the
  // repository's files are what may be loaded. The model's own file is checked when it is read, and
  // follows the same policy. Blocks on the disk.
  absl::StatusOr<Version> Check(const Question& question) const;

  // What became of one version's files, whatever the policy makes of it.
  struct Report {
    std::string signer;
    uint64_t security_epoch = 0;
    size_t files = 0;       // That the signature speaks for.
    size_t size_bytes = 0;  // Of the model's own file, as it is loaded; 0: it has none.
  };
  // Checks all of them, the model's own among them. Errors: those of Check; kFailedPrecondition
  // where no signatures are asked of its repository. Blocks as loading it does.
  absl::StatusOr<Report> Examine(const Question& question) const;

  const TrustCounters& counters() const { return *counters_; }

 private:
  struct Policy {
    std::string repository;  // Empty: of all that have none of their own.
    trust::TrustPolicy policy;
    std::optional<trust::TrustRoots> roots;  // With warn and require.
  };

  ModelTrust() = default;
  absl::Status AddPolicy(const SignaturePolicyConfig& config,
                         const std::vector<std::string>& repositories);
  // That of its repository; the strictest of a folder that is in none. Null: there is none.
  const Policy* PolicyOf(const registry::ModelFolder& folder) const;
  absl::StatusOr<Version> CheckSigned(const Policy& policy, const Question& question) const;
  WallTime wall_time_;
  std::vector<std::string> repositories_;
  std::vector<Policy> policies_;
  std::shared_ptr<const sealed::KeyRing> keys_;  // Null: none.
  std::shared_ptr<TrustCounters> counters_ = std::make_shared<TrustCounters>();
};

// Errors: kPermissionDenied for an epoch below the floor.
absl::Status CheckEpoch(uint64_t epoch, uint64_t floor);

// The keys that the settings name. Errors: kInvalidArgument, kNotFound and kUnavailable, naming the
// setting. Blocks: may run commands.
absl::StatusOr<sealed::KeyRing> ReadModelKeys(const RepositoryConfig& config);

}  // namespace omserve::server
