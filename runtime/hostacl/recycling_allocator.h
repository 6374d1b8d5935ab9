// SPDX-License-Identifier: Apache-2.0
// Memory for small objects that every task needs anew: taken from blocks of the same size that were
// given back before, so that a program in its steady state asks the system for none.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace omserve::hostacl {

// Blocks of at most this size are recycled, each size class on a list of its own.
inline constexpr size_t kRecycledLimitBytes = 512;

// A block of at least `size_bytes`, aligned for any object. Thread-safe, as its return is.
void* TakeBlock(size_t size_bytes);
void ReturnBlock(void* block, size_t size_bytes) noexcept;

template <typename T>
class RecyclingAllocator final {
 public:
  using value_type = T;

  RecyclingAllocator() = default;
  template <typename U>
  RecyclingAllocator(const RecyclingAllocator<U>&) noexcept {}  // NOLINT: a rebind converts.

  T* allocate(size_t count) { return static_cast<T*>(TakeBlock(count * sizeof(T))); }
  void deallocate(T* block, size_t count) noexcept { ReturnBlock(block, count * sizeof(T)); }

  template <typename U>
  bool operator==(const RecyclingAllocator<U>&) const noexcept {
    return true;
  }
};

template <typename T, typename... Args>
std::shared_ptr<T> MakeRecycled(Args&&... args) {
  return std::allocate_shared<T>(RecyclingAllocator<T>(), std::forward<Args>(args)...);
}

}  // namespace omserve::hostacl
