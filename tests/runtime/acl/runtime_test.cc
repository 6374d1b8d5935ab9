// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "tests/runtime/acl/acl_fixture.h"

namespace omserve::acl {
namespace {

using Catch::Matchers::Contains;
using testing::TryOpenRuntime;

std::string Words(const absl::Status& status) { return std::string(MessageOf(status)); }

// The CPU device of this build opens and says what it is.
TEST_CASE("a runtime opens and describes itself") {
  const std::unique_ptr<Runtime> runtime = VALUE(TryOpenRuntime(""));
  CHECK(runtime->library() == std::filesystem::canonical(testing::kHostLibrary));
  CHECK(runtime->soc_name() == "OmserveHost");
  CHECK(runtime->is_host());
  CHECK(runtime->device_count() == 1);
  const std::string& version = runtime->version();
  CHECK(std::count(version.begin(), version.end(), '.') == 2);
  CHECK(version.find_first_not_of("0123456789.") == std::string::npos);
}

// Closing gives everything back: a second runtime in the same process is like the first.
TEST_CASE("a runtime can be opened again after it was closed") {
  for (int round = 0; round < 3; ++round) {
    const testing::OpenedDevice opened = testing::OpenDevice();
    CHECK(opened.device->id() == 0);
  }
}

// A path that is not there is unavailable, named, with what to install.
TEST_CASE("a missing library is unavailable") {
  const absl::Status status =
      Runtime::Open({.library = "no/such/libascendcl.so", .config_file = ""}).status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(Words(status), Contains("no/such/libascendcl.so") && Contains("install CANN"));
}

// Without a path all four places are tried in order; the loader's own comes first.
TEST_CASE("without a path the usual places are tried") {
  const absl::StatusOr<std::unique_ptr<Runtime>> runtime =
      Runtime::Open({.library = "", .config_file = ""});
  if (runtime.ok()) {  // A machine with CANN, or a process that has opened a library of this name.
    CHECK_THAT((*runtime)->library(), Catch::Matchers::EndsWith("libascendcl.so"));
    return;
  }
  if (runtime.status().code() == absl::StatusCode::kUnavailable) {
    const std::string words = Words(runtime.status());
    size_t at = 0;
    for (const char* place : {"'libascendcl.so'", "/../lib/libascendcl.so'",
                              "/../lib/omserve/libascendcl.so'", "/bin/libascendcl.so'"}) {
      INFO(words);
      at = words.find(place, at);
      REQUIRE(at != std::string::npos);
    }
  }
}

// A library that lacks a function which every release since 5.0 has is refused by that function.
TEST_CASE("a library without a needed function is unavailable") {
  const absl::Status status =
      Runtime::Open({.library = OMSERVE_PARTIAL_LIBRARY, .config_file = ""}).status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(Words(status), Contains("aclrtSetExceptionInfoCallback") && Contains("CANN 5.0") &&
                                Contains(OMSERVE_PARTIAL_LIBRARY));
}

// Task failures can be told to one runtime only, so a second at the same time is refused, and the
// first goes on.
TEST_CASE("a second runtime at the same time is refused") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  CHECK(TryOpenRuntime("").status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(testing::FreeBytes(*opened.device) > 0);
  REQUIRE_OK(opened.device->Allocate(64));
}

// The device's settings are the operator's: a mistake there is theirs, in the library's own words.
TEST_CASE("a config file that the library refuses is an invalid argument") {
  const absl::Status unknown_key = TryOpenRuntime("\"no_such_key\": 1").status();
  CHECK(unknown_key.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(Words(unknown_key), Contains("no_such_key") && Contains("acl.json"));
  const absl::Status missing =
      Runtime::Open({.library = testing::kHostLibrary, .config_file = "no_such.json"}).status();
  CHECK(missing.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(Words(missing), Contains("no_such.json"));
  REQUIRE_OK(TryOpenRuntime(""));
}

// Devices are numbered from 0; others are refused with the count.
TEST_CASE("a device that is not there is an invalid argument") {
  const std::unique_ptr<Runtime> runtime = VALUE(TryOpenRuntime("\"device_count\": 2"));
  CHECK(runtime->device_count() == 2);
  CHECK(VALUE(runtime->OpenDevice(1))->id() == 1);
  for (const int id : {-1, 2, 64}) {
    const absl::Status status = runtime->OpenDevice(id).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK_THAT(Words(status),
               Contains(fmt::format("device {}", id)) && Contains("shows 2 device(s)"));
  }
}

// Two devices have their own memories.
TEST_CASE("devices do not share memory") {
  const std::unique_ptr<Runtime> runtime =
      VALUE(TryOpenRuntime("\"device_count\": 2, \"memory_bytes\": 16777216"));
  const std::unique_ptr<Device> first = VALUE(runtime->OpenDevice(0));
  const std::unique_ptr<Device> second = VALUE(runtime->OpenDevice(1));
  REQUIRE_OK(first->Bind());
  const size_t before_first = testing::FreeBytes(*first);
  const DeviceBuffer buffer = VALUE(first->Allocate(size_t{1} << 20));
  CHECK(testing::FreeBytes(*first) < before_first);
  REQUIRE_OK(second->Bind());
  const Device::Memory memory = VALUE(second->memory());
  CHECK(memory.free_bytes == memory.total_bytes);
  REQUIRE_OK(first->Bind());
}

// What the CPU device says of itself; it has neither vector cores of their own nor an AI CPU.
TEST_CASE("a device tells its state") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  CHECK(VALUE(opened.device->IsNormal()));
  const Device::Utilization utilization = VALUE(opened.device->utilization());
  CHECK(utilization.cube == 0.0);
  CHECK_FALSE(utilization.vector.has_value());
  CHECK_FALSE(utilization.ai_cpu.has_value());
}

}  // namespace
}  // namespace omserve::acl
