// SPDX-License-Identifier: Apache-2.0
// What the repository's thread does from time to time, and when a folder tells of a change: it
// looks what has become of the models' folders.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "server/core/model_repository.h"

namespace omserve::server {
namespace {

// What was copied is looked at when nothing has happened to it for so long.
constexpr std::chrono::milliseconds kQuiet{200};

}  // namespace

void ModelRepository::Watch() {
  absl::StatusOr<std::unique_ptr<registry::FolderWatch>> watch =
      registry::FolderWatch::Start(options_.folders, [this] {
        const MutexLock lock(mu_);
        quiet_at_ = context_.clock.Now() + kQuiet;
        changed_.NotifyAll();
      });
  if (!watch.ok()) {
    OMSERVE_LOG(kWarning, "catalog", "changes are seen by polling alone error=\"{}\"",
                MessageOf(watch.status()));
    return;
  }
  watch_ = *std::move(watch);
}

void ModelRepository::LookAgain(Clock::time_point at) {
  const MutexLock lock(mu_);
  next_look_ = at;
  quiet_at_ = Clock::time_point::max();
}

Clock::time_point ModelRepository::NextLook() const { return std::min(next_look_, quiet_at_); }

Clock::time_point ModelRepository::NextTask() const { return std::min(NextLook(), next_verdict_); }

void ModelRepository::LookAndJudge() {
  bool is_look_due = false;
  bool is_verdict_due = false;
  {
    const Clock::time_point now = context_.clock.Now();
    const MutexLock lock(mu_);
    is_look_due = now >= NextLook();
    is_verdict_due = now >= next_verdict_;
  }
  if (is_verdict_due) {
    JudgeTrials();
  }
  if (is_look_due) {
    Look();
  }
}

void ModelRepository::Look() {
  const Clock::time_point now = context_.clock.Now();
  // Before: what happens meanwhile is looked at again.
  LookAgain(now + options_.poll_every);
  TellOverwritten();
  if (options_.mode == ControlMode::kPoll && Poll() && watch_ != nullptr) {
    LookAgain(now + std::min<Clock::duration>(kQuiet, options_.poll_every));
  }
}

void ModelRepository::TellOverwritten() {
  std::set<uint64_t> overwritten;
  for (const CatalogEntry& entry : catalog_.List()) {
    if (entry.model == nullptr || entry.model->file == nullptr ||
        !entry.model->file->IsOverwritten()) {
      continue;
    }
    overwritten.insert(entry.model->load);
    catalog_.NoteOverwritten(*entry.model);
    if (!overwritten_.contains(entry.model->load)) {
      OMSERVE_LOG(kWarning, "catalog",
                  "file of a loaded model overwritten name={} version={} load={} path=\"{}\": what "
                  "was loaded serves on; copy a new file beside it and rename that over it",
                  entry.name, entry.version, entry.model->load, entry.model->file->path());
    }
  }
  overwritten_ = std::move(overwritten);
}

bool ModelRepository::IsHeldBack(const registry::ModelFolder& folder) {
  const std::string file = watch_ == nullptr ? "" : watch_->BeingWritten(folder.path);
  std::string& told = held_back_[folder.name];
  if (!file.empty() && told != file) {
    OMSERVE_LOG(kInfo, "catalog", "model not followed yet name={}: \"{}\" is being written",
                folder.name, file);
  }
  told = file;
  return !file.empty();
}

// A folder is followed once two looks have found it the same: one that is being copied changes.
bool ModelRepository::Poll() {
  const absl::StatusOr<std::vector<registry::ModelFolder>> folders =
      registry::ScanRepositories(options_.folders);
  if (!folders.ok()) {
    counters_.poll_failures.fetch_add(1, std::memory_order_relaxed);
    if (!std::exchange(scan_failed_, true)) {
      OMSERVE_LOG(kError, "catalog", "repository not read error=\"{}\"",
                  MessageOf(folders.status()));
    }
    return false;
  }
  scan_failed_ = false;
  bool is_any_moving = false;
  std::vector<registry::ModelFolder> changed;
  std::map<std::string, std::string> seen;
  for (const registry::ModelFolder& folder : *folders) {
    // A model that cannot be read is told of when it is read.
    const std::string now = registry::Fingerprint(folder).value_or("");
    const auto before = seen_.find(folder.name);
    const auto wanted = wanted_.find(folder.name);
    const bool is_still = before != seen_.end() && before->second == now;
    const bool is_new = wanted == wanted_.end() || wanted->second.source.fingerprint != now;
    if (is_new && is_still && !IsHeldBack(folder)) {
      changed.push_back(folder);
    }
    is_any_moving = is_any_moving || (is_new && !is_still);
    if (is_new && wanted == wanted_.end()) {
      catalog_.Know(folder.name);
    }
    seen[folder.name] = now;
  }
  std::vector<std::string> gone;
  for (const auto& [name, wanted] : wanted_) {
    if (seen.find(name) == seen.end()) {
      gone.push_back(name);
    }
  }
  for (const std::string& name : gone) {
    DoUnload(name, /*parts=*/false, Anybody()).IgnoreError();
    catalog_.Forget(name);
    held_back_.erase(name);
  }
  seen_ = std::move(seen);
  LoadAll(changed, "its folder has changed");
  return is_any_moving;
}

}  // namespace omserve::server
