// SPDX-License-Identifier: Apache-2.0
// Tells at once when something changes in folders, where the file system can tell (inotify).
// Network file systems tell only of what this machine does: they have to be looked at from time to
// time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/descriptor.h"
#include "runtime/base/mutex.h"

namespace omserve::registry {

// Thread-safe.
class FolderWatch final {
 public:
  // `on_change` is called on the thread here after each handful of changes, until the result is
  // destroyed. Errors: kUnavailable where the kernel refuses (its limits), or a folder cannot be
  // read.
  static absl::StatusOr<std::unique_ptr<FolderWatch>> Start(const std::vector<std::string>& folders,
                                                            std::function<void()> on_change);
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;
  ~FolderWatch();

  // A file below the folder that somebody has written to and not closed since; empty when there is
  // none. Requires a folder as it was given to Start, or one below it by that name. Blocks on the
  // disk.
  std::string BeingWritten(const std::string& folder) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  FolderWatch(std::vector<std::string> roots, Descriptor events, Descriptor stop,
              std::function<void()> on_change);
  absl::Status AddRoots() ABSL_LOCKS_EXCLUDED(mu_);
  // Beside the models' folders: no model, whatever goes on there.
  bool IsHidden(const std::string& path) const;
  // The folder and those below it.
  absl::Status Add(const std::string& folder) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status AddOne(const std::string& folder) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Forget(const std::string& folder) ABSL_LOCKS_EXCLUDED(mu_);
  void Run();
  bool ReadEvents();
  void NoteFolder(const std::string& path, uint32_t what) ABSL_LOCKS_EXCLUDED(mu_);
  void Note(int watch, uint32_t what, std::string_view name) ABSL_LOCKS_EXCLUDED(mu_);

  const std::vector<std::string> roots_;
  const Descriptor events_;
  const Descriptor stop_;
  const std::function<void()> on_change_;
  bool told_of_limit_ = false;  // Of the thread here.

  mutable Mutex mu_;
  std::map<int, std::string> folders_ ABSL_GUARDED_BY(mu_);  // By watch.
  std::set<std::string> written_ ABSL_GUARDED_BY(mu_);       // Files that are not closed.

  std::jthread thread_;  // Last: joined before what it uses goes.
};

}  // namespace omserve::registry
