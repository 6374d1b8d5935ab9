// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/digest_cache.h"

#include <sys/stat.h>

#include <cerrno>

#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/source/local_file.h"

namespace omserve::source {
namespace {

constexpr size_t kMostKnown = 65'536;
constexpr int64_t kNanosecondsInSecond = 1'000'000'000;

class DigestSink final : public ByteSink {
 public:
  DigestSink(Pace* pace, const std::stop_token& stop) : pace_(pace), stop_(stop) {}
  absl::Status Begin(const Beginning& /*beginning*/) override { return absl::OkStatus(); }
  absl::Status Write(std::span<const std::byte> bytes) override {
    digester_.Update(bytes);
    return pace_ == nullptr ? absl::OkStatus() : pace_->Take(bytes.size(), stop_);
  }
  Digest Finish() { return digester_.Finish(); }

 private:
  Pace* const pace_;
  const std::stop_token& stop_;
  Digester digester_;
};

}  // namespace

absl::StatusOr<Digest> DigestOfFile(const std::string& path, const std::stop_token& stop,
                                    Pace* pace) {
  DigestSink sink(pace, stop);
  RETURN_IF_ERROR(ReadLocalFile(path, {}, sink, stop));
  return sink.Finish();
}

absl::StatusOr<Digest> DigestCache::Of(const std::string& path, const std::stop_token& stop,
                                       Pace* pace) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return errno == ENOENT || errno == ENOTDIR
               ? NotFound("'{}': no such file", path)
               : InvalidArgument("'{}': cannot be looked at: {}", path, ErrnoText());
  }
  const FileIdentity identity = FileIdentity::Of(info);
  const int64_t changed_ns = info.st_ctim.tv_sec * kNanosecondsInSecond + info.st_ctim.tv_nsec;
  const auto known = known_.find(path);
  if (known != known_.end() && known->second.size_bytes == identity.size_bytes &&
      known->second.inode == identity.inode && known->second.modified_ns == identity.modified_ns &&
      known->second.changed_ns == changed_ns) {
    return known->second.digest;
  }
  ASSIGN_OR_RETURN(const Digest digest, DigestOfFile(path, stop, pace));
  if (known_.size() >= kMostKnown) {
    known_.clear();
  }
  known_[path] = {.size_bytes = identity.size_bytes,
                  .inode = identity.inode,
                  .modified_ns = identity.modified_ns,
                  .changed_ns = changed_ns,
                  .digest = digest};
  return digest;
}

}  // namespace omserve::source
