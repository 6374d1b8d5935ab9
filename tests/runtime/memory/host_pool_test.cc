// SPDX-License-Identifier: Apache-2.0
#include "runtime/memory/host_pool.h"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/thread.h"
#include "tests/runtime/acl/acl_fixture.h"

namespace omserve::memory {
namespace {

using Catch::Matchers::Contains;

std::string Words(const absl::Status& status) { return std::string(MessageOf(status)); }

size_t BlockBytes(size_t size_bytes) {
  return std::bit_ceil(std::max<size_t>((size_bytes + 63) / 64, 1)) * 64;
}

// A block has the size asked for, 64-byte aligned, and is counted as the power of two it takes.
TEST_CASE("a host block has the size asked for") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const std::unique_ptr<HostPool> pool = VALUE(HostPool::Create(*opened.device, 4096));
  CHECK(pool->size_bytes() == 4096);
  {
    const HostBlock block = VALUE(pool->Allocate(65));
    CHECK(block);
    CHECK(block.bytes().size() == 65);
    CHECK(reinterpret_cast<uintptr_t>(block.bytes().data()) % 64 == 0);
    CHECK(pool->used_bytes() == 128);
  }
  CHECK(pool->used_bytes() == 0);
  CHECK(pool->peak_bytes() == 128);
}

// A block for nothing is a block all the same, with an empty span.
TEST_CASE("a host block of size 0 is empty") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const std::unique_ptr<HostPool> pool = VALUE(HostPool::Create(*opened.device, 4096));
  const HostBlock block = VALUE(pool->Allocate(0));
  CHECK(block);
  CHECK(block.bytes().empty());
}

// Blocks change hands without a copy, and each goes back once.
TEST_CASE("a host block can be moved") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const std::unique_ptr<HostPool> pool = VALUE(HostPool::Create(*opened.device, 4096));
  HostBlock first = VALUE(pool->Allocate(64));
  HostBlock second = VALUE(pool->Allocate(128));
  const std::byte* data = first.bytes().data();
  second = std::move(first);
  CHECK(second.bytes().data() == data);
  CHECK(pool->used_bytes() == 64);
  HostBlock third = std::move(second);
  CHECK_FALSE(second);  // NOLINT(bugprone-use-after-move): the state is what is tested.
  third = HostBlock();
  CHECK(pool->used_bytes() == 0);
}

// What the pool could never hold is the request's fault; what it cannot hold now is the moment's.
TEST_CASE("a host pool tells too large from used up") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const std::unique_ptr<HostPool> pool = VALUE(HostPool::Create(*opened.device, 4096));
  for (const size_t size_bytes : {size_t{4097}, size_t{1} << 62, SIZE_MAX}) {
    const absl::Status status = pool->Allocate(size_bytes).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK_THAT(Words(status), Contains(fmt::format("{} bytes", size_bytes)) && Contains("4096"));
  }
  HostBlock all = VALUE(pool->Allocate(4096));
  const absl::Status status = pool->Allocate(1).status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(Words(status), Contains("4096 of the pool's 4096 bytes are in use"));
  all = HostBlock();
  REQUIRE_OK(pool->Allocate(4096));
}

// A pool below one block, and one that the host cannot pin, are errors with the size.
TEST_CASE("a host pool needs memory") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  CHECK(HostPool::Create(*opened.device, 0).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(HostPool::Create(*opened.device, 63).status().code() == absl::StatusCode::kInvalidArgument);
  const absl::Status status = HostPool::Create(*opened.device, size_t{1} << 60).status();
  CHECK_FALSE(status.ok());
  CHECK_THAT(Words(status), Contains("pinned host pool of 1152921504606846976 bytes"));
}

// A size that is no power of two is usable to the last 64 bytes.
TEST_CASE("a host pool uses all of an odd size") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const std::unique_ptr<HostPool> pool = VALUE(HostPool::Create(*opened.device, 64 * 100 + 63));
  CHECK(pool->size_bytes() == 6400);
  std::vector<HostBlock> blocks;
  for (int i = 0; i < 100; ++i) {
    blocks.push_back(VALUE(pool->Allocate(64)));
  }
  CHECK(pool->Allocate(1).status().code() == absl::StatusCode::kUnavailable);
  blocks.clear();
  REQUIRE_OK(pool->Allocate(64 * 64));
  CHECK(pool->Allocate(64 * 64 + 1).status().code() == absl::StatusCode::kInvalidArgument);
}

// Random use: blocks never overlap, keep their bytes, are counted to the byte, and the freed pool
// is whole again.
TEST_CASE("host blocks never overlap and join when freed") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const uint32_t seed = GENERATE(1U, 2U, 3U, 4U);
  INFO("seed " << seed);
  std::mt19937 random(seed);  // NOLINT: the same use in every run.
  constexpr size_t kPoolBytes = size_t{64} * 3000;
  const std::unique_ptr<HostPool> pool = VALUE(HostPool::Create(*opened.device, kPoolBytes));
  struct Used {
    HostBlock block;
    std::byte fill;
  };
  std::vector<Used> used;
  size_t used_bytes = 0;
  size_t peak_bytes = 0;
  for (int step = 0; step < 3000; ++step) {
    if (used.empty() || random() % 5 < 3) {
      const size_t size_bytes = random() % (size_t{1} << (random() % 16));
      absl::StatusOr<HostBlock> block = pool->Allocate(size_bytes);
      if (!block.ok()) {
        REQUIRE(block.status().code() == absl::StatusCode::kUnavailable);
        continue;
      }
      const auto fill = static_cast<std::byte>(step);
      std::fill(block->bytes().begin(), block->bytes().end(), fill);
      used_bytes += BlockBytes(size_bytes);
      peak_bytes = std::max(peak_bytes, used_bytes);
      used.push_back({std::move(block).value(), fill});
    } else {
      std::swap(used[random() % used.size()], used.back());
      const std::span<std::byte> bytes = used.back().block.bytes();
      REQUIRE(std::all_of(bytes.begin(), bytes.end(),
                          [&used](std::byte byte) { return byte == used.back().fill; }));
      used_bytes -= BlockBytes(bytes.size());
      used.pop_back();
    }
    REQUIRE(pool->used_bytes() == used_bytes);
    REQUIRE(pool->peak_bytes() == peak_bytes);
  }
  used.clear();
  CHECK(pool->used_bytes() == 0);
  REQUIRE_OK(pool->Allocate(size_t{64} << 11));  // The largest block that 3000 * 64 has.
}

// Several threads take, fill and free at once; every block keeps its own bytes.
TEST_CASE("a host pool is thread-safe") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const std::unique_ptr<HostPool> pool = VALUE(HostPool::Create(*opened.device, size_t{1} << 16));
  std::atomic<int> broken_count{0};
  {
    std::vector<std::jthread> threads;
    for (uint32_t thread = 0; thread < 4; ++thread) {
      threads.push_back(StartThread("pool-user", [&pool, &broken_count, thread] {
        std::mt19937 random(thread);  // NOLINT: the same use in every run.
        for (int step = 0; step < 500; ++step) {
          absl::StatusOr<HostBlock> block = pool->Allocate(random() % 3000);
          if (!block.ok()) {
            continue;
          }
          const std::span<std::byte> bytes = block->bytes();
          std::fill(bytes.begin(), bytes.end(), static_cast<std::byte>(thread));
          broken_count +=
              static_cast<int>(std::count_if(bytes.begin(), bytes.end(), [thread](std::byte byte) {
                return byte != static_cast<std::byte>(thread);
              }));
        }
      }));
    }
  }
  CHECK(broken_count == 0);
  CHECK(pool->used_bytes() == 0);
  REQUIRE_OK(pool->Allocate(size_t{1} << 16));
}

}  // namespace
}  // namespace omserve::memory
