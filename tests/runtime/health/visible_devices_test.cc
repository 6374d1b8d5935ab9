// SPDX-License-Identifier: Apache-2.0
#include "runtime/health/visible_devices.h"

#include <catch2/catch.hpp>

namespace omserve::health {
namespace {

// Without the variable AscendCL and the driver count alike.
TEST_CASE("Without a list of visible devices the numbers are the driver's") {
  CHECK(LogicalDeviceId(std::nullopt, 0) == 0U);
  CHECK(LogicalDeviceId(std::nullopt, 7) == 7U);
  CHECK_FALSE(LogicalDeviceId(std::nullopt, -1).has_value());
}

// With it a device's number is its place in the list.
TEST_CASE("A list of visible devices renumbers them") {
  CHECK(LogicalDeviceId("1,2,5", 0) == 1U);
  CHECK(LogicalDeviceId("1,2,5", 2) == 5U);
  CHECK_FALSE(LogicalDeviceId("1,2,5", 3).has_value());
  CHECK(LogicalDeviceId("3,1", 0) == 3U);
}

// AscendCL reads the list up to what is no number.
TEST_CASE("A list of visible devices ends at its first fault") {
  CHECK(LogicalDeviceId("1, 2", 0) == 1U);
  CHECK_FALSE(LogicalDeviceId("1, 2", 1).has_value());
  CHECK_FALSE(LogicalDeviceId("1,-1,2", 1).has_value());
  CHECK_FALSE(LogicalDeviceId("1,,2", 1).has_value());
  CHECK_FALSE(LogicalDeviceId("1,99999999999,2", 1).has_value());
  CHECK_FALSE(LogicalDeviceId("", 0).has_value());
  CHECK_FALSE(LogicalDeviceId("all", 0).has_value());
}

}  // namespace
}  // namespace omserve::health
