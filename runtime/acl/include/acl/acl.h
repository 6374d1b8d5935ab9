/* SPDX-License-Identifier: Apache-2.0 */
/* For programs that are written to AscendCL's documents: what they include, ours. */
#pragma once

#include "runtime/acl/acl_abi.h"
