// SPDX-License-Identifier: Apache-2.0
// Files below folders: what there is, and changes that survive the end of the machine. Internal to
// runtime/source. All block on the disk.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/source/local_file.h"

namespace omserve::source {

// What stands at a path, without following a link there.
enum class PathKind { kAbsent, kFile, kFolder, kOther };
struct PathState {
  PathKind kind = PathKind::kAbsent;
  FileIdentity identity;  // Of a file.
};
// Errors: kInternal.
absl::StatusOr<PathState> StateOf(const std::string& path);

// All that is no folder below `folder`, hidden files too, by paths relative to it; or "" where it
// is a file itself. Links are not followed. Errors: kInternal.
absl::StatusOr<std::vector<std::string>> FilesBelow(const std::string& folder);

// With all folders above it. Errors: kInternal.
absl::Status MakeFolder(const std::string& path);

// The names in each folder from `path` down. Errors: kInternal.
absl::Status SyncFolders(const std::string& path);

// A file or folder to a place where there is nothing, or a file over a file. Its folder is synced.
// Errors: kInternal; kFailedPrecondition where a folder stands there.
absl::Status MoveTo(const std::string& from, const std::string& to);

// Two folders change places at once, and `to`'s folder is synced. False: the file system cannot.
// Errors: kInternal.
absl::StatusOr<bool> Exchange(const std::string& from, const std::string& to);

absl::Status RemoveAll(const std::string& path);

}  // namespace omserve::source
