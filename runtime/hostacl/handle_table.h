// SPDX-License-Identifier: Apache-2.0
// Handles of the C interface. A handle is a number that is never reused and looks like no address,
// so a destroyed, foreign or invented handle is recognised instead of dereferenced.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/base/mutex.h"
#include "runtime/hostacl/strict/owner.h"

namespace omserve::hostacl {

// A new handle, different from all that this process was given before. Non-canonical on x86-64 and
// arm64 with 48-bit addresses, so that a program that dereferences one stops there.
void* NewHandle() noexcept;

// Thread-safe. Objects are shared because the C interface lets one thread destroy a handle while
// another is inside a call with it: that call keeps the object alive.
template <typename T>
class HandleTable final {
 public:
  // `kind` is what the objects are called where one is left behind; a literal.
  explicit HandleTable(const char* kind) : kind_(kind) {}

  void* Add(std::shared_ptr<T> object) {
    void* handle = NewHandle();
    AddAs(handle, std::move(object), /*is_programs=*/true);
    return handle;
  }
  // Under a handle from NewHandle(), for objects that know theirs. `is_programs`: the program made
  // it and has to destroy it.
  void AddAs(void* handle, std::shared_ptr<T> object, bool is_programs) {
    if (is_programs) {
      Owners().Add(handle, kind_);
    }
    const MutexLock lock(mu_);
    objects_.emplace(handle, std::move(object));
  }
  // Null when there is no such object.
  std::shared_ptr<T> Find(const void* handle) const {
    const MutexLock lock(mu_);
    const auto found = objects_.find(handle);
    return found == objects_.end() ? nullptr : found->second;
  }
  std::shared_ptr<T> Remove(const void* handle) {
    Owners().Remove(handle);
    const MutexLock lock(mu_);
    const auto found = objects_.find(handle);
    if (found == objects_.end()) {
      return nullptr;
    }
    std::shared_ptr<T> object = std::move(found->second);
    objects_.erase(found);
    return object;
  }
  template <typename Predicate>
  void RemoveIf(Predicate predicate) {
    std::vector<std::shared_ptr<T>> dropped;  // Destroyed outside the lock.
    const MutexLock lock(mu_);
    std::erase_if(objects_, [&](auto& entry) {
      const bool removed = predicate(*entry.second);
      if (removed) {
        dropped.push_back(std::move(entry.second));
      }
      return removed;
    });
  }
  std::vector<std::shared_ptr<T>> All() const {
    const MutexLock lock(mu_);
    std::vector<std::shared_ptr<T>> all;
    all.reserve(objects_.size());
    for (const auto& entry : objects_) {
      all.push_back(entry.second);
    }
    return all;
  }
  void Clear() {
    std::unordered_map<const void*, std::shared_ptr<T>> dropped;
    {
      const MutexLock lock(mu_);
      dropped.swap(objects_);
    }
  }

 private:
  const char* const kind_;

  mutable Mutex mu_;
  std::unordered_map<const void*, std::shared_ptr<T>> objects_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::hostacl
