// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/probe.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/runtime/acl/acl_fixture.h"

namespace omserve::acl {
namespace {

using Catch::Matchers::Contains;

// Every device tells its memory and its state, and is closed again.
TEST_CASE("devices are probed") {
  const std::unique_ptr<Runtime> runtime =
      VALUE(testing::TryOpenRuntime("\"device_count\": 2, \"memory_bytes\": 67108864"));
  for (int round = 0; round < 2; ++round) {
    const std::vector<DeviceProbe> probes = ProbeDevices(*runtime);
    REQUIRE(probes.size() == 2);
    for (int id = 0; id < 2; ++id) {
      const DeviceProbe& probe = probes[static_cast<size_t>(id)];
      CHECK(probe.id == id);
      REQUIRE_OK(probe.status);
      CHECK(probe.memory.total_bytes == 67108864);
      CHECK(probe.memory.free_bytes == probe.memory.total_bytes);
      CHECK(probe.is_normal == true);
      CHECK(probe.utilization_percent.has_value());
    }
  }
  CHECK(RunModeName(*runtime) == "host");
}

// What an old library cannot say is absent; the rest is there.
TEST_CASE("devices of an old library are probed") {
  const std::unique_ptr<Runtime> runtime =
      VALUE(Runtime::Open({.library = OMSERVE_LEGACY_LIBRARY, .config_file = ""}));
  const std::vector<DeviceProbe> probes = ProbeDevices(*runtime);
  REQUIRE(probes.size() == 1);
  REQUIRE_OK(probes[0].status);
  CHECK(probes[0].memory.total_bytes > 0);
  CHECK_FALSE(probes[0].is_normal.has_value());
  CHECK_FALSE(probes[0].utilization_percent.has_value());
}

// A device that cannot be opened says why, in its own row.
TEST_CASE("a device that cannot be opened is probed") {
  const std::unique_ptr<Runtime> runtime = VALUE(
      Runtime::Open({.library = OMSERVE_FAILING_LIBRARY, .config_file = "aclrtSetDevice=507033"}));
  const std::vector<DeviceProbe> probes = ProbeDevices(*runtime);
  REQUIRE(probes.size() == 1);
  CHECK_THAT(std::string(MessageOf(probes[0].status)), Contains("507033"));
}

}  // namespace
}  // namespace omserve::acl
