/* SPDX-License-Identifier: Apache-2.0 */
/* As acl.h, in part. */
#pragma once

#include "runtime/acl/acl_abi_mdl.h"
