// SPDX-License-Identifier: Apache-2.0
// Host memory that aclrtMallocHost gave out: the only host memory that copies may use later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"

namespace omserve::hostacl {

// Thread-safe.
class PinnedMemory final {
 public:
  // Starts on 64 bytes. ACL_ERROR_RT_PARAM_INVALID for 0, ACL_ERROR_RT_MEMORY_ALLOCATION.
  absl::StatusOr<void*> Allocate(size_t size_bytes);
  absl::Status Free(void* address);
  // Whether [address, address + count) lies in one block.
  bool Covers(const void* address, size_t count) const;

 private:
  struct Release {
    void operator()(void* block) const { std::free(block); }
  };
  struct Block {
    std::unique_ptr<void, Release> bytes;
    size_t size_bytes;
  };

  mutable Mutex mu_;
  std::map<uintptr_t, Block> blocks_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::hostacl
