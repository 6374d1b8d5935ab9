// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/part_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string_view>

#include "runtime/base/descriptor.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/thread.h"
#include "runtime/source/digest_cache.h"
#include "runtime/source/file_tree.h"

namespace omserve::source {
namespace {

constexpr mode_t kMode = 0644;
constexpr size_t kMostTagBytes = 4096;

}  // namespace

// Appends to a part.
class PartStore::Sink final : public ByteSink {
 public:
  Sink(PartStore& store, const SourceFile& file, std::string tag_path, int fd, uint64_t size,
       const std::stop_token& stop)
      : store_(store),
        file_(file),
        tag_path_(std::move(tag_path)),
        fd_(fd),
        size_(size),
        stop_(stop) {}

  bool resumed() const { return resumed_; }

  absl::Status Begin(const Beginning& beginning) override {
    const std::optional<uint64_t> expected =
        file_.size_bytes.has_value() ? file_.size_bytes : beginning.size_bytes;
    if (beginning.size_bytes.has_value() && beginning.size_bytes != expected) {
      return InvalidArgument("{} bytes, where {} are listed; list and files do not fit",
                             *beginning.size_bytes, *expected);
    }
    most_ = expected.value_or(store_.options_.max_file_bytes);
    if (most_ > store_.options_.max_file_bytes) {
      return InvalidArgument("{} bytes, at most {} are taken", most_,
                             store_.options_.max_file_bytes);
    }
    known_size_ = expected;
    resumed_ = beginning.offset > 0;
    if (beginning.offset != size_) {
      // In this order: bytes of one file must not stand beside the tag of another.
      RETURN_IF_ERROR(Cut());
      if (beginning.offset != 0) {
        return Internal("the source goes on at byte {}, {} are there", beginning.offset, size_);
      }
    }
    return resumed_ ? absl::OkStatus() : WriteFileAtomically(tag_path_, beginning.tag);
  }

  absl::Status Write(std::span<const std::byte> bytes) override {
    if (size_ > most_ || bytes.size() > most_ - size_) {
      return InvalidArgument("more than the {} bytes that were to come", most_);
    }
    if (stop_.stop_requested()) {
      return Cancelled("stopped after {} bytes", size_);
    }
    RETURN_IF_ERROR(store_.pace_.Take(bytes.size(), stop_));
    const uint64_t fetched = bytes.size();
    while (!bytes.empty()) {
      const ssize_t put = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (put < 0 && errno == EINTR) {
        continue;
      }
      if (put <= 0) {
        return put < 0 && errno != ENOSPC && errno != EDQUOT
                   ? Internal("cannot be written after {} bytes: {}", size_, ErrnoText())
                   : ResourceExhausted("no room on the disk after {} bytes; make room below '{}'",
                                       size_, store_.options_.folder);
      }
      size_ += static_cast<uint64_t>(put);
      bytes = bytes.subspan(static_cast<size_t>(put));
      GiveWay();
    }
    if (store_.options_.progress) {
      store_.options_.progress({.file = file_,
                                .done_bytes = size_,
                                .size_bytes = known_size_,
                                .fetched_bytes = fetched});
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Cut() {
    unlink(tag_path_.c_str());
    if (ftruncate(fd_, 0) != 0) {
      return Internal("cannot be begun anew: {}", ErrnoText());
    }
    size_ = 0;
    return absl::OkStatus();
  }

  PartStore& store_;
  const SourceFile& file_;
  const std::string tag_path_;
  const int fd_;
  uint64_t size_;  // Of the part.
  uint64_t most_ = 0;
  std::optional<uint64_t> known_size_;
  bool resumed_ = false;
  const std::stop_token& stop_;
};

std::string PartStore::PathOf(const Digest& digest, const char* suffix) const {
  return fmt::format("{}/{}{}", options_.folder, HexOf(digest), suffix);
}

absl::Status PartStore::Check(const SourceFile& file, const std::string& part,
                              const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const PathState state, StateOf(part));
  ASSIGN_OR_RETURN(const Digest digest, DigestOfFile(part, stop));
  if (digest == file.digest) {
    return absl::OkStatus();
  }
  unlink(PathOf(file.digest, ".tag").c_str());
  unlink(part.c_str());
  return InvalidArgument(
      "SHA-256 of its {} bytes is {}, expected {}; the file or its line in the list is damaged or "
      "old: bring both there anew",
      state.identity.size_bytes, HexOf(digest), HexOf(file.digest));
}

absl::StatusOr<std::string> PartStore::Fetch(Source& source, const SourceFile& file,
                                             const std::stop_token& stop) {
  const std::string whole = PathOf(file.digest);
  ASSIGN_OR_RETURN(const PathState state, StateOf(whole));
  if (state.kind == PathKind::kFile) {
    return whole;
  }
  const std::string part = PathOf(file.digest, ".part");
  const std::string tag_path = PathOf(file.digest, ".tag");
  while (true) {
    const Descriptor fd(open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
    struct stat info {};
    if (fd.get() < 0 || fstat(fd.get(), &info) != 0) {
      return Internal("'{}': cannot be written: {}", part, ErrnoText());
    }
    const auto size = static_cast<uint64_t>(info.st_size);
    Resume resume{.offset = size, .tag = ReadFile(tag_path, kMostTagBytes).value_or("")};
    if (resume.tag.empty()) {
      resume.offset = 0;
    }
    Sink sink(*this, file, tag_path, fd.get(), size, stop);
    RETURN_IF_ERROR(source.Read(file, resume, sink, stop));
    if (fsync(fd.get()) != 0) {
      return Internal("'{}': cannot be synced: {}", part, ErrnoText());
    }
    const absl::Status checked = Check(file, part, stop);
    if (checked.ok()) {
      RETURN_IF_ERROR(MoveTo(part, whole));
      unlink(tag_path.c_str());
      return whole;
    }
    // A machine that stopped may have left a part with holes: all of it is tried once.
    if (!sink.resumed() || !absl::IsInvalidArgument(checked)) {
      return checked;
    }
  }
}

absl::Status PartStore::Adopt(const std::string& path, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const Digest digest, DigestOfFile(path, stop));
  return MoveTo(path, PathOf(digest));
}

absl::Status PartStore::KeepOnly(const std::set<Digest>& digests) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesBelow(options_.folder));
  for (const std::string& name : files) {
    const std::optional<Digest> digest =
        DigestFromHex(std::string_view(name).substr(0, name.find('.')));
    if (!digest.has_value() || !digests.contains(*digest)) {
      RETURN_IF_ERROR(RemoveAll(fmt::format("{}/{}", options_.folder, name)));
    }
  }
  return absl::OkStatus();
}

}  // namespace omserve::source
