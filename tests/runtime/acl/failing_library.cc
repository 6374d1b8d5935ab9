// SPDX-License-Identifier: Apache-2.0
// The CPU device with one function that fails: the file that aclInit is given is not a file but
// says which, as "aclrtSetDevice=507000". So looks a CANN whose driver is missing or does not fit.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "runtime/acl/acl_abi.h"

namespace {

std::string function;
aclError code = ACL_SUCCESS;

// The CPU device's own, which stands behind this library.
template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool Fails(const char* name) { return function == name; }

}  // namespace

extern "C" {

aclError aclInit(const char* path) noexcept {
  const char* equals = path == nullptr ? nullptr : std::strchr(path, '=');
  function = equals == nullptr ? "" : std::string(path, equals);
  code = equals == nullptr ? ACL_SUCCESS : std::atoi(equals + 1);
  return Fails("aclInit") ? code : Real<decltype(aclInit)>("aclInit")(nullptr);
}

aclError aclrtGetDeviceCount(uint32_t* count) noexcept {
  if (Fails("no_device")) {
    *count = 0;
    return ACL_SUCCESS;
  }
  return Fails("aclrtGetDeviceCount")
             ? code
             : Real<decltype(aclrtGetDeviceCount)>("aclrtGetDeviceCount")(count);
}

aclError aclrtSetDevice(int32_t device) noexcept {
  return Fails("aclrtSetDevice") ? code : Real<decltype(aclrtSetDevice)>("aclrtSetDevice")(device);
}
}
