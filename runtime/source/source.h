// SPDX-License-Identifier: Apache-2.0
// Where models come from: a folder, a web server or an object store, an OCI image layout.
//
// All of them say beforehand, by SHA-256, what there is, so that whoever reads a file can tell
// whether it came whole, and whether they have it already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/digest.h"

namespace omserve::source {

struct SourceFile {
  // Below the repository: "text/config.yaml", "text/2/model.om". As CheckPath asks for, of two
  // parts or more.
  std::string path;
  Digest digest{};
  std::optional<uint64_t> size_bytes;  // Where the source says it beforehand.
  std::string place;                   // Where the source has it; for the source alone.
};

// From where a file is to be read.
struct Resume {
  uint64_t offset = 0;
  // What the bytes before `offset` were tagged with. Empty: nothing is known of them.
  std::string tag;
};

// What is about to come.
struct Beginning {
  uint64_t offset = 0;  // As asked for; 0 where the file is another now, or cannot be resumed.
  std::string tag;      // Changes when the file does. Empty: it cannot be resumed later.
  std::optional<uint64_t> size_bytes;  // Of the whole file.
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Once a read, before the bytes. An error ends the read with it.
  virtual absl::Status Begin(const Beginning& beginning) = 0;
  virtual absl::Status Write(std::span<const std::byte> bytes) = 0;
};

// Confined to one thread. Calls block, and end soon with kCancelled when a stop is requested.
class Source {
 public:
  virtual ~Source() = default;
  // The address, without secrets: in front of every error.
  virtual const std::string& name() const = 0;
  // What there is now; sorted by path, each once. Errors: kNotFound, kInvalidArgument and
  // kFailedPrecondition for what has to be mended there or in the settings; kUnavailable for what
  // may pass by itself and ends the run; kInternal for a server that fails over one file.
  virtual absl::StatusOr<std::vector<SourceFile>> List(const std::stop_token& stop) = 0;
  // A file that List gave. Errors: as List, and those of `sink`; what came until then counts.
  virtual absl::Status Read(const SourceFile& file, const Resume& resume, ByteSink& sink,
                            const std::stop_token& stop) = 0;
};

// The files of a SHA256SUMS of a repository, each at `place` its path. Files in no model's folder,
// such as "README", are passed over. Errors: as ParseSums; kInvalidArgument for one without files:
// it would say that everything was taken away. Pure.
absl::StatusOr<std::vector<SourceFile>> FilesOfSums(std::string_view text, std::string_view where);

}  // namespace omserve::source
