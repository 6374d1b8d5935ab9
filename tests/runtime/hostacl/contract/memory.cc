// SPDX-License-Identifier: Apache-2.0
// 1.7: device memory, pinned host memory, copies and fills.
#include "tests/runtime/hostacl/contract/fixture.h"

namespace omserve::hostacl {
namespace {

constexpr aclrtMemMallocPolicy kPolicy = ACL_MEM_MALLOC_HUGE_FIRST;

bool IsAligned(const void* address) { return reinterpret_cast<uintptr_t>(address) % 64 == 0; }

TEST_CASE("Device memory is given with every policy", "[1.7/aclrtMalloc][1.7/aclrtFree]") {
  const AclSession session;
  for (const aclrtMemMallocPolicy policy :
       {ACL_MEM_MALLOC_HUGE_FIRST, ACL_MEM_MALLOC_HUGE_ONLY, ACL_MEM_MALLOC_NORMAL_ONLY}) {
    for (const size_t size : {size_t{1}, size_t{100}, size_t{4} << 20}) {
      void* block = nullptr;
      REQUIRE_ACL(ACL(aclrtMalloc)(&block, size, policy));
      CHECK(IsAligned(block));
      CHECK(ACL(aclrtMemset)(block, size, 1, size) == ACL_SUCCESS);
      CHECK(ACL(aclrtFree)(block) == ACL_SUCCESS);
    }
  }
}

TEST_CASE("Allocations of nothing and into nothing are refused",
          "[1.7/aclrtMalloc][1.7/aclrtMallocHost]") {
  const AclSession session;
  void* block = nullptr;
  CHECK(ACL(aclrtMalloc)(&block, 0, kPolicy) != ACL_SUCCESS);
  CHECK(ACL(aclrtMalloc)(nullptr, 64, kPolicy) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtMallocHost)(&block, 0) != ACL_SUCCESS);
  CHECK(ACL(aclrtMallocHost)(nullptr, 64) == ACL_ERROR_INVALID_PARAM);
}

TEST_CASE("Freeing null is refused", "[1.7/aclrtFree][1.7/aclrtFreeHost]") {
  const AclSession session;
  CHECK(ACL(aclrtFree)(nullptr) != ACL_SUCCESS);
  CHECK(ACL(aclrtFreeHost)(nullptr) != ACL_SUCCESS);
}

// Memory that was freed is there again; more than there is is refused and takes nothing.
TEST_CASE("Device memory runs out and comes back",
          "[1.7/aclrtMalloc][1.7/aclrtFree][1.7/aclrtGetMemInfo][needs hostacl]") {
  const AclSession session(kSmallDevice);
  const size_t before = FreeBytes();
  void* block = nullptr;
  CHECK(ACL(aclrtMalloc)(&block, before, kPolicy) == ACL_ERROR_RT_MEMORY_ALLOCATION);
  REQUIRE_ACL(ACL(aclrtMalloc)(&block, before - 32, kPolicy));
  CHECK(FreeBytes() == 0);
  REQUIRE_ACL(ACL(aclrtFree)(block));
  CHECK(FreeBytes() == before);
}

// The size rounded up to 32, and 32 more; without the 32 for aclrtMallocAlign32.
TEST_CASE("Allocations take what the rule says",
          "[rule/sub-allocation][1.7/aclrtMalloc][1.7/aclrtMallocAlign32][needs hostacl]") {
  const AclSession session(kSmallDevice);
  for (const size_t size : {size_t{1}, size_t{32}, size_t{33}, size_t{4096}}) {
    const size_t rounded = (size + 31) / 32 * 32;
    const size_t before = FreeBytes();
    void* block = nullptr;
    REQUIRE_ACL(ACL(aclrtMalloc)(&block, size, kPolicy));
    CHECK(IsAligned(block));
    CHECK(before - FreeBytes() == rounded + 32);
    REQUIRE_ACL(ACL(aclrtFree)(block));
    REQUIRE_ACL(ACL(aclrtMallocAlign32)(&block, size, kPolicy));
    CHECK(before - FreeBytes() == rounded);
    REQUIRE_ACL(ACL(aclrtFree)(block));
  }
}

// Pieces of one block, each rounded up to 32 and 32 apart, can be filled without touching others.
TEST_CASE("One block can be cut into pieces", "[rule/sub-allocation]") {
  const AclSession session;
  const size_t sizes[] = {1, 100, 64, 33};
  const DeviceBytes block(1024);
  size_t at = 0;
  std::vector<size_t> starts;
  for (const size_t size : sizes) {
    starts.push_back(at);
    at = (at + (size + 31) / 32 * 32 + 32 + 63) / 64 * 64;
  }
  for (size_t i = 0; i < starts.size(); ++i) {
    void* piece = static_cast<std::byte*>(block.get()) + starts[i];
    CHECK(IsAligned(piece));
    REQUIRE_ACL(ACL(aclrtMemset)(piece, sizes[i], static_cast<int32_t>(i + 1), sizes[i]));
  }
  const std::vector<uint8_t> bytes = block.Read<uint8_t>();
  for (size_t i = 0; i < starts.size(); ++i) {
    CHECK(bytes[starts[i]] == i + 1);
    CHECK(bytes[starts[i] + sizes[i] - 1] == i + 1);
  }
}

TEST_CASE("Memory without the added bytes can be asked for", "[1.7/aclrtMallocAlign32]") {
  const AclSession session;
  void* block = nullptr;
  REQUIRE_ACL(ACL(aclrtMallocAlign32)(&block, 33, kPolicy));
  CHECK(ACL(aclrtMemset)(block, 33, 1, 33) == ACL_SUCCESS);
  CHECK(ACL(aclrtFree)(block) == ACL_SUCCESS);
}

// Equal to aclrtMalloc on today's chips, with flush and invalidate for the old ones.
TEST_CASE("Cached memory is flushed and invalidated",
          "[1.7/aclrtMallocCached][1.7/aclrtMemFlush][1.7/aclrtMemInvalidate]") {
  const AclSession session;
  void* block = nullptr;
  REQUIRE_ACL(ACL(aclrtMallocCached)(&block, 4096, kPolicy));
  CHECK(IsAligned(block));
  CHECK(ACL(aclrtMemset)(block, 4096, 1, 4096) == ACL_SUCCESS);
  CHECK(ACL(aclrtMemFlush)(block, 4096) == ACL_SUCCESS);
  CHECK(ACL(aclrtMemInvalidate)(block, 4096) == ACL_SUCCESS);
  CHECK(ACL(aclrtFree)(block) == ACL_SUCCESS);
}

TEST_CASE("Pinned memory is the host's to write", "[1.7/aclrtMallocHost][1.7/aclrtFreeHost]") {
  const AclSession session;
  void* block = nullptr;
  REQUIRE_ACL(ACL(aclrtMallocHost)(&block, 4096));
  CHECK(IsAligned(block));
  std::memset(block, 7, 4096);
  CHECK(static_cast<uint8_t*>(block)[4095] == 7);
  CHECK(ACL(aclrtFreeHost)(block) == ACL_SUCCESS);
}

// To the device, within it, back, and within the host; also from the middle of an allocation.
TEST_CASE("Copies go in every direction", "[1.7/aclrtMemcpy]") {
  const AclSession session;
  const std::vector<uint8_t> bytes = Sequence(200);
  const DeviceBytes first(bytes);
  const DeviceBytes second(200);
  REQUIRE_ACL(ACL(aclrtMemcpy)(second.get(), 200, first.get(), 200, ACL_MEMCPY_DEVICE_TO_DEVICE));
  CHECK(second.Read<uint8_t>() == bytes);
  std::vector<uint8_t> part(50);
  REQUIRE_ACL(ACL(aclrtMemcpy)(part.data(), 50, static_cast<std::byte*>(second.get()) + 100, 50,
                               ACL_MEMCPY_DEVICE_TO_HOST));
  CHECK(part == std::vector<uint8_t>(bytes.begin() + 100, bytes.begin() + 150));
  std::vector<uint8_t> host(200);
  REQUIRE_ACL(ACL(aclrtMemcpy)(host.data(), 200, bytes.data(), 200, ACL_MEMCPY_HOST_TO_HOST));
  CHECK(host == bytes);
}

// Null is 100000; a kind that is none, and more than the target takes, are refused too.
TEST_CASE("Wrong copies are refused", "[1.7/aclrtMemcpy]") {
  const AclSession session;
  const DeviceBytes device(64);
  std::vector<uint8_t> host(256);
  const auto copy = [](void* target, size_t limit, const void* source, size_t count, int kind) {
    return ACL(aclrtMemcpy)(target, limit, source, count, static_cast<aclrtMemcpyKind>(kind));
  };
  CHECK(copy(nullptr, 64, host.data(), 64, 1) == ACL_ERROR_INVALID_PARAM);
  CHECK(copy(device.get(), 64, nullptr, 64, 1) == ACL_ERROR_INVALID_PARAM);
  CHECK(copy(device.get(), 64, host.data(), 64, 77) != ACL_SUCCESS);
  CHECK(copy(device.get(), 64, host.data(), 65, 1) != ACL_SUCCESS);
}

TEST_CASE("Copies and fills of nothing succeed", "[rule/nothing-is-no-error][1.7/aclrtMemset]") {
  const AclSession session;
  const DeviceBytes device(std::vector<uint8_t>(64, 3));
  std::vector<uint8_t> host(64);
  CHECK(ACL(aclrtMemcpy)(device.get(), 64, host.data(), 0, ACL_MEMCPY_HOST_TO_DEVICE) ==
        ACL_SUCCESS);
  CHECK(ACL(aclrtMemset)(device.get(), 64, 0, 0) == ACL_SUCCESS);
  CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(64, 3));
}

// A stream that is held does not hold a synchronous copy.
TEST_CASE("A synchronous copy does not wait for streams",
          "[rule/copy-does-not-synchronise][misuse]") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes device(std::vector<uint8_t>(64, 3));
  {
    const StreamGate gate(stream.get());
    REQUIRE_ACL(ACL(aclrtMemsetAsync)(device.get(), 64, 4, 64, stream.get()));
    CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(64, 3));
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(64, 4));
}

// With pinned memory the call returns before the copy has run.
TEST_CASE("Copies of pinned memory are asynchronous", "[1.7/aclrtMemcpyAsync][misuse]") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes device(std::vector<uint8_t>(128, 0));
  const PinnedBytes pinned(128);
  {
    const StreamGate gate(stream.get());
    REQUIRE_ACL(ACL(aclrtMemcpyAsync)(device.get(), 128, pinned.get(), 128,
                                      ACL_MEMCPY_HOST_TO_DEVICE, stream.get()));
    std::memset(pinned.get(), 9, 128);
    CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(128, 0));
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(128, 9));
}

// With pageable memory it returns when the copy is done (since CANN 8.5): the memory may then go.
TEST_CASE("Copies of pageable memory are waited for",
          "[1.7/aclrtMemcpyAsync][needs aclrtLaunchHostFunc][misuse]") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes device(128);
  std::vector<uint8_t> host = Sequence(128);
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(device.get(), 128, host.data(), 128, ACL_MEMCPY_HOST_TO_DEVICE,
                                    stream.get()));
  host.assign(128, 0);
  CHECK(device.Read<uint8_t>() == Sequence(128));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
}

// 207000 where host and device memory are apart.
TEST_CASE("An asynchronous copy within the host is not supported", "[1.7/aclrtMemcpyAsync]") {
  const AclSession session;
  aclrtRunMode mode = ACL_DEVICE;
  REQUIRE_ACL(ACL(aclrtGetRunMode)(&mode));
  const PinnedBytes from(16);
  const PinnedBytes to(16);
  const aclError code =
      ACL(aclrtMemcpyAsync)(to.get(), 16, from.get(), 16, ACL_MEMCPY_HOST_TO_HOST, nullptr);
  if (mode == ACL_HOST) {
    CHECK(code == ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  } else {
    CHECK(code == ACL_SUCCESS);
  }
  ACL(aclrtSynchronizeStream)(nullptr);
}

// Rows go from pitch to pitch, and what lies between them stays.
TEST_CASE("Two-dimensional copies move rows", "[1.7/aclrtMemcpy2d]") {
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
  std::vector<uint8_t> back(12);
  REQUIRE_ACL(
      ACL(aclrtMemcpy2d)(back.data(), 4, device.get(), 16, 4, 3, ACL_MEMCPY_DEVICE_TO_HOST));
  CHECK(back == host);
  CHECK(ACL(aclrtMemcpy2d)(device.get(), 2, host.data(), 4, 4, 3, ACL_MEMCPY_HOST_TO_DEVICE) !=
        ACL_SUCCESS);
}

// Device memory and memory of aclrtMallocHost: the address decides.
TEST_CASE("Memory of both sides can be filled", "[1.7/aclrtMemset]") {
  const AclSession session;
  const DeviceBytes device(64);
  REQUIRE_ACL(ACL(aclrtMemset)(device.get(), 64, 0x5A, 64));
  CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(64, 0x5A));
  const PinnedBytes pinned(64);
  REQUIRE_ACL(ACL(aclrtMemset)(pinned.get(), 64, 7, 32));
  CHECK(pinned.bytes()[31] == 7);
  CHECK(pinned.bytes()[32] == 0);
  CHECK(ACL(aclrtMemset)(device.get(), 64, 0, 65) != ACL_SUCCESS);
  CHECK(ACL(aclrtMemset)(nullptr, 64, 0, 64) == ACL_ERROR_INVALID_PARAM);
}

TEST_CASE("Memory can be filled in a stream", "[1.7/aclrtMemsetAsync]") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes device(std::vector<uint8_t>(64, 0));
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(device.get(), 64, 3, 32, stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(device.Read<uint8_t>()[31] == 3);
  CHECK(device.Read<uint8_t>()[32] == 0);
  CHECK(ACL(aclrtMemsetAsync)(device.get(), 64, 0, 65, stream.get()) != ACL_SUCCESS);
}

// What a chip lacks is 0 of 0, and one that lacks HBM answers for DDR; less is free after malloc.
TEST_CASE("Memory can be counted", "[1.7/aclrtGetMemInfo]") {
  const AclSession session;
  size_t free = 0;
  size_t total = 0;
  REQUIRE_ACL(ACL(aclrtGetMemInfo)(ACL_HBM_MEM, &free, &total));
  CHECK(total > 0);
  CHECK(free <= total);
  for (const aclrtMemAttr attr : {ACL_DDR_MEM, ACL_HBM_MEM_HUGE, ACL_HBM_MEM_NORMAL,
                                  ACL_HBM_MEM_P2P_HUGE, ACL_DDR_MEM_P2P_NORMAL}) {
    REQUIRE_ACL(ACL(aclrtGetMemInfo)(attr, &free, &total));
    CHECK(free <= total);
  }
  CHECK(ACL(aclrtGetMemInfo)(ACL_HBM_MEM, nullptr, &total) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtGetMemInfo)(ACL_HBM_MEM, &free, nullptr) == ACL_ERROR_INVALID_PARAM);
}

}  // namespace
}  // namespace omserve::hostacl
