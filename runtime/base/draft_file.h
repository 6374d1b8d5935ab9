// SPDX-License-Identifier: Apache-2.0
// A file that is written beside its place and put there when it is whole: nobody sees half of it,
// and what is given up is removed.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/base/descriptor.h"

namespace omserve {

// Confined to one thread; move-only. Blocks on the disk.
class DraftFile final {
 public:
  // In the folder of `path`, with the rights `mode` less the process's umask. Errors:
  // kInvalidArgument when it cannot be made.
  static absl::StatusOr<DraftFile> Create(const std::string& path, mode_t mode);
  DraftFile(DraftFile&& other) noexcept
      : path_(std::move(other.path_)),
        draft_(std::exchange(other.draft_, std::string())),
        fd_(std::move(other.fd_)) {}
  DraftFile& operator=(DraftFile&& other) = delete;
  DraftFile(const DraftFile&) = delete;
  DraftFile& operator=(const DraftFile&) = delete;
  // Removes what was not committed.
  ~DraftFile();

  int fd() const { return fd_.get(); }
  // Behind what was written before. Errors: kInternal.
  absl::Status Write(std::span<const std::byte> bytes);
  // On disk, and in its place. Errors: kInternal; kFailedPrecondition when there is a file already
  // and `replaces` is false. Call once.
  absl::Status Place(bool replaces);
  // Place, and its name on disk too: until then a machine that stops may come back with what was
  // there before. Errors: as Place; kInternal also where the folder cannot be synced, which not
  // every file system can. Call once.
  absl::Status Commit(bool replaces);

 private:
  DraftFile(std::string path, std::string draft, Descriptor fd)
      : path_(std::move(path)), draft_(std::move(draft)), fd_(std::move(fd)) {}

  std::string path_;
  std::string draft_;  // Empty when there is nothing to remove.
  Descriptor fd_;
};

// The names in the folder that `path` is in, on disk. Errors: kInternal, naming the path.
absl::Status SyncFolderOf(const std::string& path);

}  // namespace omserve
