// SPDX-License-Identifier: Apache-2.0
// A library with the first few functions of AscendCL only, as a release before CANN 5.0 would look.
#include "runtime/acl/acl_abi.h"

extern "C" {
aclError aclInit(const char*) noexcept { return ACL_SUCCESS; }
aclError aclFinalize() noexcept { return ACL_SUCCESS; }
aclError aclrtGetVersion(int32_t*, int32_t*, int32_t*) noexcept { return ACL_SUCCESS; }
}
