// SPDX-License-Identifier: Apache-2.0
// Brings what a source has into a model repository on this machine.
//
//   <repository>/text/config.yaml, <repository>/text/2/model.om   as the source has them
//   <repository>/.omserve-fetch/<source>/parts/                   what is on its way
//                                       /staged/                  what is about to become visible
//                                       /aside, /aside.path       what just gave way, and to what
//                                       /brought                  what was brought
//                              /lock     held by whoever changes what is visible
//
// Nothing becomes visible before the digests of all its files were checked, and then at once, by a
// rename: of a version's folder; of the model's where the model is new; of a file beside the
// versions, after them. Whatever ends the process leaves either what was there or what is new, and
// the next run goes on where this one was. On a file system that cannot exchange two folders at
// once, a version that is replaced may be missing until that next run, which puts it back before
// it asks the source for anything.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "runtime/base/descriptor.h"
#include "runtime/base/pace.h"
#include "runtime/source/brought.h"
#include "runtime/source/digest_cache.h"
#include "runtime/source/mirror_plan.h"
#include "runtime/source/part_store.h"
#include "runtime/source/source.h"

namespace omserve::source {

// What a run has changed.
struct MirrorReport {
  uint64_t fetched_bytes = 0;
  int files = 0;                     // That became visible.
  int versions = 0;                  // Of them, folders of versions.
  std::vector<std::string> removed;  // Versions, models and files that the source has no more.
  // What the source has no more, and which stays: somebody changed it or put something beside it.
  // It counts as theirs from now on.
  std::vector<std::string> left;
};

// Confined to one thread.
class Mirror final {
 public:
  struct Options {
    std::string folder;                 // The repository; made where it is not there.
    uint64_t max_bytes_per_second = 0;  // 0: no limit.
    uint64_t max_file_bytes = uint64_t{1} << 40;
    std::function<void(const FetchProgress&)> progress;  // May be empty.
    // Asked before each change that others can see or the next run goes by; an error ends the run
    // there, as the end of the process would. For tests. May be empty.
    std::function<absl::Status(std::string_view change)> before_change;
    bool exchanges_folders = true;  // False: as on file systems that cannot. For tests.
  };
  // `source` and `clock` outlive it.
  Mirror(Source& source, Options options, Clock& clock);

  // Brings what is new or other, and removes what it brought and the source has no more. Goes on
  // with other models where one fails, unless the source does not answer. A model of which anything
  // failed keeps what it has. Files that were not brought are never touched. Blocks. Errors: the
  // first, with the source in front: kUnavailable, kCancelled; kFailedPrecondition where files of
  // somebody else stand in the way, or another process brings into the same place.
  absl::Status Run(MirrorReport& report, const std::stop_token& stop);

 private:
  void Note(const FetchProgress& progress);
  absl::Status DoRun(MirrorReport& report, const std::stop_token& stop);
  // The folders, and the lock on them.
  absl::Status Open();
  // Until the result goes, no other mirror changes what can be seen in the repository: what was
  // looked at stays so. Blocks for as long as another one looks and renames.
  absl::StatusOr<Descriptor> TakeTurn() const;
  // Errors: kFailedPrecondition where something stands at the unit's place that was not brought.
  absl::Status CheckOurs(const Unit& unit, const std::stop_token& stop);
  // What gave way to something that did not come is put back.
  absl::Status PutBackAside();
  // Also, what was about to become visible when a run ended goes back to the parts.
  absl::Status TakeBackStaged(const std::stop_token& stop);
  absl::Status BringModel(const ModelUnits& model, MirrorReport& report,
                          const std::stop_token& stop);
  absl::Status BringUnit(const Unit& unit, MirrorReport& report, const std::stop_token& stop);
  absl::Status Stage(const Unit& unit, MirrorReport& report, const std::stop_token& stop);
  absl::Status Place(const Unit& unit);
  absl::Status PlaceInTurn(const Unit& unit);
  // All of its files stand there with their digests.
  absl::StatusOr<bool> IsThere(const Unit& unit, const std::stop_token& stop);
  // The first path below `path` that was not brought, or is not as it was brought; "" for none.
  absl::StatusOr<std::string> FindForeign(const std::string& path, const std::stop_token& stop);
  absl::StatusOr<bool> IsOurs(const std::string& path, const std::stop_token& stop);
  // The paths that were brought and that `models` have no more: whole models where nothing else is
  // in them, versions, and files beside them.
  absl::StatusOr<std::set<std::string>> FindGone(const std::vector<ModelUnits>& models,
                                                 const std::set<std::string>& failed,
                                                 const std::stop_token& stop);
  absl::Status RemovePath(const std::string& path, MirrorReport& report,
                          const std::stop_token& stop);
  absl::Status Before(std::string_view change) const;
  std::string InRepository(const std::string& path) const;

  Source& source_;
  const Options options_;
  const std::string state_folder_;
  Pace pace_;
  PartStore parts_;
  Descriptor lock_;  // Held during a run.
  DigestCache digests_;
  std::unique_ptr<Brought> brought_;  // Of this run, as is
  uint64_t fetched_bytes_ = 0;        // this.
};

}  // namespace omserve::source
