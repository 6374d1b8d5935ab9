// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/recycling_allocator.h"

#include <array>

#include "runtime/base/mutex.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kClassBytes = 64;
constexpr size_t kClasses = kRecycledLimitBytes / kClassBytes;
// Per class: what a burst leaves behind beyond this goes back to the system.
constexpr size_t kKeptBlocks = 4096;

// Under the address sanitizer a recycled block would hide a use after free.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kRecycles = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kRecycles = false;
#else
constexpr bool kRecycles = true;
#endif
#else
constexpr bool kRecycles = true;
#endif

// The free blocks of one size, linked through their first bytes.
class FreeList final {
 public:
  void* Take() {
    const MutexLock lock(mu_);
    if (first_ == nullptr) {
      return nullptr;
    }
    Link* const taken = first_;
    first_ = taken->next;
    --count_;
    return taken;
  }
  // False when the list is full.
  bool Return(void* block) {
    const MutexLock lock(mu_);
    if (count_ == kKeptBlocks) {
      return false;
    }
    first_ = new (block) Link{first_};  // NOLINT: placement.
    ++count_;
    return true;
  }

 private:
  struct Link {
    Link* next;
  };

  Mutex mu_;
  Link* first_ ABSL_GUARDED_BY(mu_) = nullptr;
  size_t count_ ABSL_GUARDED_BY(mu_) = 0;
};

// Never destroyed: threads of the program may end tasks while its static objects are destroyed.
FreeList& ListOf(size_t size_bytes) {
  static std::array<FreeList, kClasses>& lists =
      *std::make_unique<std::array<FreeList, kClasses>>().release();
  return lists[(size_bytes - 1) / kClassBytes];
}

size_t ClassBytes(size_t size_bytes) {
  return (size_bytes + kClassBytes - 1) / kClassBytes * kClassBytes;
}

}  // namespace

void* TakeBlock(size_t size_bytes) {
  if (!kRecycles || size_bytes == 0 || size_bytes > kRecycledLimitBytes) {
    return ::operator new(size_bytes);
  }
  void* const block = ListOf(size_bytes).Take();
  return block != nullptr ? block : ::operator new(ClassBytes(size_bytes));
}

void ReturnBlock(void* block, size_t size_bytes) noexcept {
  if (!kRecycles || size_bytes == 0 || size_bytes > kRecycledLimitBytes ||
      !ListOf(size_bytes).Return(block)) {
    ::operator delete(block);
  }
}

}  // namespace omserve::hostacl
