// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "runtime/base/descriptor.h"
#include "runtime/base/draft_file.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"

namespace omserve {
namespace {

absl::StatusOr<size_t> RegularFileSize(int fd, const std::string& path) {
  if (fd < 0) {
    return errno == ENOENT ? NotFound("'{}': no such file", path)
                           : InvalidArgument("'{}': cannot be opened: {}", path, ErrnoText());
  }
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return InvalidArgument("'{}': not a regular file", path);
  }
  return static_cast<size_t>(info.st_size);
}

}  // namespace

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSIGN_OR_RETURN(const size_t size_bytes, RegularFileSize(fd.get(), path));
  if (size_bytes == 0) {
    return MappedFile(nullptr, 0);
  }
  void* data = mmap(nullptr, size_bytes, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) {
    return Internal("'{}': cannot be mapped: {}", path, ErrnoText());
  }
  return MappedFile(static_cast<const std::byte*>(data), size_bytes);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    munmap(const_cast<std::byte*>(data_), size_bytes_);  // NOLINT: munmap takes no const.
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit_bytes) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSIGN_OR_RETURN(const size_t size_bytes, RegularFileSize(fd.get(), path));
  if (size_bytes > limit_bytes) {
    return InvalidArgument("'{}': {} bytes, at most {} are read", path, size_bytes, limit_bytes);
  }
  std::string contents(size_bytes, '\0');
  size_t done = 0;
  while (done < size_bytes) {
    const ssize_t got = read(fd.get(), contents.data() + done, size_bytes - done);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return InvalidArgument("'{}': read {} of {} bytes: {}", path, done, size_bytes, ErrnoText());
    }
    done += static_cast<size_t>(got);
  }
  return contents;
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view contents) {
  ASSIGN_OR_RETURN(DraftFile draft, DraftFile::Create(path, 0644));
  RETURN_IF_ERROR(draft.Write(std::as_bytes(std::span(contents))));
  RETURN_IF_ERROR(draft.Place(/*replaces=*/true));
  // Not every file system can; what it does then is the best there is.
  SyncFolderOf(path).IgnoreError();
  return absl::OkStatus();
}

}  // namespace omserve
