// SPDX-License-Identifier: Apache-2.0
// A set of small whole numbers that finds its least member fast: bits, and above every 64 words of
// them one word that says which are not empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace omserve::memory {

// Takes about one bit per number and allocates at construction only. Every operation looks at one
// word per level: log64 of the count. Thread-compatible.
class FreeBits final {
 public:
  // The empty set; its members will be below `count`.
  explicit FreeBits(size_t count);

  // False for numbers of `count` and above.
  bool Contains(size_t number) const;
  // Require number < count.
  void Insert(size_t number);
  void Erase(size_t number);
  // nullopt when empty.
  std::optional<size_t> Least() const;

 private:
  size_t count_;
  std::vector<std::vector<uint64_t>> levels_;  // The numbers first, one word last.
};

}  // namespace omserve::memory
