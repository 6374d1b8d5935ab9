// SPDX-License-Identifier: Apache-2.0
// Device memory, pinned host memory, copies and fills.
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

constexpr aclrtMemMallocPolicy kPolicy = ACL_MEM_MALLOC_HUGE_FIRST;

std::vector<uint8_t> Sequence(size_t count) {
  std::vector<uint8_t> bytes(count);
  std::iota(bytes.begin(), bytes.end(), uint8_t{1});
  return bytes;
}

size_t FreeBytes() {
  size_t free = 0;
  size_t total = 0;
  REQUIRE_ACL(ACL(aclrtGetMemInfo)(ACL_HBM_MEM, &free, &total));
  return free;
}

// Allocations start on 64 bytes and are accounted for as the size rounded up to 32, plus 32.
TEST_CASE("Device memory is aligned and accounted for") {
  const AclSession session(R"({"memory_bytes": 1048576})");
  const size_t before = FreeBytes();
  CHECK(before == 1048576);
  std::vector<void*> blocks;
  for (const size_t size : {1U, 31U, 32U, 33U, 100U, 4096U}) {
    const size_t free = FreeBytes();
    void* block = nullptr;
    REQUIRE_ACL(ACL(aclrtMalloc)(&block, size, kPolicy));
    CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
    CHECK(free - FreeBytes() == (size + 31) / 32 * 32 + 32);
    blocks.push_back(block);
  }
  for (void* block : blocks) {
    REQUIRE_ACL(ACL(aclrtFree)(block));
  }
  CHECK(FreeBytes() == before);
  void* exact = nullptr;
  REQUIRE_ACL(ACL(aclrtMallocAlign32)(&exact, 33, kPolicy));
  CHECK(before - FreeBytes() == 64);
  REQUIRE_ACL(ACL(aclrtFree)(exact));
}

// More than there is gives 207001 with the numbers, and leaves what there is usable.
TEST_CASE("Running out of device memory is 207001") {
  const AclSession session(R"({"memory_bytes": 1048576})");
  void* block = nullptr;
  CHECK(ACL(aclrtMalloc)(&block, 1048576, kPolicy) == ACL_ERROR_RT_MEMORY_ALLOCATION);
  CHECK_THAT(RecentError(), Catch::Contains("1048576"));
  CHECK(ACL(aclrtMalloc)(&block, SIZE_MAX, kPolicy) == ACL_ERROR_RT_MEMORY_ALLOCATION);
  CHECK(ACL(aclrtMalloc)(&block, SIZE_MAX - 31, kPolicy) == ACL_ERROR_RT_MEMORY_ALLOCATION);
  REQUIRE_ACL(ACL(aclrtMalloc)(&block, 1048576 - 32, kPolicy));
  CHECK(FreeBytes() == 0);
  void* one = nullptr;
  CHECK(ACL(aclrtMalloc)(&one, 1, kPolicy) == ACL_ERROR_RT_MEMORY_ALLOCATION);
  REQUIRE_ACL(ACL(aclrtFree)(block));
}

// Sizes of 0, null pointers, and addresses that were never given out or are freed are refused.
TEST_CASE("Wrong allocations and frees are refused") {
  const AclSession session;
  void* block = nullptr;
  CHECK(ACL(aclrtMalloc)(&block, 0, kPolicy) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtMalloc)(nullptr, 64, kPolicy) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtFree)(nullptr) == ACL_ERROR_INVALID_PARAM);
  int local = 0;
  CHECK(ACL(aclrtFree)(&local) == ACL_ERROR_RT_PARAM_INVALID);
  REQUIRE_ACL(ACL(aclrtMalloc)(&block, 64, kPolicy));
  CHECK(ACL(aclrtFree)(static_cast<std::byte*>(block) + 32) == ACL_ERROR_RT_PARAM_INVALID);
  REQUIRE_ACL(ACL(aclrtFree)(block));
  CHECK(ACL(aclrtFree)(block) == ACL_ERROR_RT_PARAM_INVALID);
}

// Random allocations and frees never overlap, keep their contents, and end where they began.
TEST_CASE("Allocations keep apart under random use") {
  constexpr uint32_t kSeed = 20261122;
  INFO("seed " << kSeed);
  const AclSession session(R"({"memory_bytes": 4194304})");
  const size_t before = FreeBytes();
  std::mt19937 random(kSeed);
  struct Block {
    void* address;
    size_t size;
    uint8_t value;
  };
  std::vector<Block> live;
  const auto check_and_free = [&live](size_t index) {
    const Block block = live[index];
    std::vector<uint8_t> bytes(block.size);
    REQUIRE_ACL(ACL(aclrtMemcpy)(bytes.data(), block.size, block.address, block.size,
                                 ACL_MEMCPY_DEVICE_TO_HOST));
    REQUIRE(bytes == std::vector<uint8_t>(block.size, block.value));
    REQUIRE_ACL(ACL(aclrtFree)(block.address));
    live.erase(live.begin() + static_cast<std::ptrdiff_t>(index));
  };
  for (int i = 0; i < 2000; ++i) {
    if (!live.empty() && random() % 2 == 0) {
      check_and_free(random() % live.size());
      continue;
    }
    Block block{nullptr, random() % 20000 + 1, static_cast<uint8_t>(random() % 256)};
    if (ACL(aclrtMalloc)(&block.address, block.size, kPolicy) == ACL_SUCCESS) {
      REQUIRE_ACL(ACL(aclrtMemset)(block.address, block.size, block.value, block.size));
      live.push_back(block);
    }
  }
  while (!live.empty()) {
    check_and_free(0);
  }
  CHECK(FreeBytes() == before);
}

// With the kind left open the direction is what the addresses say.
TEST_CASE("Addresses decide the direction of a copy") {
  const AclSession session;
  const std::vector<uint8_t> bytes = Sequence(200);
  const DeviceBytes device(bytes);
  std::vector<uint8_t> host(200);
  REQUIRE_ACL(ACL(aclrtMemcpy)(host.data(), 200, device.get(), 200, ACL_MEMCPY_DEFAULT));
  CHECK(host == bytes);
}

// Null addresses, a kind that is none, more than the target has, and ranges beyond an allocation
// are refused; 0 bytes are no copy and no error.
TEST_CASE("Wrong copies are refused") {
  const AclSession session;
  const DeviceBytes device(64);
  std::vector<uint8_t> host(256);
  const auto copy = [](void* target, size_t limit, const void* source, size_t count, int kind) {
    return ACL(aclrtMemcpy)(target, limit, source, count, static_cast<aclrtMemcpyKind>(kind));
  };
  CHECK(copy(nullptr, 64, host.data(), 64, 1) == ACL_ERROR_INVALID_PARAM);
  CHECK(copy(device.get(), 64, nullptr, 64, 1) == ACL_ERROR_INVALID_PARAM);
  CHECK(copy(device.get(), 64, host.data(), 64, 8) == ACL_ERROR_INVALID_PARAM);
  CHECK(copy(device.get(), 64, host.data(), 64, -1) == ACL_ERROR_INVALID_PARAM);
  CHECK(copy(device.get(), 64, host.data(), 65, 1) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(copy(device.get(), 256, host.data(), 256, 1) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("64 bytes"));
  CHECK(copy(host.data(), 256, static_cast<std::byte*>(device.get()) + 32, 33, 2) ==
        ACL_ERROR_RT_PARAM_INVALID);
  CHECK(copy(device.get(), 64, host.data(), 0, 1) == ACL_SUCCESS);
}

// From host to host there is no asynchronous copy: 207000.
TEST_CASE("An asynchronous copy within the host is not supported") {
  const AclSession session;
  std::vector<uint8_t> from(16);
  std::vector<uint8_t> to(16);
  CHECK(ACL(aclrtMemcpyAsync)(to.data(), 16, from.data(), 16, ACL_MEMCPY_HOST_TO_HOST, nullptr) ==
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
}

// Fills reach device and pinned memory, now or in a stream; other host memory is refused.
TEST_CASE("Memory can be filled") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes device(64);
  REQUIRE_ACL(ACL(aclrtMemset)(device.get(), 64, 0x5A, 64));
  CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(64, 0x5A));
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(device.get(), 64, 3, 32, stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(device.Read<uint8_t>()[31] == 3);
  CHECK(device.Read<uint8_t>()[32] == 0x5A);
  CHECK(ACL(aclrtMemset)(device.get(), 64, 0, 65) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtMemset)(device.get(), 128, 0, 128) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtMemset)(nullptr, 64, 0, 64) == ACL_ERROR_INVALID_PARAM);
  int local = 0;
  CHECK(ACL(aclrtMemset)(&local, 4, 0, 4) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtMemset)(device.get(), 64, 0, 0) == ACL_SUCCESS);
}

// Pinned memory of 0 bytes, freed twice or never given out is refused.
TEST_CASE("Wrong uses of pinned memory are refused") {
  const AclSession session;
  void* pinned = nullptr;
  CHECK(ACL(aclrtMallocHost)(&pinned, 0) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtMallocHost)(nullptr, 8) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtMallocHost)(&pinned, SIZE_MAX) == ACL_ERROR_RT_MEMORY_ALLOCATION);
  CHECK(ACL(aclrtFreeHost)(nullptr) == ACL_ERROR_INVALID_PARAM);
  REQUIRE_ACL(ACL(aclrtMallocHost)(&pinned, 8));
  REQUIRE_ACL(ACL(aclrtFreeHost)(pinned));
  CHECK(ACL(aclrtFreeHost)(pinned) == ACL_ERROR_RT_PARAM_INVALID);
}

// A two-dimensional copy moves rows between pitches; rows wider than a pitch are refused.
TEST_CASE("Two-dimensional copies move rows") {
  const AclSession session;
  const DeviceBytes device(std::vector<uint8_t>(64, 0));
  const std::vector<uint8_t> host = Sequence(12);  // 3 rows of 4.
  REQUIRE_ACL(
      ACL(aclrtMemcpy2d)(device.get(), 16, host.data(), 4, 4, 3, ACL_MEMCPY_HOST_TO_DEVICE));
  const std::vector<uint8_t> got = device.Read<uint8_t>();
  CHECK(got[0] == 1);
  CHECK(got[16] == 5);
  CHECK(got[35] == 12);
  CHECK(got[4] == 0);
  CHECK(ACL(aclrtMemcpy2d)(device.get(), 2, host.data(), 4, 4, 3, ACL_MEMCPY_HOST_TO_DEVICE) ==
        ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtMemcpy2d)(device.get(), 16, host.data(), 4, 4, 3, ACL_MEMCPY_DEVICE_TO_DEVICE) ==
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
}

// Memory attributes that the device lacks answer 0 of 0; numbers that are none are refused.
TEST_CASE("Memory information answers by attribute") {
  const AclSession session;
  size_t free = 1;
  size_t total = 1;
  REQUIRE_ACL(ACL(aclrtGetMemInfo)(ACL_DDR_MEM, &free, &total));
  CHECK(total > 0);
  REQUIRE_ACL(ACL(aclrtGetMemInfo)(ACL_HBM_MEM_P2P_HUGE1G, &free, &total));
  CHECK(total == 0);
  CHECK(free == 0);
  CHECK(ACL(aclrtGetMemInfo)(static_cast<aclrtMemAttr>(99), &free, &total) ==
        ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtGetMemInfo)(ACL_HBM_MEM, nullptr, &total) == ACL_ERROR_INVALID_PARAM);
}

}  // namespace
}  // namespace omserve::hostacl
