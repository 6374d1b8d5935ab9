// SPDX-License-Identifier: Apache-2.0
// What several files of cases use, beside acl_session.h.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {

// For the CPU device; another library has the devices that it has.
inline constexpr char kTwoDevices[] = R"({"device_count": 2, "memory_bytes": 16777216})";
inline constexpr char kSmallDevice[] = R"({"memory_bytes": 1048576})";

// Pinned host memory for the time of a case.
class PinnedBytes final {
 public:
  explicit PinnedBytes(size_t size_bytes) : size_bytes_(size_bytes) {
    REQUIRE_ACL(ACL(aclrtMallocHost)(&address_, size_bytes));
    std::memset(address_, 0, size_bytes);
  }
  ~PinnedBytes() { ACL(aclrtFreeHost)(address_); }
  PinnedBytes(const PinnedBytes&) = delete;
  PinnedBytes& operator=(const PinnedBytes&) = delete;
  void* get() const { return address_; }
  uint8_t* bytes() const { return static_cast<uint8_t*>(address_); }
  size_t size_bytes() const { return size_bytes_; }

 private:
  void* address_ = nullptr;
  size_t size_bytes_ = 0;
};

// Device memory that was freed: a copy from it is accepted, and fails when it runs.
inline void* DeadAddress() {
  void* address = nullptr;
  REQUIRE_ACL(ACL(aclrtMalloc)(&address, 256, ACL_MEM_MALLOC_HUGE_FIRST));
  REQUIRE_ACL(ACL(aclrtFree)(address));
  return address;
}

// What a library answers that has the function and the chip not.
inline bool IsUnsupported(aclError code) {
  return code == ACL_ERROR_RT_FEATURE_NOT_SUPPORT || code == ACL_ERROR_API_NOT_SUPPORT ||
         code == ACL_ERROR_FEATURE_UNSUPPORTED;
}

// Checks that the call succeeded or is not supported; true when it succeeded.
inline bool CheckDoneOrUnsupported(aclError code) {
  INFO(code);
  CHECK((code == ACL_SUCCESS || IsUnsupported(code)));
  return code == ACL_SUCCESS;
}

inline aclrtContext CurrentContext() {
  aclrtContext context = nullptr;
  REQUIRE_ACL(ACL(aclrtGetCurrentContext)(&context));
  return context;
}

inline size_t FreeBytes() {
  size_t free = 0;
  size_t total = 0;
  REQUIRE_ACL(ACL(aclrtGetMemInfo)(ACL_HBM_MEM, &free, &total));
  return free;
}

inline std::vector<uint8_t> Sequence(size_t count) {
  std::vector<uint8_t> bytes(count);
  std::iota(bytes.begin(), bytes.end(), uint8_t{1});
  return bytes;
}

inline uint64_t ThisThread() { return static_cast<uint64_t>(pthread_self()); }

inline void CountUp(void* counter) { ++*static_cast<std::atomic<int>*>(counter); }

// Runs `body` in a thread of its own and waits for it. Catch is not to be touched inside.
template <typename Body>
void InNewThread(const Body& body) {
  std::thread(body).join();
}

}  // namespace omserve::hostacl
