// SPDX-License-Identifier: Apache-2.0
// Who made a thing: the function of the C interface, the thread, and the program's code behind it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/base/mutex.h"

namespace omserve::hostacl {

struct Owner {
  std::string kind;               // "stream", "device memory".
  std::string function;           // "aclrtCreateStream".
  std::string thread;             // "device-0 (4711)".
  std::string place;              // "omserved!main+0x12", or "" where the stack does not say.
  size_t size_bytes = 0;          // Of memory; else 0.
  const void* context = nullptr;  // The thread's at the time.
};

// Of the call that this thread is inside.
Owner CurrentOwner(std::string kind, size_t size_bytes = 0);
// "'device-0' (4711)".
std::string ThisThreadName();
// "4096 bytes of device memory from aclrtMalloc, thread 'main' (7), at app!main+0x40".
std::string Describe(const Owner& owner);

// What is alive, by handle or address. Keeps nothing unless it is enabled. Thread-safe.
class OwnerTable final {
 public:
  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
  // Forgets all it has.
  void Enable(bool enabled);

  // Of the call that this thread is inside.
  void Add(const void* key, const char* kind);
  void Add(const void* key, Owner owner);
  void Remove(const void* key);
  // Of everything that was made in a context, for contexts that may end with what is in them.
  void RemoveContext(const void* context);
  // In the order in which it was made.
  std::vector<Owner> All() const;

 private:
  struct Entry {
    uint64_t number;
    Owner owner;
  };

  // Relaxed: set before the program has anything that could be kept.
  std::atomic<bool> enabled_{false};

  mutable Mutex mu_;
  uint64_t next_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<const void*, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

// Of the process: what needs no aclInit is there before it and after it.
OwnerTable& Owners();

}  // namespace omserve::hostacl
