// SPDX-License-Identifier: Apache-2.0
#include "runtime/memory/device_pool.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/runtime/acl/acl_fixture.h"

namespace omserve::memory {
namespace {

using Catch::Matchers::Contains;

std::string Words(const absl::Status& status) { return std::string(MessageOf(status)); }

// The rule for pieces of one block: to 32, 32 more, the next piece on 64.
size_t PieceBytes(size_t size_bytes) { return ((size_bytes + 31) / 32 * 32 + 32 + 63) / 64 * 64; }

// Pieces are on 64 bytes and have AscendCL's 32 bytes behind them.
TEST_CASE("device blocks follow the rule for sub-allocation") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const std::unique_ptr<DevicePool> pool = VALUE(DevicePool::Create(*opened.device, 4096));
  const std::map<size_t, size_t> expected = {{0, 64},   {1, 64},   {32, 64},
                                             {33, 128}, {64, 128}, {97, 192}};
  for (const auto& [size_bytes, piece_bytes] : expected) {
    INFO(size_bytes);
    const acl::DevicePtr block = VALUE(pool->Allocate(size_bytes));
    CHECK(block.address % 64 == 0);
    CHECK(pool->used_bytes() == piece_bytes);
    pool->Free(block);
    CHECK(pool->used_bytes() == 0);
  }
  CHECK(pool->peak_bytes() == 192);
}

// The pool's memory is the device's, taken once, and goes back with the pool.
TEST_CASE("a device pool takes its memory once") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const size_t before = testing::FreeBytes(*opened.device);
  {
    const std::unique_ptr<DevicePool> pool =
        VALUE(DevicePool::Create(*opened.device, size_t{1} << 20));
    const size_t with_pool = testing::FreeBytes(*opened.device);
    CHECK(with_pool <= before - (size_t{1} << 20));
    const acl::DevicePtr block = VALUE(pool->Allocate(1000));
    CHECK(testing::FreeBytes(*opened.device) == with_pool);
    REQUIRE_OK(opened.device->Clear(block, 1000));
    pool->Free(block);
  }
  CHECK(testing::FreeBytes(*opened.device) == before);
}

// What does not fit is refused with all the numbers that explain it.
TEST_CASE("a used up device pool is resource exhausted") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const std::unique_ptr<DevicePool> pool = VALUE(DevicePool::Create(*opened.device, 1024));
  std::vector<acl::DevicePtr> blocks;
  for (int i = 0; i < 4; ++i) {
    blocks.push_back(VALUE(pool->Allocate(224)));
  }
  absl::Status status = pool->Allocate(1).status();
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(Words(status), Contains("1 bytes") && Contains("0 of the pool's 1024 bytes"));
  pool->Free(blocks[0]);
  pool->Free(blocks[2]);
  status = pool->Allocate(225).status();
  CHECK_THAT(Words(status), Contains("512 of the pool's 1024 bytes are free, 256 in one piece"));
  for (const size_t size_bytes : {size_t{1025}, SIZE_MAX - 10, SIZE_MAX}) {
    CHECK(pool->Allocate(size_bytes).status().code() == absl::StatusCode::kResourceExhausted);
  }
  pool->Free(blocks[1]);
  pool->Free(blocks[3]);
}

// A pool below one block, and one that the device cannot give, are errors with the size.
TEST_CASE("a device pool needs memory") {
  const testing::OpenedDevice opened = testing::OpenDevice("\"memory_bytes\": 16777216");
  CHECK(DevicePool::Create(*opened.device, 63).status().code() ==
        absl::StatusCode::kInvalidArgument);
  const absl::Status status = DevicePool::Create(*opened.device, size_t{1} << 30).status();
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(Words(status), Contains("memory pool of 1073741824 bytes on device 0"));
}

// Of several holes the smallest that fits is taken, so that the large ones stay.
TEST_CASE("a device pool takes the best fit") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const std::unique_ptr<DevicePool> pool = VALUE(DevicePool::Create(*opened.device, 4096));
  const acl::DevicePtr large = VALUE(pool->Allocate(992));
  const acl::DevicePtr fence = VALUE(pool->Allocate(32));
  const acl::DevicePtr small = VALUE(pool->Allocate(224));
  const acl::DevicePtr end = VALUE(pool->Allocate(32));
  pool->Free(large);
  pool->Free(small);
  const acl::DevicePtr again = VALUE(pool->Allocate(200));
  CHECK(again == small);
  const acl::DevicePtr next = VALUE(pool->Allocate(500));
  CHECK(next == large);
  for (const acl::DevicePtr block : {fence, end, again, next}) {
    pool->Free(block);
  }
}

// Random use: blocks lie inside the pool, never overlap, are counted to the byte, and the freed
// pool is one piece again.
TEST_CASE("device blocks never overlap and join when freed") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const uint32_t seed = GENERATE(1U, 2U, 3U, 4U);
  INFO("seed " << seed);
  std::mt19937 random(seed);  // NOLINT: the same use in every run.
  constexpr size_t kPoolBytes = size_t{1} << 18;
  const std::unique_ptr<DevicePool> pool = VALUE(DevicePool::Create(*opened.device, kPoolBytes));
  const acl::DevicePtr base = VALUE(pool->Allocate(1));
  pool->Free(base);
  std::map<uintptr_t, size_t> used;  // address -> piece
  size_t used_bytes = 0;
  for (int step = 0; step < 4000; ++step) {
    if (used.empty() || random() % 5 < 3) {
      const size_t size_bytes = random() % (size_t{1} << (random() % 17));
      const absl::StatusOr<acl::DevicePtr> block = pool->Allocate(size_bytes);
      if (!block.ok()) {
        REQUIRE(block.status().code() == absl::StatusCode::kResourceExhausted);
        continue;
      }
      const size_t piece_bytes = PieceBytes(size_bytes);
      const auto [place, is_new] = used.emplace(block->address, piece_bytes);
      REQUIRE(is_new);
      REQUIRE(block->address >= base.address);
      REQUIRE(block->address + piece_bytes <= base.address + kPoolBytes);
      if (place != used.begin()) {
        REQUIRE(std::prev(place)->first + std::prev(place)->second <= block->address);
      }
      if (std::next(place) != used.end()) {
        REQUIRE(block->address + piece_bytes <= std::next(place)->first);
      }
      used_bytes += piece_bytes;
    } else {
      const auto victim = std::next(used.begin(), static_cast<long>(random() % used.size()));
      pool->Free(acl::DevicePtr{victim->first});
      used_bytes -= victim->second;
      used.erase(victim);
    }
    REQUIRE(pool->used_bytes() == used_bytes);
  }
  for (const auto& [address, piece_bytes] : used) {
    pool->Free(acl::DevicePtr{address});
  }
  const acl::DevicePtr whole = VALUE(pool->Allocate(kPoolBytes - 32));
  CHECK(whole == base);
  CHECK(pool->peak_bytes() == kPoolBytes);
  pool->Free(whole);
}

}  // namespace
}  // namespace omserve::memory
