// SPDX-License-Identifier: Apache-2.0
// Whole files: sealed, opened, and given to other recipients. All block on the disk, write beside
// the file's place and put it there when it is whole and on disk. Errors name the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/sealed/key_ring.h"
#include "runtime/sealed/recipients.h"

namespace omserve::sealed {

// What is done of all that there is to do.
using Progress = std::function<void(uint64_t done_bytes, uint64_t all_bytes)>;

struct SealOptions {
  std::string from;
  std::string to;  // Replaced where it exists; may be `from`.
  // A power of two, kLeastChunkBytes to kMostChunkBytes. What is changed is found chunk by chunk,
  // each costs 16 bytes, and threads take whole ones.
  uint32_t chunk_bytes = 1U << 20U;
  Progress on_progress;
};

struct OpenOptions {
  std::string from;
  std::string to;  // With mode 0600.
  bool replaces = false;
  unsigned threads = 1;  // As DecryptOptions has it.
  Progress on_progress;
};

struct RekeyOptions {
  std::string path;  // A link is followed; rights are kept, and the owner where that is allowed.
  Progress on_progress;
};

struct FileReport {
  uint64_t plain_bytes = 0;
  uint64_t file_bytes = 0;
  // For a log line: why plain text or keys were not locked in memory; empty where they were.
  std::string note;
};

// A new content key for each call. Errors: kNotFound; kInvalidArgument for a file that is sealed
// already, that changes meanwhile, or for options that cannot be; kInternal from the disk.
absl::StatusOr<FileReport> SealFile(const SealOptions& options, const Recipients& recipients);

// Holds the plain text in memory as a whole, so that nothing is written before all of it is known
// to be sound. Errors: those of SealedFile; kFailedPrecondition when `to` exists.
absl::StatusOr<FileReport> OpenFile(const OpenOptions& options, const KeyRing& ring);

// A new key section for the same content key; the chunks are copied as they are. Who could open the
// file before can still open copies of before, and keeps the content key: to shut somebody out who
// may have used it, seal the model anew. Errors: as OpenFile.
absl::StatusOr<FileReport> RekeyFile(const RekeyOptions& options, const KeyRing& ring,
                                     const Recipients& recipients);

}  // namespace omserve::sealed
