// SPDX-License-Identifier: Apache-2.0
// A sealed file that was opened: its content key is unwrapped and its header is known to be the one
// that was sealed. The model is decrypted into memory that the caller brings; no plain text goes
// anywhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "absl/status/statusor.h"
#include "runtime/base/incoming_file.h"
#include "runtime/sealed/file_keys.h"
#include "runtime/sealed/header.h"
#include "runtime/sealed/key_ring.h"
#include "runtime/sealed/raw_file.h"

namespace omserve::sealed {

struct DecryptOptions {
  // That decrypt beside the calling thread, which reads and helps when all is read. One hides
  // decrypting behind reading; none uses the calling thread alone.
  unsigned threads = 1;
  // Looks at all bytes of the file as they are on disk, while they are read, on a thread of its own
  // or, where none is to be had, on the calling one; it takes each byte and may give it back. Each
  // is read once: what is decrypted is what it has seen, or has let pass. Its failure is told
  // before any of the decrypting. Null: nobody looks.
  std::function<absl::Status(IncomingFile& raw)> check;
  // Called on the calling thread as chunks are read: how much plain text they hold.
  std::function<void(uint64_t plain_bytes)> on_progress;
};

// Thread-compatible; move-only. Decrypt may run on several threads at a time, but for `fd`s that
// share a position: reads are positioned, so none is moved.
class SealedFile final {
 public:
  // Reads the header and unwraps the content key. `fd` is a regular file that stays open while this
  // is used; it is borrowed. Blocks on the disk. Errors: kInvalidArgument for what is no sealed
  // file, was changed, is cut off or has bytes behind it, saying where; kUnimplemented for another
  // version; kFailedPrecondition when `ring` has no key for it. The file's name is the caller's to
  // add, here and below.
  static absl::StatusOr<SealedFile> Open(int fd, const KeyRing& ring);
  // The same of a file in memory, which outlives this and does not change.
  static absl::StatusOr<SealedFile> Open(std::span<const std::byte> file, const KeyRing& ring);

  const Header& header() const { return header_; }
  uint64_t plain_bytes() const { return header_.plain_bytes; }

  // Decrypts all of it into `to`. Blocks on the disk and on the processor. Requires:
  // to.size() == plain_bytes(); ordinary memory, since it holds the encrypted bytes first. Errors:
  // kInvalidArgument naming the chunk that was changed, or saying where the file ends early;
  // kUnavailable naming the read that failed; the check's. `to` is all zeros then.
  absl::Status Decrypt(std::span<std::byte> to, const DecryptOptions& options = {}) const;

 private:
  // Where its bytes come from: a descriptor, or else memory.
  struct Origin {
    int fd = -1;
    std::span<const std::byte> file;
  };
  SealedFile(Header header, FileKeys keys, const Origin& origin)
      : header_(std::move(header)), keys_(std::move(keys)), origin_(origin) {}
  static absl::StatusOr<SealedFile> Make(Header header, uint64_t file_bytes, const KeyRing& ring,
                                         const Origin& origin);
  absl::Status ReadChunk(uint64_t chunk, std::span<std::byte> text, RawFile::Tag& tag) const;
  // `on_read` runs after each chunk; false: the rest need not be read.
  absl::Status ReadChunks(RawFile& raw, const DecryptOptions& options,
                          const std::function<bool()>& on_read) const;
  absl::Status DecryptInto(std::span<std::byte> to, const DecryptOptions& options) const;

  Header header_;
  FileKeys keys_;
  Origin origin_;
};

// The header of a file, and whether the file has the size that the header says; nothing more is
// known of it without a key. `fd` as above.
absl::StatusOr<Header> ReadHeader(int fd);
absl::Status CheckFileSize(const Header& header, uint64_t file_bytes);

}  // namespace omserve::sealed
