// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/shared_mapping.h"

#include <catch2/catch.hpp>
#include <limits>
#include <thread>

#include "tests/shared_object.h"
#include "tests/status_test_util.h"

namespace omserve {
namespace {

using Catch::Matchers::Contains;
using testing::SharedObject;

constexpr size_t kPage = 4096;

std::string Refusal(const std::string& key, size_t offset_bytes, size_t size_bytes) {
  const auto mapping = SharedMapping::Open(key, offset_bytes, size_bytes);
  REQUIRE_FALSE(mapping.ok());
  CHECK(mapping.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(mapping.status()));
}

// From any byte of the object on; what one side writes the other reads.
TEST_CASE("A mapping is the object's memory") {
  const SharedObject object(3 * kPage);
  object.Write(kPage + 100, "from the client");
  const auto mapping = VALUE(SharedMapping::Open(object.key(), kPage + 100, kPage));
  CHECK(mapping->bytes().size() == kPage);
  CHECK(std::memcmp(mapping->bytes().data(), "from the client", 15) == 0);
  CHECK(reinterpret_cast<uintptr_t>(mapping->pages().data()) % kPage == 0);
  CHECK(mapping->pages().size() == 2 * kPage);
  std::memcpy(mapping->bytes().data(), "from the server", 15);
  CHECK(object.Read(kPage + 100, 15) == "from the server");
  CHECK_FALSE(mapping->lost());
}

// What is not all within the object, whatever the numbers.
TEST_CASE("A mapping is within its object") {
  constexpr size_t kMost = std::numeric_limits<size_t>::max();
  const SharedObject object(kPage);
  CHECK_THAT(Refusal(object.key(), 0, kPage + 1), Contains("4097 bytes from 0 are asked for"));
  Refusal(object.key(), 0, 0);
  Refusal(object.key(), kPage + 1, 1);
  Refusal(object.key(), 1, kMost);
  Refusal(object.key(), kMost, 1);
  Refusal(object.key(), kMost, kMost);
  CHECK_THAT(Refusal("/nobody's", 0, 1), Contains("Unable to open shared memory region"));
  CHECK_THAT(Refusal("../etc/passwd", 0, 1), Contains("Unable to open shared memory region"));
  Refusal("", 0, 1);
  Refusal(std::string("a\0b", 3), 0, 1);
}

// Its client cuts the object short: the bytes read as zeros on every thread, and the process lives.
TEST_CASE("A mapping outlives the end of its object") {
  const SharedObject object(2 * kPage);
  object.Write(kPage, "there");
  const auto mapping = VALUE(SharedMapping::Open(object.key(), 0, 2 * kPage));
  const auto other = VALUE(SharedMapping::Open(object.key(), 0, kPage));
  object.Truncate(kPage);
  std::string read(5, 'x');
  std::thread reader([&] { std::memcpy(read.data(), mapping->bytes().data() + kPage, 5); });
  reader.join();
  CHECK(read == std::string(5, '\0'));
  CHECK(mapping->lost());
  std::memcpy(mapping->bytes().data() + kPage, "lost", 4);
  CHECK_FALSE(other->lost());  // Its page is there.
  // The place in the table is used again, without its past.
  const auto next = VALUE(SharedMapping::Open(object.key(), 0, kPage));
  CHECK_FALSE(next->lost());
}

// There is a bound, and what was closed does not count.
TEST_CASE("So many mappings can be open") {
  const SharedObject object(kPage);
  std::vector<std::unique_ptr<SharedMapping>> open;
  while (open.size() < SharedMapping::kMost) {
    open.push_back(VALUE(SharedMapping::Open(object.key(), 0, kPage)));
  }
  CHECK(SharedMapping::Open(object.key(), 0, kPage).status().code() ==
        absl::StatusCode::kResourceExhausted);
  open.pop_back();
  CHECK(SharedMapping::Open(object.key(), 0, kPage).ok());
}

}  // namespace
}  // namespace omserve
