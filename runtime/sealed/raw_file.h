// SPDX-License-Identifier: Apache-2.0
// A sealed file as it is on the disk, while it is read to where it is decrypted: header, then
// chunks and their tags apart from them. Chunks are decrypted when whoever checks the file has
// looked at them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "runtime/base/arrival.h"
#include "runtime/base/incoming_file.h"
#include "runtime/base/mutex.h"
#include "runtime/sealed/chunk_cipher.h"
#include "runtime/sealed/header.h"

namespace omserve::sealed {

// Thread-safe.
class RawFile final : public IncomingFile {
 public:
  using Tag = std::array<std::byte, kTagBytes>;

  // `text` is where plain text will be. `on_seen` is called once for each chunk, in order, when all
  // before its end was given back, by who gives back the last of it; it takes no lock of this. All
  // outlive this; the header is there.
  RawFile(const Header& header, std::span<std::byte> text, std::function<void()> on_seen);

  // Where a chunk is read to. Then it is there.
  std::span<std::byte> TextOf(uint64_t chunk) const;
  Tag& TagOf(uint64_t chunk) { return tags_[chunk]; }
  void Reach(uint64_t chunk) { arrival_.Reach(EndOf(chunk)); }
  // No more will come.
  void EndArrival() { arrival_.End(); }
  // All is there, and nobody looks at any of it again: what was not given back is.
  void GiveBackAll() ABSL_LOCKS_EXCLUDED(mu_);

  uint64_t size() const override { return header_.file_bytes(); }
  std::span<const std::byte> Take(uint64_t begin, uint64_t most) override;
  void GiveBack(uint64_t begin, uint64_t end) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  uint64_t EndOf(uint64_t chunk) const {
    return header_.OffsetOf(chunk) + header_.PlainBytesOf(chunk) + kTagBytes;
  }
  void SeeUpToLocked(uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Header& header_;
  const std::vector<std::byte> head_;
  const std::span<std::byte> text_;
  const std::function<void()> on_seen_;
  std::vector<Tag> tags_;
  Arrival arrival_;

  Mutex mu_;
  uint64_t seen_chunks_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t given_back_ ABSL_GUARDED_BY(mu_) = 0;  // All before it was.
  // What was given back behind it: end by begin.
  std::map<uint64_t, uint64_t> apart_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::sealed
