// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/shrink.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace omserve::sim {
namespace {

using Choices = std::vector<uint32_t>;

class Shrinker final {
 public:
  Shrinker(Choices choices, const std::function<bool(const Choices&)>& fails, int most_tries)
      : best_(std::move(choices)), fails_(fails), tries_left_(most_tries) {}

  Choices Run() {
    bool better = true;
    while (better && tries_left_ > 0) {
      better = false;
      for (size_t length = best_.size() / 2; length > 0; length /= 2) {
        better = DropPieces(length) || better;
      }
      for (size_t length = 16; length > 0; length /= 2) {
        better = ClearPieces(length) || better;
      }
      better = LowerNumbers() || better;
    }
    return best_;
  }

 private:
  bool Try(Choices candidate) {
    if (tries_left_ <= 0 || candidate == best_) {
      return false;
    }
    --tries_left_;
    if (!fails_(candidate)) {
      return false;
    }
    best_ = std::move(candidate);
    return true;
  }

  // From the end, where a piece is more often not missed.
  bool DropPieces(size_t length) {
    bool better = false;
    for (size_t end = best_.size(); end >= length; end = std::min(end - length, best_.size())) {
      Choices candidate = best_;
      const auto at = candidate.begin() + static_cast<std::ptrdiff_t>(end - length);
      candidate.erase(at, at + static_cast<std::ptrdiff_t>(length));
      better = Try(std::move(candidate)) || better;
    }
    return better;
  }

  bool ClearPieces(size_t length) {
    bool better = false;
    for (size_t start = 0; start + length <= best_.size(); start += length) {
      Choices candidate = best_;
      std::fill_n(candidate.begin() + static_cast<std::ptrdiff_t>(start), length, 0U);
      better = Try(std::move(candidate)) || better;
    }
    return better;
  }

  bool LowerNumbers() {
    bool better = false;
    for (size_t i = 0; i < best_.size(); ++i) {
      for (uint32_t step = best_[i]; step > 0; step /= 2) {
        if (step <= best_[i]) {
          Choices candidate = best_;
          candidate[i] -= step;
          better = Try(std::move(candidate)) || better;
        }
      }
    }
    return better;
  }

  Choices best_;
  const std::function<bool(const Choices&)>& fails_;
  int tries_left_;
};

}  // namespace

std::vector<uint32_t> Shrink(std::vector<uint32_t> choices,
                             const std::function<bool(const std::vector<uint32_t>&)>& fails,
                             int most_tries) {
  return Shrinker(std::move(choices), fails, most_tries).Run();
}

}  // namespace omserve::sim
