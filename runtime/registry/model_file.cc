// SPDX-License-Identifier: Apache-2.0
#include "runtime/registry/model_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "runtime/base/errors.h"

namespace omserve::registry {
namespace {

// What one call reads: the most that Linux takes is a little below 2 GiB.
constexpr size_t kReadBytes = size_t{64} << 20;

std::string ErrnoText() { return std::generic_category().message(errno); }

absl::Status WrittenTo(const std::string& path) {
  return Unavailable(
      "'{}': somebody has written to it since it was opened; copy a new file beside it and rename "
      "that over it, so that nobody sees half of it",
      path);
}

}  // namespace

absl::StatusOr<FileBytes> FileBytes::Allocate(size_t size_bytes) {
  if (size_bytes == 0) {
    return FileBytes(nullptr, 0);
  }
  void* data =
      mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    return ResourceExhausted("no memory for a file of {} bytes: {}", size_bytes, ErrnoText());
  }
  madvise(data, size_bytes, MADV_HUGEPAGE);  // Fewer faults; nothing is lost where it is refused.
  return FileBytes(static_cast<std::byte*>(data), size_bytes);
}

FileBytes::~FileBytes() {
  if (data_ != nullptr) {
    munmap(data_, size_);
  }
}

absl::StatusOr<std::shared_ptr<const ModelFile>> ModelFile::Open(const std::string& path) {
  Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) {
    return errno == ENOENT ? NotFound("'{}': no such file", path)
                           : InvalidArgument("'{}': cannot be opened: {}", path, ErrnoText());
  }
  struct stat opened {};
  if (fstat(fd.get(), &opened) != 0 || !S_ISREG(opened.st_mode)) {
    return InvalidArgument("'{}': not a regular file", path);
  }
  // The constructor is private, which std::make_shared cannot reach.
  return std::shared_ptr<const ModelFile>(new ModelFile(path, std::move(fd), opened));
}

bool ModelFile::IsOverwritten() const {
  struct stat now {};
  if (fstat(fd_.get(), &now) != 0) {
    return false;  // A file system that is away just now says nothing of the file.
  }
  // Not the time of the inode: that changes with each rename and each link.
  return now.st_size != opened_.st_size || now.st_mtim.tv_sec != opened_.st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != opened_.st_mtim.tv_nsec;
}

bool ModelFile::IsStillNamed() const {
  struct stat named {};
  return stat(path_.c_str(), &named) == 0 && named.st_dev == opened_.st_dev &&
         named.st_ino == opened_.st_ino;
}

absl::StatusOr<std::shared_ptr<const FileBytes>> ModelFile::Read() const {
  const MutexLock lock(mu_);
  if (std::shared_ptr<const FileBytes> bytes = bytes_.lock()) {
    return bytes;
  }
  ASSIGN_OR_RETURN(FileBytes bytes, FileBytes::Allocate(size_bytes()));
  const std::span<std::byte> all = bytes.span();
  for (size_t done = 0; done < all.size();) {
    const size_t count = std::min(kReadBytes, all.size() - done);
    const ssize_t got = pread(fd_.get(), all.data() + done, count, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return Unavailable("'{}': read {} of {} bytes: {}", path_, done, all.size(), ErrnoText());
    }
    if (got == 0) {
      break;  // It was cut short.
    }
    done += static_cast<size_t>(got);
  }
  if (IsOverwritten()) {
    return WrittenTo(path_);
  }
  auto shared = std::make_shared<const FileBytes>(std::move(bytes));
  bytes_ = shared;
  return shared;
}

}  // namespace omserve::registry
