// SPDX-License-Identifier: Apache-2.0
// From an address of the C interface to the bytes behind it, whichever memory it names.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/acl_abi.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/device.h"
#include "runtime/hostacl/pinned_memory.h"
#include "runtime/hostacl/registered_memory.h"
#include "runtime/hostacl/strict/order_checker.h"

namespace omserve::hostacl {

// Host memory that may be named: what a task uses later must be AscendCL's.
enum class HostMemory { kAny, kLocked };

// What aclrtMemcpy and aclrtMemcpyAsync are given.
struct CopyRequest {
  void* target = nullptr;
  size_t target_limit = 0;  // Bytes.
  const void* source = nullptr;
  size_t count = 0;  // Bytes.
  HostMemory host = HostMemory::kAny;
};

// Thread-safe.
class MemoryMap final {
 public:
  // `order` is strict mode's, null where that is off; it outlives the map.
  MemoryMap(std::vector<std::shared_ptr<Device>> devices, aclrtRunMode run_mode,
            OrderChecker* order)
      : devices_(std::move(devices)), run_mode_(run_mode), order_(order) {}

  // Null when the address is of no device's range.
  std::shared_ptr<Device> DeviceOf(const void* address) const;
  // Bytes that a device task may use: device memory, registered host memory, and on a board with
  // one memory (ACL_DEVICE) also what aclrtMallocHost gave. ACL_ERROR_RT_PARAM_INVALID naming the
  // address.
  absl::StatusOr<std::byte*> DeviceBytes(const void* address, size_t count,
                                         DeviceMemory::Slack slack) const;
  // As the above, and tells strict mode that this thread's task, or the host, reads or writes the
  // bytes. One step, as those below are: a free in another thread comes before it, and nothing is
  // found, or after it, and strict mode knows of the use.
  absl::StatusOr<std::byte*> UseDeviceBytes(const void* address, size_t count,
                                            DeviceMemory::Slack slack, bool is_write) const
      ABSL_LOCKS_EXCLUDED(use_mu_);
  // Copies, and sets to a value, between and in any memory. Errors as the above, and
  // ACL_ERROR_RT_SYS_DMA where host memory has to be locked (request.host) and is not.
  absl::Status Move(const CopyRequest& request) const ABSL_LOCKS_EXCLUDED(use_mu_);
  absl::Status Set(void* target, int32_t value, size_t count) const ABSL_LOCKS_EXCLUDED(use_mu_);
  // What aclrtMalloc and aclrtMallocHost gave. ACL_ERROR_RT_PARAM_INVALID for other addresses.
  absl::Status FreeDevice(void* address) const ABSL_LOCKS_EXCLUDED(use_mu_);
  absl::Status FreePinned(void* address) ABSL_LOCKS_EXCLUDED(use_mu_);

  // Tells strict mode that this thread's task, or the host, reads or writes these bytes.
  void Touch(const void* address, size_t count, bool is_write) const {
    if (order_ != nullptr) {
      order_->Touched(address, count, is_write);
    }
  }
  OrderChecker* order() const { return order_; }

  const std::vector<std::shared_ptr<Device>>& devices() const { return devices_; }
  aclrtRunMode run_mode() const { return run_mode_; }
  PinnedMemory& pinned() { return pinned_; }
  const PinnedMemory& pinned() const { return pinned_; }
  RegisteredMemory& registered() { return registered_; }
  // Whether these bytes of host memory are AscendCL's to use later, because it gave or was given
  // them.
  bool IsLockedHost(const void* address, size_t count) const {
    return pinned_.Covers(address, count) || registered_.Covers(address, count);
  }

 private:
  const std::vector<std::shared_ptr<Device>> devices_;
  // As DeviceMemory::Translate; tells strict mode of an address that is not there.
  absl::StatusOr<std::byte*> Translate(const Device& device, const void* address, size_t count,
                                       DeviceMemory::Slack slack) const;
  // Device or host memory. Host addresses that may be any are believed, as the C interface has to.
  absl::StatusOr<std::byte*> AnyBytes(const void* address, size_t count, HostMemory host) const;
  absl::Status MoveHere(const CopyRequest& request) const;
  absl::Status SetHere(void* target, int32_t value, size_t count) const;

  const aclrtRunMode run_mode_;
  OrderChecker* const order_;
  // Held over what strict mode is told and what is done, so that the two are one step: over the
  // locks of the checker, of the memories and of the log, which take no other. Not taken where
  // strict mode is off.
  mutable Mutex use_mu_;
  PinnedMemory pinned_;
  RegisteredMemory registered_;
};

// Arguments that can be judged without looking at memory. ACL_ERROR_INVALID_PARAM for null
// addresses or a kind that is none, ACL_ERROR_RT_PARAM_INVALID when count exceeds the limit.
absl::Status CheckCopy(const CopyRequest& request, aclrtMemcpyKind kind);
// Copies in this thread. The direction is what the addresses say. ACL_ERROR_RT_PARAM_INVALID when a
// range is not in one live allocation.
absl::Status Copy(const MemoryMap& map, const CopyRequest& request);
// `height` rows, the next one a pitch further on either side, as one copy. Errors as Copy.
absl::Status CopyRows(const MemoryMap& map, const CopyRequest& first_row, size_t target_pitch,
                      size_t source_pitch, size_t height);

}  // namespace omserve::hostacl
