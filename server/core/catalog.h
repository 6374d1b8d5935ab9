// SPDX-License-Identifier: Apache-2.0
// What this daemon serves: models by name and version, and those that it does not serve, with why.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "scheduler/step_cache.h"
#include "server/core/model.h"
#include "server/core/model_routes.h"
#include "server/core/version_state.h"

namespace omserve::server {

// One line of the repository's index.
struct CatalogEntry {
  std::string name;
  int64_t version = 0;  // 0: the line is of no one version.
  VersionState state = VersionState::kDiscovered;
  // Of another load that is coming while this one serves.
  std::optional<VersionState> next;
  std::string reason;                  // Of the last transition. For clients: without paths.
  std::chrono::milliseconds since{0};  // When that was, since 1970.
  ModelHandle model;                   // While it is kReady, and then only.
  absl::Status status;                 // Else why it is not served. For clients: without paths.
  bool wanted = true;                  // It is to be served; false once somebody has unloaded it.
  size_t holders = 0;                  // Requests, and pipelines that stand on it.
  bool is_parked = false;              // It was unloaded to make room, until it is asked for.
  bool is_overwritten = false;         // Its file was written into since; as of the last look.
};

// The same files may load at another time: when a device has been recovered, or memory is free.
bool MayPass(const absl::Status& status);

// How often versions of a model came into each state, by VersionState.
using TransitionCounts = std::array<uint64_t, kVersionStates>;

// Thread-safe. Clients read it; the repository's thread alone writes it, and the unloader tells it
// what has gone. Every transition is logged with its reason and counted.
class Catalog final {
 public:
  // `wall_time`: since 1970.
  explicit Catalog(std::chrono::milliseconds (*wall_time)()) : wall_time_(wall_time) {}
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  // The version that `version` names; "" is the highest one served. Errors, in Triton's words:
  // kNotFound for an unknown model or version, kInvalidArgument for a version that is no number,
  // kUnavailable for one that is not served.
  // `version` may be a label of the model. Without it, where traffic is shared out, the share
  // decides: that of `key`, which a client chose, or else of the turn; the first one where a
  // request has neither (kFirst), or where requests to a model that keeps state must not be parted.
  // A share whose version is not served leaves its requests to the others; kUnavailable when none
  // is.
  enum class Turn { kNext, kFirst };
  absl::StatusOr<ModelHandle> Find(const std::string& name, const std::string& version,
                                   std::string_view key = {}, Turn turn = Turn::kFirst) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // Whether any model's traffic is shared out: whether keys have to be looked for.
  bool shares_traffic() const { return shares_traffic_.load(std::memory_order_relaxed); }
  // A model that a step of a pipeline names; `version` 0 or below: the highest one served. Errors:
  // kNotFound, and why it is not served.
  absl::StatusOr<ModelHandle> FindStep(const std::string& name, int64_t version) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // All versions of one model that are served, ascending; empty when there is none.
  std::vector<ModelHandle> Versions(const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);
  // Everything, in the order of name and version.
  std::vector<CatalogEntry> List() const ABSL_LOCKS_EXCLUDED(mu_);

  // Gives back what the caches of pipelines' steps hold of pinned memory.
  void ClearCaches() const ABSL_LOCKS_EXCLUDED(mu_);
  // The most that they hold when this version has been replaced: its own do not count, those of
  // pipelines that it stands on do.
  size_t CachedBytes(const std::string& replaced, int64_t version) const ABSL_LOCKS_EXCLUDED(mu_);
  // What a refused load can be told of who has memory, the largest first; empty when nobody has.
  std::string Holders() const ABSL_LOCKS_EXCLUDED(mu_);

  // Since 1970.
  std::chrono::milliseconds Now() const { return wall_time_(); }
  // By model.
  std::map<std::string, TransitionCounts> Transitions() const ABSL_LOCKS_EXCLUDED(mu_) {
    const MutexLock lock(mu_);
    return transitions_;
  }

  // The model is in the repository and was not asked for.
  void Know(const std::string& name) ABSL_LOCKS_EXCLUDED(mu_);
  // The version is in the repository, and is not asked for, for this reason. Does nothing where
  // there is more to tell of it.
  void PassOver(const std::string& name, int64_t version, const std::string& reason)
      ABSL_LOCKS_EXCLUDED(mu_);
  // A load of it begins, and is verified.
  void Begin(const std::string& name, int64_t version, const std::string& reason)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The load that goes on has come to kLoading or kWarming.
  void Advance(const std::string& name, int64_t version, VersionState to, const std::string& reason)
      ABSL_LOCKS_EXCLUDED(mu_);
  // From now on its version is served by this load. Requires Begin.
  void Serve(ModelHandle model, const std::string& reason) ABSL_LOCKS_EXCLUDED(mu_);
  // The load that began has failed; what serves goes on, and what was parked stays so where the
  // reason may pass. Version 0: the model could not be read; it
  // has this line while none of its versions serves.
  void Fail(const std::string& name, int64_t version, const absl::Status& why)
      ABSL_LOCKS_EXCLUDED(mu_);
  // What serves of it takes no requests any longer. `wanted`: it shall come back. Does nothing
  // where nothing serves, but for `wanted` and, unless it is OK, `why`.
  // How it went: taken away; judged, and told of as failed; or idle, until it is asked for.
  enum class Leaving { kUnloaded, kFailed, kParked };
  void Withdraw(const std::string& name, int64_t version, const absl::Status& why, bool wanted,
                Leaving leaving = Leaving::kUnloaded) ABSL_LOCKS_EXCLUDED(mu_);
  // The load serves again whose place another one of the same version has taken. Requires that one.
  void PutBack(ModelHandle model, const std::string& reason) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether none of it serves, and a version of it was unloaded until it is asked for.
  bool IsParked(const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);
  // Nothing of the load is left.
  void NoteGone(const Model& model) ABSL_LOCKS_EXCLUDED(mu_);
  // The file of this load was written into.
  void NoteOverwritten(const Model& model) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether there is a line of it, served or not.
  bool IsKnown(const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);
  // Where requests to the model go from now on.
  void SetRoutes(const std::string& name, const ModelRoutes& routes) ABSL_LOCKS_EXCLUDED(mu_);
  ModelRoutes Routes(const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);
  // The model is not in the repository any longer. Requires that it was withdrawn.
  void Forget(const std::string& name) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Line {
    VersionState state = VersionState::kDiscovered;
    std::optional<VersionState> next;
    std::string reason;
    std::chrono::milliseconds since{0};
    ModelHandle model;
    absl::Status status;
    bool wanted = true;
    uint64_t draining = 0;                 // The load that kDraining waits for,
    std::weak_ptr<const Model> drained;    // and who holds it.
    Leaving leaving = Leaving::kUnloaded;  // Of what is draining, or has gone.
    bool forgotten = false;                // The line goes with it.
    uint64_t overwritten = 0;              // The load whose file was written into.
  };
  using Lines = std::map<int64_t, Line>;  // By version.

  // Moves the line's load that comes, or else the one that is there.
  void Move(const std::string& name, int64_t version, Line& line, VersionState to,
            const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A model of which no line is left.
  void DropEmpty(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static const Line* Choose(const Lines& lines, int64_t version);
  // As Find has it; null where no share leads to a version that is served.
  static const Line* ChooseShare(const Lines& lines, const ModelRoutes& routes, uint64_t place);
  const ModelRoutes* RoutesOf(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Those of pipelines' steps, but for those that were made for one version.
  std::vector<std::shared_ptr<scheduler::StepCache>> Caches(const std::string& but,
                                                            int64_t but_version) const
      ABSL_LOCKS_EXCLUDED(mu_);

  std::chrono::milliseconds (*const wall_time_)();
  mutable Mutex mu_;
  std::map<std::string, TransitionCounts> transitions_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Lines> models_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, ModelRoutes> routes_ ABSL_GUARDED_BY(mu_);
  mutable uint64_t next_turn_ ABSL_GUARDED_BY(mu_) = 0;
  std::atomic<bool> shares_traffic_{false};  // By itself: who reads it late finds no share.
};

}  // namespace omserve::server
