// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/shortage.h"

#include <catch2/catch.hpp>

#include "runtime/acl/device_error.h"
#include "runtime/base/errors.h"

namespace omserve::acl {
namespace {

TEST_CASE("Shortage: what a status carries") {
  const Shortage shortage{.device = 3, .missing_bytes = UINT64_MAX};
  const absl::Status refused = WithShortage(ResourceExhausted("no memory"), shortage);
  CHECK(ShortageOf(refused) == shortage);
  CHECK(ShortageOf(WithContext(refused, "model 'a'")) == shortage);
  CHECK(MessageOf(refused) == "no memory");
}

// What is short elsewhere is no reason to take anything off a device.
TEST_CASE("Shortage: only of a device") {
  constexpr int kDeviceMemory = 207018;  // ACL_ERROR_RT_DEVICE_OOM
  CHECK(ShortageOf(WithDeviceErrorCode(ResourceExhausted("used up"), kDeviceMemory)) == Shortage{});
  CHECK_FALSE(ShortageOf(WithDeviceErrorCode(Internal("a fault"), 507899)).has_value());
  CHECK_FALSE(ShortageOf(ResourceExhausted("pinned memory")).has_value());
  CHECK_FALSE(ShortageOf(absl::OkStatus()).has_value());
}

}  // namespace
}  // namespace omserve::acl
