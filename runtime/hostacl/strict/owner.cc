// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/strict/owner.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

std::string Demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
  return status == 0 ? text.get() : symbol;
}

std::string_view FileName(const char* path) {
  const std::string_view whole(path == nullptr ? "" : path);
  return whole.substr(whole.rfind('/') + 1);  // npos + 1 is 0.
}

// The innermost frame that is not this library's: the program that called.
std::string CallerPlace() {
  std::array<void*, 24> frames{};
  const int count = backtrace(frames.data(), static_cast<int>(frames.size()));
  Dl_info own{};
  if (dladdr(reinterpret_cast<const void*>(&CallerPlace), &own) == 0) {
    return "";
  }
  for (int i = 0; i < count; ++i) {
    Dl_info frame{};
    void* const address = frames[static_cast<size_t>(i)];
    if (dladdr(address, &frame) == 0 || frame.dli_fbase == own.dli_fbase) {
      continue;
    }
    const auto at = reinterpret_cast<uintptr_t>(address);
    if (frame.dli_sname != nullptr) {
      return fmt::format("{}!{}+{:#x}", FileName(frame.dli_fname), Demangled(frame.dli_sname),
                         at - reinterpret_cast<uintptr_t>(frame.dli_saddr));
    }
    return fmt::format("{}+{:#x}", FileName(frame.dli_fname),
                       at - reinterpret_cast<uintptr_t>(frame.dli_fbase));
  }
  return "";
}

}  // namespace

std::string ThisThreadName() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return fmt::format("'{}' ({})", name.data(), syscall(SYS_gettid));
}

Owner CurrentOwner(std::string kind, size_t size_bytes) {
  Owner owner;
  owner.kind = std::move(kind);
  owner.function = CurrentFunction();
  owner.thread = ThisThreadName();
  owner.place = CallerPlace();
  owner.size_bytes = size_bytes;
  owner.context = ThreadContextHandle();
  return owner;
}

std::string Describe(const Owner& owner) {
  return fmt::format("{}{} from {}, thread {}{}{}",
                     owner.size_bytes == 0 ? "" : fmt::format("{} bytes of ", owner.size_bytes),
                     owner.kind, owner.function, owner.thread, owner.place.empty() ? "" : ", at ",
                     owner.place);
}

void OwnerTable::Enable(bool enabled) {
  const MutexLock lock(mu_);
  entries_.clear();
  enabled_.store(enabled, std::memory_order_relaxed);
}

void OwnerTable::Add(const void* key, const char* kind) {
  if (enabled()) {
    Add(key, CurrentOwner(kind));
  }
}

void OwnerTable::Add(const void* key, Owner owner) {
  const MutexLock lock(mu_);
  entries_.insert_or_assign(key, Entry{next_++, std::move(owner)});
}

void OwnerTable::Remove(const void* key) {
  if (enabled()) {
    const MutexLock lock(mu_);
    entries_.erase(key);
  }
}

void OwnerTable::RemoveContext(const void* context) {
  const MutexLock lock(mu_);
  std::erase_if(entries_,
                [context](const auto& entry) { return entry.second.owner.context == context; });
}

std::vector<Owner> OwnerTable::All() const {
  std::vector<Entry> alive;
  {
    const MutexLock lock(mu_);
    for (const auto& [key, entry] : entries_) {
      alive.push_back(entry);
    }
  }
  std::sort(alive.begin(), alive.end(),
            [](const Entry& a, const Entry& b) { return a.number < b.number; });
  std::vector<Owner> owners;
  for (Entry& entry : alive) {
    owners.push_back(std::move(entry.owner));
  }
  return owners;
}

OwnerTable& Owners() {
  static OwnerTable& table = *std::make_unique<OwnerTable>().release();
  return table;
}

}  // namespace omserve::hostacl
