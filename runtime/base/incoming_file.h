// SPDX-License-Identifier: Apache-2.0
// The bytes of a file that one thread reads into memory, wherever there, while others look at them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/base/arrival.h"

namespace omserve {

// Thread-safe.
class IncomingFile {
 public:
  virtual ~IncomingFile() = default;
  virtual uint64_t size() const = 0;
  // The bytes from `begin` on, when they have come: as many as stand in one place, at most `most`.
  // Empty only where they will not come. Requires: begin < size(), 0 < most <= size() - begin.
  // Blocks.
  virtual std::span<const std::byte> Take(uint64_t begin, uint64_t most) = 0;
  // Nobody looks at [begin, end) again, which was taken; none is given back twice.
  virtual void GiveBack(uint64_t begin, uint64_t end) = 0;
};

// Runs `look` on all of [begin, end) in order, in pieces of at most `most` bytes, and gives each
// back. False: the rest does not come.
template <typename Look>
bool LookThrough(IncomingFile& file, uint64_t begin, uint64_t end, uint64_t most,
                 const Look& look) {
  while (begin < end) {
    const std::span<const std::byte> piece = file.Take(begin, std::min(most, end - begin));
    if (piece.empty()) {
      return false;
    }
    look(piece);
    file.GiveBack(begin, begin + piece.size());
    begin += piece.size();
  }
  return true;
}

// In one place, where they stay.
class IncomingMemory final : public IncomingFile {
 public:
  // Without an `arrival` all are there. Both outlive this.
  explicit IncomingMemory(std::span<const std::byte> bytes, Arrival* arrival = nullptr)
      : bytes_(bytes), arrival_(arrival) {}

  uint64_t size() const override { return bytes_.size(); }
  std::span<const std::byte> Take(uint64_t begin, uint64_t most) override {
    if (arrival_ != nullptr && !arrival_->Await(begin + most)) {
      return {};
    }
    return bytes_.subspan(begin, most);
  }
  void GiveBack(uint64_t /*begin*/, uint64_t /*end*/) override {}

 private:
  const std::span<const std::byte> bytes_;
  Arrival* const arrival_;
};

}  // namespace omserve
