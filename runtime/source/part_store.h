// SPDX-License-Identifier: Apache-2.0
// Files on their way: parts that are gone on with after a cut connection or the end of the process,
// and whole ones whose digest was checked. Internal to runtime/source.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/base/digest.h"
#include "runtime/base/pace.h"
#include "runtime/source/source.h"

namespace omserve::source {

// Of the file that is being brought.
struct FetchProgress {
  const SourceFile& file;
  uint64_t done_bytes = 0;             // Of the file, with what was there before.
  std::optional<uint64_t> size_bytes;  // Of the file, where it is known.
  uint64_t fetched_bytes = 0;          // Just now.
};

// Files stand by their digests: <hex> is whole, <hex>.part a part, <hex>.tag says of which file.
// Confined to one thread.
class PartStore final {
 public:
  struct Options {
    std::string folder;  // Which is there.
    uint64_t max_file_bytes = uint64_t{1} << 40;
    std::function<void(const FetchProgress&)> progress;  // May be empty.
  };
  PartStore(Options options, Pace& pace) : options_(std::move(options)), pace_(pace) {}

  // The path of the file, with all its bytes on disk. What has come of it stays when this fails,
  // unless it is wrong. Errors: those of Source::Read; kInvalidArgument for another digest or size;
  // kResourceExhausted for a full disk.
  absl::StatusOr<std::string> Fetch(Source& source, const SourceFile& file,
                                    const std::stop_token& stop);

  // Takes in a file that was whole before.
  absl::Status Adopt(const std::string& path, const std::stop_token& stop);

  // Removes what is of no other file.
  absl::Status KeepOnly(const std::set<Digest>& digests);

 private:
  class Sink;
  // Whether it is as it should be. What is not is removed.
  absl::Status Check(const SourceFile& file, const std::string& part, const std::stop_token& stop);
  std::string PathOf(const Digest& digest, const char* suffix = "") const;

  const Options options_;
  Pace& pace_;
};

}  // namespace omserve::source
