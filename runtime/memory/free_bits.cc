// SPDX-License-Identifier: Apache-2.0
#include "runtime/memory/free_bits.h"

#include <bit>

namespace omserve::memory {
namespace {

constexpr size_t kBits = 64;

uint64_t BitOf(size_t number) { return uint64_t{1} << (number % kBits); }

}  // namespace

FreeBits::FreeBits(size_t count) : count_(count) {
  size_t bits = count;
  do {
    const size_t words = (bits + kBits - 1) / kBits;
    levels_.emplace_back(words, uint64_t{0});
    bits = words;
  } while (bits > 1);
}

bool FreeBits::Contains(size_t number) const {
  return number < count_ && (levels_[0][number / kBits] & BitOf(number)) != 0;
}

void FreeBits::Insert(size_t number) {
  for (std::vector<uint64_t>& level : levels_) {
    level[number / kBits] |= BitOf(number);
    number /= kBits;
  }
}

void FreeBits::Erase(size_t number) {
  for (std::vector<uint64_t>& level : levels_) {
    uint64_t& word = level[number / kBits];
    word &= ~BitOf(number);
    if (word != 0) {
      return;
    }
    number /= kBits;
  }
}

std::optional<size_t> FreeBits::Least() const {
  if (count_ == 0 || levels_.back()[0] == 0) {
    return std::nullopt;
  }
  size_t number = 0;
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    number = number * kBits + static_cast<size_t>(std::countr_zero((*level)[number]));
  }
  return number;
}

}  // namespace omserve::memory
