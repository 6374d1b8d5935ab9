// SPDX-License-Identifier: Apache-2.0
// Random AscendCL programs, and an oracle for them that knows nothing of how streams are made:
// which operation is ordered before which, and what every buffer holds in the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace omserve::hostacl {

struct ProgramShape {
  size_t streams = 8;
  size_t device_buffers = 12;
  size_t pinned_buffers = 6;
  size_t events = 10;
  size_t operations = 400;
};

struct Operation {
  enum class Kind {
    kFill,        // Stream: sets `target` to `value`.
    kCopy,        // Stream: `source` to `target`; at most one of them is pinned.
    kRecord,      // Stream: records `event`.
    kWait,        // Stream: waits for the newest record of `event`.
    kMark,        // Stream: a host function or callback that notes when it ran.
    kSyncStream,  // Host.
    kSyncEvent,   // Host.
    kSyncDevice,  // Host.
    kHostFill,    // Host: aclrtMemset of `target` to `value`.
    kHostCopy,    // Host: aclrtMemcpy of `source` to `target`.
  };
  Kind kind = Kind::kFill;
  size_t stream = 0;
  size_t event = 0;
  size_t target = 0;  // A buffer: device ones first, then pinned ones.
  size_t source = 0;
  uint8_t value = 0;
  bool as_callback = false;  // kMark: by the report thread, blocking the stream.
};

// Thread-compatible. Every program of Generate is free of races.
class Program final {
 public:
  static Program Generate(uint32_t seed, const ProgramShape& shape);

  const ProgramShape& shape() const { return shape_; }
  const std::vector<Operation>& operations() const { return operations_; }
  size_t buffers() const { return shape_.device_buffers + shape_.pinned_buffers; }
  bool is_pinned(size_t buffer) const { return buffer >= shape_.device_buffers; }

  // The same without operation `index`.
  Program Without(size_t index) const;

  // By operation: those that are ordered before it, as bits.
  using Order = std::vector<std::vector<uint64_t>>;
  Order ComputeOrder() const;
  static bool Before(const Order& order, size_t first, size_t second) {
    return (order[second][first / 64] >> (first % 64) & 1) != 0;
  }
  // Two operations touch one buffer, one of them writes, and neither is ordered before the other.
  bool HasRace() const;
  // What each buffer holds in the end: one value, all buffers being 0 at first. Requires
  // !HasRace().
  std::vector<uint8_t> Outcome() const;

 private:
  explicit Program(const ProgramShape& shape) : shape_(shape) {}

  ProgramShape shape_;
  std::vector<Operation> operations_;
};

}  // namespace omserve::hostacl
