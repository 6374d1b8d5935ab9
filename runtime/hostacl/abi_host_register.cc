// SPDX-License-Identifier: Apache-2.0
// The C interface: host memory that the device may use, what an address is, and the allocators that
// this device has not.
#include <unistd.h>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/memory_map.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

absl::Status RegisterHost(void* address, uint64_t size_bytes, aclrtHostRegisterType type,
                          void** device_address) {
  if (address == nullptr || device_address == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtHostRegister: an address is null");
  }
  switch (type) {
    case ACL_HOST_REGISTER_MAPPED:
      break;
    case ACL_HOST_REGISTER_IOMEMORY:
    case ACL_HOST_REGISTER_READONLY:
      return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                  "aclrtHostRegister: type {} is not supported; 0 (mapped) is",
                  static_cast<int>(type));
    default:
      return Fail(ACL_ERROR_INVALID_PARAM, "aclrtHostRegister: type {} is none",
                  static_cast<int>(type));
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  MemoryMap& memory = here.runtime->memory();
  if (memory.DeviceOf(address) != nullptr) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "aclrtHostRegister: {} is device memory",
                fmt::ptr(address));
  }
  RETURN_IF_ERROR(memory.registered().Register(address, size_bytes));
  *device_address = address;
  return absl::OkStatus();
}

absl::Status UnregisterHost(void* address) {
  if (address == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtHostUnregister: the address is null");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  return here.runtime->memory().registered().Unregister(address);
}

absl::Status GetAttributes(const void* address, aclrtPtrAttributes* attributes) {
  if (address == nullptr || attributes == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtPointerGetAttributes: a pointer is null");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  const MemoryMap& memory = here.runtime->memory();
  *attributes = aclrtPtrAttributes{};
  attributes->pageSize = static_cast<uint32_t>(sysconf(_SC_PAGESIZE));
  const std::shared_ptr<Device> device = memory.DeviceOf(address);
  if (device != nullptr) {
    attributes->location = {static_cast<uint32_t>(device->index()), ACL_MEM_LOCATION_TYPE_DEVICE};
  } else if (memory.IsLockedHost(address, 1)) {
    attributes->location.type = ACL_MEM_LOCATION_TYPE_HOST;
  } else {
    attributes->location.type = ACL_MEM_LOCATION_TYPE_UNREGISTERED;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclrtHostRegister(void* ptr, uint64_t size, aclrtHostRegisterType type,
                           void** devPtr) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::RegisterHost(ptr, size, type, devPtr); });
}

aclError aclrtHostUnregister(void* ptr) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::UnregisterHost(ptr); });
}

aclError aclrtPointerGetAttributes(const void* ptr, aclrtPtrAttributes* attributes) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetAttributes(ptr, attributes); });
}

aclError aclrtAllocatorRegister(aclrtStream /*stream*/,
                                aclrtAllocatorDesc /*allocatorDesc*/) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::Fail(
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
        "aclrtAllocatorRegister: models of this device take no memory while they run, so that "
        "there is nothing for an allocator to give");
  });
}

aclError aclrtMemPoolCreate(aclrtMemPool* /*memPool*/,
                            const aclrtMemPoolProps* /*poolProps*/) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::Fail(
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
        "aclrtMemPoolCreate: this device has no memory pools; allocate with aclrtMalloc");
  });
}
