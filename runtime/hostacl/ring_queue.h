// SPDX-License-Identifier: Apache-2.0
// A queue that keeps its room: std::deque asks for and returns a block every few elements.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace omserve::hostacl {

// First in, first out. T is movable and default-constructible; a place that was left holds a
// moved-from T. Thread-compatible.
template <typename T>
class RingQueue final {
 public:
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }

  void Push(T value) {
    if (count_ == places_.size()) {
      Grow();
    }
    places_[(first_ + count_) % places_.size()] = std::move(value);
    ++count_;
  }
  // Requires !empty().
  T Pop() {
    T value = std::move(places_[first_]);
    first_ = (first_ + 1) % places_.size();
    --count_;
    return value;
  }
  void swap(RingQueue& other) noexcept {
    places_.swap(other.places_);
    std::swap(first_, other.first_);
    std::swap(count_, other.count_);
  }

 private:
  static constexpr size_t kFirstPlaces = 16;

  void Grow() {
    std::vector<T> larger(places_.empty() ? kFirstPlaces : places_.size() * 2);
    for (size_t i = 0; i < count_; ++i) {
      larger[i] = std::move(places_[(first_ + i) % places_.size()]);
    }
    places_.swap(larger);
    first_ = 0;
  }

  std::vector<T> places_;
  size_t first_ = 0;
  size_t count_ = 0;
};

}  // namespace omserve::hostacl
