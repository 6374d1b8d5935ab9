// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace omserve::omc {

// Tells on standard error how far the reading of large files is, a line for each tenth; nothing for
// those that are read in a moment. Thread-safe.
class HashProgress final {
 public:
  explicit HashProgress(std::string_view what) : what_(what) {}
  void Tell(uint64_t done_bytes, uint64_t total_bytes);

 private:
  const std::string what_;
  // Only counted up, by whoever prints the line; orders nothing else.
  std::atomic<uint64_t> tenths_ = 0;
};

}  // namespace omserve::omc
