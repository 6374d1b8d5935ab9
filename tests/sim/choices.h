// SPDX-License-Identifier: Apache-2.0
// Where a random schedule gets its decisions from: a seed, or a list that was recorded before. The
// list is what shrinking works on: whoever draws less, or smaller numbers, has a simpler schedule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace omserve::sim {

// Thread-compatible.
class Choices final {
 public:
  // The same numbers with every standard library.
  explicit Choices(uint64_t seed) : is_replay_(false), engine_(seed) {}
  // Gives what `recorded` says, modulo what is asked for, and 0 when it is used up.
  explicit Choices(std::vector<uint32_t> recorded)
      : is_replay_(true), recorded_(std::move(recorded)) {}

  // In [low, high]; `low` is the simplest.
  int Between(int low, int high) { return low + static_cast<int>(Below(high - low + 1)); }
  // True in `chance` of 100 cases; false is the simpler, unless it is certain.
  bool Percent(int chance) { return Between(0, 99) >= 100 - chance; }

  // The first `count` draws of a seed, without a schedule that draws them: what a replay needs of a
  // schedule that ends its process.
  static std::vector<uint32_t> OfSeed(uint64_t seed, size_t count) {
    Choices choices(seed);
    std::vector<uint32_t> drawn(count);
    for (uint32_t& number : drawn) {
      number = choices.Draw();
    }
    return drawn;
  }

  // All numbers given so far.
  const std::vector<uint32_t>& given() const { return given_; }

 private:
  uint32_t Draw() { return static_cast<uint32_t>(engine_() >> 32); }

  uint32_t Below(int count) {
    uint32_t drawn = 0;
    if (!is_replay_) {
      drawn = Draw();
    } else if (next_ < recorded_.size()) {
      drawn = recorded_[next_++];
    }
    given_.push_back(drawn % static_cast<uint32_t>(count));
    return given_.back();
  }

  const bool is_replay_;
  std::mt19937_64 engine_;
  const std::vector<uint32_t> recorded_;
  size_t next_ = 0;
  std::vector<uint32_t> given_;
};

}  // namespace omserve::sim
