// SPDX-License-Identifier: Apache-2.0
// A POSIX shared memory object that another process owns, mapped into this one. Its owner may write
// to it, and cut it short, at any time.
//
// Touching a page that was cut away is SIGBUS, which would end the process: any client could do so.
// While a mapping is open the signal is caught instead, zeros take the mapping's place, and lost()
// says so. As libwayland does for its clients' buffers.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace omserve {

// Thread-safe.
class SharedMapping final {
 public:
  // The `size_bytes` bytes of the object `key` (as shm_open has it) from `offset_bytes`, readable
  // and writable. Errors: kInvalidArgument for an object that cannot be opened, that is no memory,
  // and that has less; kResourceExhausted while kMost are open.
  static absl::StatusOr<std::unique_ptr<SharedMapping>> Open(const std::string& key,
                                                             size_t offset_bytes,
                                                             size_t size_bytes);
  SharedMapping(const SharedMapping&) = delete;
  SharedMapping& operator=(const SharedMapping&) = delete;
  // Nothing may touch the bytes any longer.
  ~SharedMapping();

  std::span<std::byte> bytes() const { return bytes_; }
  // The whole pages that hold them.
  std::span<std::byte> pages() const { return pages_; }
  // What was read since the object was cut short may be zeros, and what was written is nowhere.
  bool lost() const;

  // That can be open at a time.
  static constexpr size_t kMost = 1024;

 private:
  SharedMapping(std::span<std::byte> pages, std::span<std::byte> bytes, size_t slot)
      : pages_(pages), bytes_(bytes), slot_(slot) {}

  const std::span<std::byte> pages_;
  const std::span<std::byte> bytes_;
  const size_t slot_;  // Where the signal's handler finds it.
};

}  // namespace omserve
