/* SPDX-License-Identifier: Apache-2.0 */
/* AscendCL's C interface as omserve uses it: types, numbers, layouts and functions, restated by us
 * as interface facts. Valid for CANN 5.0 to 9.x, in which no function was removed and no parameter
 * type changed. The classic set exists in every release; a function that came later says since
 * which one, and a caller binds it weakly.
 *
 * Compiles as C and as C++. Names are the interface's own, not ours. An `aclError` is 0 for
 * success. "host" and "device" pointers are both void*: where ACL_HOST is the run mode, device
 * addresses are a separate address space that the host must not touch.
 */
#pragma once

#include "runtime/acl/acl_abi_errors.h"
#include "runtime/acl/acl_abi_mdl.h"
#include "runtime/acl/acl_abi_prof.h"
#include "runtime/acl/acl_abi_rt.h"
#include "runtime/acl/acl_abi_types.h"
