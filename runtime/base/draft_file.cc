// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/draft_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"

namespace omserve {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

absl::StatusOr<DraftFile> DraftFile::Create(const std::string& path, mode_t mode) {
  uint64_t number = 0;  // So that two runs do not meet, nor one with what another left behind.
  if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
    return Internal("'{}': no random number for a draft beside it: {}", path, ErrnoText());
  }
  std::string draft = fmt::format("{}.{:016x}.tmp", path, number);
  Descriptor fd(open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (fd.get() < 0) {
    return InvalidArgument("'{}': cannot be written: {}", draft, ErrnoText());
  }
  return DraftFile(path, std::move(draft), std::move(fd));
}

DraftFile::~DraftFile() {
  if (!draft_.empty()) {
    unlink(draft_.c_str());
  }
}

absl::Status DraftFile::Write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd_.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return Internal("'{}': write failed: {}", draft_, ErrnoText());
    }
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

absl::Status DraftFile::Place(bool replaces) {
  if (fsync(fd_.get()) != 0) {
    return Internal("'{}': cannot be synced: {}", draft_, ErrnoText());
  }
  if (replaces) {
    if (std::rename(draft_.c_str(), path_.c_str()) != 0) {
      return Internal("'{}': cannot be put in place: {}", path_, ErrnoText());
    }
    draft_.clear();
    return absl::OkStatus();
  }
  // A second name for it, which fails where there is a file: to look and then to rename would
  // replace one that came in between. The draft's own name is removed with this object.
  if (link(draft_.c_str(), path_.c_str()) != 0) {
    return errno == EEXIST
               ? FailedPrecondition(
                     "'{}': is there already; remove it, or say that it may be replaced", path_)
               : Internal("'{}': cannot be put in place: {}", path_, ErrnoText());
  }
  unlink(draft_.c_str());
  draft_.clear();
  return absl::OkStatus();
}

absl::Status SyncFolderOf(const std::string& path) {
  const Descriptor folder(open(FolderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.get() >= 0 && fsync(folder.get()) == 0
             ? absl::OkStatus()
             : Internal("'{}': in place, but its folder cannot be synced: {}", path, ErrnoText());
}

absl::Status DraftFile::Commit(bool replaces) {
  RETURN_IF_ERROR(Place(replaces));
  return SyncFolderOf(path_);
}

}  // namespace omserve
