// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/file_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "runtime/base/descriptor.h"
#include "runtime/base/draft_file.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"

namespace omserve::source {
namespace {

namespace fs = std::filesystem;

absl::Status SyncFolder(const std::string& folder) {
  const Descriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Not every file system can sync a folder (EINVAL); what it does then is the best there is.
  if (fd.get() < 0 || (fsync(fd.get()) != 0 && errno != EINVAL)) {
    return Internal("'{}': the folder cannot be synced: {}", folder, ErrnoText());
  }
  return absl::OkStatus();
}

std::string ParentOf(const std::string& path) { return fs::path(path).parent_path().string(); }

}  // namespace

absl::StatusOr<PathState> StateOf(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT || errno == ENOTDIR
               ? absl::StatusOr<PathState>(PathState{})
               : Internal("'{}': cannot be looked at: {}", path, ErrnoText());
  }
  if (S_ISREG(info.st_mode)) {
    return PathState{.kind = PathKind::kFile, .identity = FileIdentity::Of(info)};
  }
  return PathState{.kind = S_ISDIR(info.st_mode) ? PathKind::kFolder : PathKind::kOther};
}

absl::StatusOr<std::vector<std::string>> FilesBelow(const std::string& folder) {
  std::error_code error;
  if (fs::symlink_status(folder, error).type() != fs::file_type::directory) {
    return std::vector<std::string>{""};
  }
  std::vector<std::string> files;
  fs::recursive_directory_iterator entry(folder, error);
  while (!error && entry != fs::recursive_directory_iterator()) {
    const bool is_folder = entry->symlink_status(error).type() == fs::file_type::directory;
    if (!error && !is_folder) {
      files.push_back(entry->path().string().substr(folder.size() + 1));
    }
    if (!error) {
      entry.increment(error);
    }
  }
  if (error) {
    return Internal("'{}': cannot be read: {}", folder, error.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? Internal("'{}': the folder cannot be made: {}", path, error.message())
               : absl::OkStatus();
}

absl::Status SyncFolders(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return absl::OkStatus();
  }
  fs::recursive_directory_iterator entry(path, error);
  while (!error && entry != fs::recursive_directory_iterator()) {
    if (entry->is_directory(error)) {
      RETURN_IF_ERROR(SyncFolder(entry->path().string()));
    }
    entry.increment(error);
  }
  return error ? Internal("'{}': cannot be read: {}", path, error.message()) : SyncFolder(path);
}

absl::Status MoveTo(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    return errno == EEXIST || errno == ENOTEMPTY || errno == EISDIR || errno == ENOTDIR
               ? FailedPrecondition("'{}': something else stands there already", to)
               : Internal("'{}' cannot be renamed to '{}': {}", from, to, ErrnoText());
  }
  return SyncFolder(ParentOf(to));
}

absl::StatusOr<bool> Exchange(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    RETURN_IF_ERROR(SyncFolder(ParentOf(to)));
    return true;
  }
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) {
    return Internal("'{}' cannot take the place of '{}': {}", from, to, ErrnoText());
  }
  return false;
}

absl::Status RemoveAll(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? Internal("'{}': cannot be removed: {}", path, error.message()) : absl::OkStatus();
}

}  // namespace omserve::source
