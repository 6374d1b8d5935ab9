// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/local_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "runtime/base/descriptor.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/base/thread.h"

namespace omserve::source {
namespace {

constexpr size_t kChunkBytes = size_t{256} << 10;
constexpr int64_t kNanosecondsInSecond = 1'000'000'000;

}  // namespace

FileIdentity FileIdentity::Of(const struct stat& info) {
  return {.size_bytes = static_cast<uint64_t>(info.st_size),
          .modified_ns = info.st_mtim.tv_sec * kNanosecondsInSecond + info.st_mtim.tv_nsec,
          .inode = info.st_ino};
}

absl::Status ReadLocalFile(const std::string& path, const Resume& resume, ByteSink& sink,
                           const std::stop_token& stop) {
  // O_NONBLOCK: to open a pipe that stands in a file's place would wait for its writer.
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    return errno == ENOENT ? NotFound("'{}': no such file", path)
                           : InvalidArgument("'{}': cannot be opened: {}", path, ErrnoText());
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return InvalidArgument("'{}': not a regular file", path);
  }
  const FileIdentity file = FileIdentity::Of(info);
  const std::string tag = fmt::format("{}-{}-{}", file.size_bytes, file.modified_ns, file.inode);
  const bool resumes = resume.tag == tag && resume.offset <= file.size_bytes;
  const uint64_t offset = resumes ? resume.offset : 0;
  RETURN_IF_ERROR(sink.Begin({.offset = offset, .tag = tag, .size_bytes = file.size_bytes}));
  std::vector<std::byte> chunk(kChunkBytes);
  for (uint64_t at = offset;;) {
    if (stop.stop_requested()) {
      return Cancelled("'{}': stopped after {} bytes", path, at);
    }
    const ssize_t got = pread(fd.get(), chunk.data(), chunk.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return Unavailable("'{}': cannot be read after {} bytes: {}", path, at, ErrnoText());
    }
    if (got == 0) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(sink.Write(std::span(chunk).first(static_cast<size_t>(got))));
    at += static_cast<uint64_t>(got);
    GiveWay();
  }
}

}  // namespace omserve::source
