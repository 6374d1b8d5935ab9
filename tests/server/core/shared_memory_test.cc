// SPDX-License-Identifier: Apache-2.0
#include "server/core/shared_memory.h"

#include <catch2/catch.hpp>
#include <limits>

#include "tests/shared_object.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::StartsWith;
using testing::SharedObject;

std::string Refusal(const absl::Status& status, absl::StatusCode code) {
  CHECK(status.code() == code);
  return std::string(MessageOf(status));
}

// Triton's words, which its clients look for.
TEST_CASE("Regions are named, listed and forgotten",
          "[shared_memory][1.11/register][1.11/duplicate][1.11/no-object]"
          "[1.11/object-too-small][1.11/status-unknown][1.11/unregister-unknown]") {
  const SharedObject object(8192);
  SharedMemory memory(nullptr);
  REQUIRE_OK(memory.Register({"b", object.key(), 0, 4096}));
  REQUIRE_OK(memory.Register({"a", object.key(), 4096, 4096}));
  CHECK(Refusal(memory.Register({"a", object.key(), 0, 1}), absl::StatusCode::kAlreadyExists) ==
        "shared memory region 'a' already in manager");
  const auto all = VALUE(memory.List(""));
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "a");
  CHECK(all[0].offset_bytes == 4096);
  CHECK(all[1].key == object.key());
  CHECK(VALUE(memory.List("b")).front().size_bytes == 4096);
  CHECK(Refusal(memory.List("c").status(), absl::StatusCode::kNotFound) ==
        "Unable to find system shared memory region: 'c'");
  memory.Unregister("c");
  memory.Unregister("a");
  CHECK(VALUE(memory.List("")).size() == 1);
  memory.UnregisterAll();
  CHECK(VALUE(memory.List("")).empty());
  CHECK_THAT(Refusal(memory.Register({"a", "/nobody's", 0, 1}), absl::StatusCode::kInvalidArgument),
             StartsWith("failed to register shared memory region 'a': Unable to open shared memory "
                        "region: '/nobody's'"));
  CHECK_THAT(
      Refusal(memory.Register({"a", object.key(), 0, 8193}), absl::StatusCode::kInvalidArgument),
      StartsWith("failed to register shared memory region 'a'"));
  CHECK(Refusal(memory.Register({"", object.key(), 0, 1}), absl::StatusCode::kInvalidArgument) ==
        "a shared memory region needs a name, got none");
}

// A place is all within its region, whatever the numbers, and keeps the memory when the name goes.
TEST_CASE("Places are found within their region",
          "[shared_memory][1.11/bounds][1.11/unknown-region][1.11/unregister-in-flight]") {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  SharedObject object(4096);
  SharedMemory memory(nullptr);
  REQUIRE_OK(memory.Register({"r", object.key(), 1000, 1000}));
  object.Write(1900, "here");
  const SharedBytes found = VALUE(memory.Find({"r", 900, 100}));
  CHECK(found.bytes.size() == 100);
  CHECK_FALSE(found.is_pinned);
  memory.Unregister("r");
  CHECK(std::memcmp(found.bytes.data(), "here", 4) == 0);
  CHECK(Refusal(memory.Find({"r", 0, 1}).status(), absl::StatusCode::kNotFound) ==
        "Unable to find shared memory region: 'r'");
  REQUIRE_OK(memory.Register({"r", object.key(), 0, 4096}));
  for (const SharedPlace& place : {SharedPlace{"r", 0, 4097}, SharedPlace{"r", 4097, 0},
                                   SharedPlace{"r", 1, kMost}, SharedPlace{"r", kMost, 1}}) {
    CHECK_THAT(Refusal(memory.Find(place).status(), absl::StatusCode::kInvalidArgument),
               StartsWith("Invalid offset + byte size for shared memory region: 'r'"));
  }
  CHECK(VALUE(memory.Find({"r", 4096, 0})).bytes.empty());
}

// Whose client has cut it short is of no use any more, until it is registered anew.
TEST_CASE("A region that was cut short is told of", "[shared_memory][1.11/object-too-small]") {
  SharedObject object(8192);
  SharedMemory memory(nullptr);
  REQUIRE_OK(memory.Register({"r", object.key(), 0, 8192}));
  const SharedBytes found = VALUE(memory.Find({"r", 0, 8192}));
  object.Truncate(0);
  CHECK(found.bytes[5000] == std::byte{0});
  CHECK_THAT(
      Refusal(memory.Find({"r", 0, 1}).status(), absl::StatusCode::kFailedPrecondition),
      StartsWith("shared memory region 'r' was made smaller than it was when it was registered"));
}

}  // namespace
}  // namespace omserve::server
