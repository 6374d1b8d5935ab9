// SPDX-License-Identifier: Apache-2.0
// Host memory of the program's own that aclrtHostRegister lets the device use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "absl/status/status.h"
#include "runtime/base/mutex.h"

namespace omserve::hostacl {

// The device's address of such memory is the host's, as on chips with one address space for both.
// Thread-safe.
class RegisteredMemory final {
 public:
  // ACL_ERROR_RT_PARAM_INVALID for no bytes, a start that is not on 4096 or a range that meets one
  // that is registered.
  absl::Status Register(void* address, uint64_t size_bytes);
  // ACL_ERROR_RT_PARAM_INVALID when no registered range starts there.
  absl::Status Unregister(void* address);
  // Whether [address, address + count) lies in one range.
  bool Covers(const void* address, size_t count) const;

 private:
  mutable Mutex mu_;
  std::map<uintptr_t, uintptr_t> ranges_ ABSL_GUARDED_BY(mu_);  // Begin to end.
};

}  // namespace omserve::hostacl
