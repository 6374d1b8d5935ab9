// SPDX-License-Identifier: Apache-2.0
// Which models are loaded, and when: at the start, when the repository changes, or when clients
// ask.
//
// Source: Triton's model repository extension and its control modes.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "config/model_config.h"
#include "runtime/acl/shortage.h"
#include "runtime/base/mutex.h"
#include "runtime/registry/folder_watch.h"
#include "runtime/registry/registry.h"
#include "runtime/source/digest_cache.h"
#include "server/core/audit_log.h"
#include "server/core/catalog.h"
#include "server/core/file_overrides.h"
#include "server/core/model_loader.h"
#include "server/core/model_trust.h"
#include "server/core/probation.h"
#include "server/core/registry_state.h"
#include "server/core/statistics.h"

namespace omserve::server {

enum class ControlMode {
  kNone,      // Everything is loaded at the start, and stays.
  kPoll,      // The same, and what changes in the repository is followed.
  kExplicit,  // What is named at the start, and then what clients load and unload.
};

// Counts by themselves, of which none says anything about another.
struct RepositoryCounters {
  std::atomic<uint64_t> loads{0};  // Versions that were loaded and serve, or served.
  std::atomic<uint64_t> load_failures{0};
  std::atomic<uint64_t> unloads{0};   // Versions that were withdrawn.
  std::atomic<uint64_t> refusals{0};  // Requests that the mode, or their parameters, do not allow.
  std::atomic<uint64_t> poll_failures{0};
  std::atomic<uint64_t> rollbacks{0};  // Loads on probation that did worse than those before.
  std::atomic<uint64_t> parked{0};     // Models that were unloaded to make room,
  std::atomic<uint64_t> returned{0};   // and that came back when they were asked for.
};

// Loads one model after the other, on a thread of its own: what serves has the processors, the
// device's memory and the disk for most of the time. While a version is loaded again the one before
// serves, and a load that fails changes nothing; the switch is one pointer in the catalog.
//
// A pipeline stands on the very loads of its steps that it was built with. When one of them is
// loaded again it is built anew beside; when one is unloaded it is withdrawn, and comes back with
// the step. So it goes on with pipelines over pipelines, the inner ones first.
//
// Thread-safe. The references outlive it.
class ModelRepository final {
 public:
  struct Options {
    std::vector<std::string> folders;  // Looked through in order.
    ControlMode mode = ControlMode::kNone;
    // kExplicit: what is loaded at the start; "*" alone: everything.
    std::vector<std::string> load_models;
    // Between two looks at the files; with kPoll at the folders, which tell of changes themselves
    // where they can.
    Clock::duration poll_every = std::chrono::seconds(15);
    uint64_t load_bytes_per_second = 0;  // That are read of models' files; 0: no bound.
    int load_niceness = 0;               // See Yield, of the threads that load.
    // Models without requests for so long may make room for others; 0: none does.
    std::chrono::milliseconds evict_idle{0};
  };
  using Done = std::function<void(absl::Status)>;
  // On whose behalf: named in the log, and confined to the models that they may use.
  struct Requester {
    std::string who;
    std::function<bool(std::string_view model)> may_use;
  };
  static Requester Anybody() {
    return {.who = "omserved", .may_use = [](std::string_view /*model*/) { return true; }};
  }

  // `on_change` is told, on the thread here, when what is served may have changed.
  ModelRepository(const Options& options, const LoadContext& context, Catalog& catalog,
                  Statistics& statistics, const ModelTrust& trust, RegistryState& state,
                  const AuditLog& audit, std::function<void()> on_change);
  ModelRepository(const ModelRepository&) = delete;
  ModelRepository& operator=(const ModelRepository&) = delete;
  ~ModelRepository();

  // Loads what is to serve from the start; a model that fails is listed with its reason, logged,
  // and keeps nobody else from being served. Blocks until all is loaded; called once. Errors: those
  // of registry::ScanRepositories.
  absl::Status LoadInitial() ABSL_LOCKS_EXCLUDED(mu_);

  // Loads the model, or loads it again. Returns at once; `done` runs once, when it serves or when
  // it is known that it does not: on the thread here, or before this returns. Errors, in Triton's
  // words: kUnavailable where the mode does not allow it and at the end of the daemon;
  // kInvalidArgument for names and parameters; kInternal when the model cannot be read or loaded;
  // kPermissionDenied for a configuration of `by` with steps that they may not use.
  void Load(const std::string& name, LoadParameters parameters, const Requester& by, Done done)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The model takes no requests from then on; those that it has go on. With `parts`: also the
  // models that were loaded for this one alone, and that `by` may use. A model that is not loaded
  // is no error.
  void Unload(const std::string& name, bool parts, const Requester& by, Done done)
      ABSL_LOCKS_EXCLUDED(mu_);

  // One version takes no requests from then on, or with version 0 all of the model; it stays away
  // until the model is loaded by name. `done` as with Unload.
  void Drain(const std::string& name, int64_t version, const Requester& by, Done done)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Has a model that was parked (Catalog::IsParked) loaded. Returns at once; `done` as with Load,
  // at once OK for a model that is not parked any longer.
  void Bring(const std::string& name, Done done) ABSL_LOCKS_EXCLUDED(mu_);

  // Waits for the load that goes on; those that wait are answered kUnavailable. kDeadlineExceeded
  // when it has not ended by then, as on a device that does not come back: then this must not be
  // destroyed. Idempotent.
  absl::Status Stop(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);

  const RepositoryCounters& counters() const { return counters_; }
  const TrustCounters& trust_counters() const { return trust_.counters(); }

 private:
  // A model as it was read.
  struct Source {
    registry::ModelFolder folder;
    config::LoadedModelConfig config;
    std::shared_ptr<const OverrideFolder> files;  // Null: it is the repository's.
    std::string fingerprint;                      // Of the folder before it was read, where polled.
    std::vector<std::string> steps;               // The models that a pipeline names; else none.
    bool has_own_config = true;                   // It did not come with a load request.
    std::string why;                              // It is loaded, as the log tells.

    bool is_pipeline() const { return config::IsPipeline(config.config); }
  };
  struct Wanted {
    bool by_name = false;       // It was asked for; else it is a pipeline's part.
    bool has_served = false;    // Some version of it, as `source` has it.
    bool has_failed = false;    // The last load of it: none of its versions is served anew.
    std::set<int64_t> drained;  // Versions that somebody took away by hand.
    std::map<int64_t, std::string> prints;  // Of the files that each version was loaded from.
    // Of the last load that served; as last read where none did, empty when it never could be.
    Source source;
  };
  // What a load came to.
  struct Outcome {
    std::set<std::string> changed;  // The models of which some version is served anew.
    absl::Status status;
    std::vector<std::string> brought;  // Parts that nobody had asked for before.
  };
  // A load that took another one's place, and is watched.
  struct Trial {
    std::string model;
    int64_t version = 1;
    uint64_t load = 0;
    ModelHandle previous;  // Stays loaded meanwhile.
    ProbationBounds bounds;
    Clock::time_point until;
    ServedCounts previous_counts;  // While it served.
    ServedCounts at_start;         // Of the version, before this load.
    std::string print;             // Of the version's files.
  };
  struct Job {
    std::function<absl::Status()> run;
    Done done;
  };

  void Submit(std::function<absl::Status()> run, Done done) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status CheckAllowed(const std::string& name);
  // `done` after a line in the audit log.
  Done Noted(const char* what, const std::string& model,
             std::vector<std::pair<std::string, std::string>> with, const Requester& by, Done done);

  // On the thread here, all of the following.
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // nullopt at the end.
  std::optional<Job> NextJob() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status DoLoadInitial();
  absl::Status DoLoad(const std::string& name, const LoadParameters& parameters,
                      const Requester& by);
  absl::Status DoUnload(const std::string& name, bool parts, const Requester& by);
  absl::Status DoDrain(const std::string& name, int64_t version);
  // Whether something that is wanted, other than `but`, names it as a step.
  bool IsNeeded(const std::string& step, const std::string& but = "") const;
  // repository_looks.cc.
  void Watch();
  void LookAgain(Clock::time_point at) ABSL_LOCKS_EXCLUDED(mu_);
  Clock::time_point NextLook() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Clock::time_point NextTask() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whichever of them is due.
  void LookAndJudge() ABSL_LOCKS_EXCLUDED(mu_);
  void Look() ABSL_LOCKS_EXCLUDED(mu_);
  void TellOverwritten();
  // Whether one of its files is just being written; the log is told of each once.
  bool IsHeldBack(const registry::ModelFolder& folder);
  // Whether something has changed that was not followed yet.
  bool Poll();
  // Those that can be read, compiled models first: pipelines stand on them.
  void LoadAll(const std::vector<registry::ModelFolder>& folders, const std::string& why);
  absl::StatusOr<Source> Read(const registry::ModelFolder& folder, const LoadParameters& parameters,
                              std::string why);
  // A load of it begins.
  void Want(const std::string& name, const Source& source);
  // LoadVersions, after those parts of a pipeline that do not serve, but for the models `tried`,
  // which it adds to: what many pipelines share is tried once. If it fails, the parts that nobody
  // had asked for before are unloaded again. Requires Want.
  Outcome LoadWithParts(const Source& source, std::set<std::string>& tried);
  Outcome LoadPart(const std::string& name, const std::string& pipeline,
                   std::set<std::string>& tried);
  // All versions that the model's policy selects. OK when one or more was loaded and none that
  // served before failed. Requires Want.
  // Those that the policy asks for; kChanged: but for those that serve, and whose files are what
  // they were.
  enum class Which { kAll, kChanged };
  Outcome LoadVersions(const std::string& name, const Source& source, Which which = Which::kAll);
  // Adds the versions that labels lead to, and that there are: whoever asks for them by label must
  // not lose them to a policy that counts.
  void KeepLabelled(const std::string& name, const std::vector<int64_t>& on_disk,
                    std::vector<int64_t>& versions) const;
  bool IsUnchanged(const std::string& name, int64_t version, const std::string& print) const;
  // Those that are to serve, of those that are there: by the policy, and those that labels lead to;
  // not those that were rolled back, unless nothing else is left.
  absl::StatusOr<std::vector<int64_t>> Selected(const std::string& name, const Source& source);
  // repository_complete.cc. Whether all is there that the model's SHA256SUMS lists, where it has
  // one. Errors: those of source::CheckComplete, the model in front.
  absl::Status CheckComplete(const Source& source, int64_t version);
  // Takes out versions that are not, but for those that serve, which then fail to load and go on.
  // The error is that of the last one.
  absl::Status DropIncomplete(const Source& source, std::vector<int64_t>& versions);
  absl::Status LoadVersion(const Source& source, int64_t version);
  // repository_versions.cc. LoadVersion's parts: what may be loaded, the load, and that it serves.
  struct Trusted {
    ModelTrust::Version version;
    config::LoadedModelConfig config;
  };
  absl::StatusOr<Trusted> Trust(const Source& source, int64_t version) const;
  absl::StatusOr<std::unique_ptr<LoadedModel>> MakeLoad(const Source& source,
                                                        const Trusted& trusted, int64_t version);
  // `taken`: what had to go for it, of the model's own versions.
  absl::StatusOr<std::unique_ptr<LoadedModel>> LoadTrusted(const Source& source, int64_t version,
                                                           std::vector<int64_t>& taken);
  // repository_room.cc. For a load that found no memory: waits for what is being freed, takes away
  // what it replaces where that is to go first, or the model that was idle longest, unless it is
  // not a device's memory that is short, or all that are idle have less. False: there is nothing
  // more to be had.
  bool MakeRoom(const Source& source, int64_t version, const absl::Status& refused,
                std::vector<int64_t>& taken);
  std::vector<int64_t> TakeReplaced(const Source& source, int64_t version);
  // The idle models, but for those that `source` needs, the one that was used longest ago first.
  std::vector<std::string> IdleModels(const Source& source) const;
  // Whether it could be enough that all of `models` go.
  bool CanFree(const std::vector<std::string>& models, const acl::Shortage& shortage) const;
  void Park(const std::string& name, const std::string& for_model);
  // A pipeline that is parked does not come back by itself any longer.
  void ReleaseParked(const std::string& name, const std::string& step);
  absl::Status DoBring(const std::string& name);
  // repository_trials.cc.
  // What `version` of the model will be held against, before it serves; nullopt: nothing. `print`:
  // of its files, before they were read.
  std::optional<Trial> PrepareTrial(const Source& source, int64_t version, std::string print) const;
  static std::string PrintOf(const registry::ModelFolder& folder, int64_t version);
  void BeginTrial(Trial trial, const Model& model) ABSL_LOCKS_EXCLUDED(mu_);
  // Of the model, without a verdict.
  void EndTrials(const std::string& name);
  void JudgeTrials() ABSL_LOCKS_EXCLUDED(mu_);
  void RollBack(const Trial& trial, const std::string& why);
  // What the model's policy no longer asks for, once nothing is held against it.
  void WithdrawOthers(const std::string& name);
  ServedCounts CountsOf(const std::string& name, int64_t version) const;
  // Whether the files of this version are those that were rolled back.
  bool WasRolledBack(const Source& source, int64_t version) const;
  // The floor that a version with this epoch sets, on the disk before the version serves.
  absl::Status RaiseEpochFloor(const std::string& name, uint64_t epoch);
  // Errors: kInvalidArgument for a pipeline whose steps, or theirs, lead back to it, with the way.
  absl::Status CheckNoCycle(const Source& source) const;
  // The pipelines among the models that are wanted, each behind those that it names. What was just
  // `read`, by name, stands for what has served so far, which may have been no pipeline.
  std::vector<std::string> PipelinesInOrder(const std::map<std::string, Source>& read) const;
  // The pipelines that name one of the models are built anew or withdrawn, and those that name them
  // in turn. Those in `changed` or `but` were built after what they name: not again, unless one of
  // their steps is.
  void FollowSteps(std::set<std::string> changed, const std::set<std::string>& but);
  static absl::Status UnloadedStatus();
  // All that is wanted of the model, `but` not these versions.
  void Withdraw(const std::string& name, const std::vector<int64_t>& but, const absl::Status& why,
                bool wanted);
  // Without the places of files.
  absl::Status ForClients(const absl::Status& status, const Source* source) const;

  // Constant after construction.
  const Options options_;
  const LoadContext context_;
  Catalog& catalog_;
  Statistics& statistics_;
  const ModelTrust& trust_;
  RegistryState& state_;
  const AuditLog& audit_;
  const std::function<void()> on_change_;

  RepositoryCounters counters_;  // Synchronises itself.
  const std::shared_ptr<Pace> pace_;
  std::stop_source stopping_;  // Synchronises itself; asked to under mu_, which waits go by.

  // Of the thread here.
  std::map<std::string, Wanted> wanted_;
  std::map<std::string, std::string> seen_;       // Fingerprints at the last look, by model.
  bool scan_failed_ = false;                      // The last look at the repository failed.
  std::set<uint64_t> overwritten_;                // Loads whose files were, as the log tells.
  std::map<std::string, std::string> held_back_;  // What is being written, as it tells, by model.
  std::vector<Trial> trials_;
  std::set<std::string> kept_;   // Make no room: steps of what is being loaded.
  source::DigestCache digests_;  // Of files that a SHA256SUMS lists.

  Mutex mu_;
  CondVar changed_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mu_);
  bool busy_ ABSL_GUARDED_BY(mu_) = false;
  Clock::time_point next_look_ ABSL_GUARDED_BY(mu_) = Clock::time_point::max();
  Clock::time_point next_verdict_ ABSL_GUARDED_BY(mu_) = Clock::time_point::max();  // Of trials.
  // A folder has changed: when it is looked at, unless more happens.
  Clock::time_point quiet_at_ ABSL_GUARDED_BY(mu_) = Clock::time_point::max();

  // With kPoll, where the kernel can tell. Constant from the constructor on. Behind what it calls.
  std::unique_ptr<registry::FolderWatch> watch_;
  std::jthread thread_;  // Last: joined before what it uses goes.
};

// Waits for what `start` begins.
absl::Status AwaitDone(const std::function<void(ModelRepository::Done)>& start);

}  // namespace omserve::server
