// SPDX-License-Identifier: Apache-2.0
// 1.7: what came later for memory: configurations, batches of copies, registered host memory.
#include <cstdlib>

#include "tests/runtime/hostacl/contract/fixture.h"

namespace omserve::hostacl {
namespace {

// The policy's bits may be joined, and there need be no configuration.
TEST_CASE("Memory can be asked for with joined bits", "[1.7/aclrtMallocWithCfg]") {
  const AclSession session;
  for (const int policy :
       {int{ACL_MEM_MALLOC_HUGE_FIRST}, ACL_MEM_MALLOC_HUGE_FIRST | ACL_MEM_TYPE_HIGH_BAND_WIDTH}) {
    void* block = nullptr;
    REQUIRE_ACL(
        ACL(aclrtMallocWithCfg)(&block, 100, static_cast<aclrtMemMallocPolicy>(policy), nullptr));
    CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
    CHECK(ACL(aclrtMemset)(block, 100, 1, 100) == ACL_SUCCESS);
    CHECK(ACL(aclrtFree)(block) == ACL_SUCCESS);
  }
  void* block = nullptr;
  CHECK(ACL(aclrtMallocWithCfg)(&block, 0, ACL_MEM_MALLOC_HUGE_FIRST, nullptr) != ACL_SUCCESS);
}

// Three copies to the device by one call, of sizes of their own.
TEST_CASE("Copies can be made in a batch", "[1.7/aclrtMemcpyBatch]") {
  const AclSession session;
  const DeviceBytes device(std::vector<uint8_t>(300, 0));
  const PinnedBytes host(300);
  std::memcpy(host.get(), Sequence(300).data(), 300);
  auto* const to = static_cast<std::byte*>(device.get());
  auto* const from = static_cast<std::byte*>(host.get());
  void* targets[] = {to, to + 100, to + 200};
  void* sources[] = {from, from + 100, from + 200};
  size_t limits[] = {100, 100, 100};
  size_t sizes[] = {100, 50, 10};
  aclrtMemcpyBatchAttr attr{};
  attr.dstLoc = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
  attr.srcLoc = {0, ACL_MEM_LOCATION_TYPE_HOST};
  size_t first = 0;
  size_t failed = 0;
  const aclError code =
      ACL(aclrtMemcpyBatch)(targets, limits, sources, sizes, 3, &attr, &first, 1, &failed);
  if (CheckDoneOrUnsupported(code)) {
    const std::vector<uint8_t> got = device.Read<uint8_t>();
    CHECK(std::vector<uint8_t>(got.begin(), got.begin() + 150) == Sequence(150));
    CHECK(got[150] == 0);
    CHECK(got[200] == static_cast<uint8_t>(201));
    CHECK(got[210] == 0);
  }
  CHECK(ACL(aclrtMemcpyBatch)(nullptr, limits, sources, sizes, 3, &attr, &first, 1, &failed) !=
        ACL_SUCCESS);
}

// Pages of the host's heap, which the device reaches at an address that the call gives.
TEST_CASE("Host memory can be registered for the device",
          "[1.7/aclrtHostRegister][1.7/aclrtHostUnregister]") {
  const AclSession session;
  constexpr size_t kPage = 4096;
  const std::unique_ptr<void, void (*)(void*)> page(std::aligned_alloc(kPage, kPage), &std::free);
  REQUIRE(page != nullptr);
  std::memset(page.get(), 9, kPage);
  void* on_device = nullptr;
  const aclError code =
      ACL(aclrtHostRegister)(page.get(), kPage, ACL_HOST_REGISTER_MAPPED, &on_device);
  if (CheckDoneOrUnsupported(code)) {
    REQUIRE(on_device != nullptr);
    const DeviceBytes copy(64);
    REQUIRE_ACL(ACL(aclrtMemcpy)(copy.get(), 64, on_device, 64, ACL_MEMCPY_DEVICE_TO_DEVICE));
    CHECK(copy.Read<uint8_t>() == std::vector<uint8_t>(64, 9));
    CHECK(ACL(aclrtHostUnregister)(page.get()) == ACL_SUCCESS);
  }
  CHECK(ACL(aclrtHostUnregister)(nullptr) != ACL_SUCCESS);
  CHECK(ACL(aclrtHostRegister)(nullptr, kPage, ACL_HOST_REGISTER_MAPPED, &on_device) !=
        ACL_SUCCESS);
}

TEST_CASE("Addresses tell what they are", "[1.7/aclrtPointerGetAttributes]") {
  const AclSession session;
  const DeviceBytes device(64);
  const PinnedBytes pinned(64);
  const int local = 0;
  const std::pair<const void*, aclrtMemLocationType> expected[] = {
      {device.get(), ACL_MEM_LOCATION_TYPE_DEVICE},
      {pinned.get(), ACL_MEM_LOCATION_TYPE_HOST},
      {&local, ACL_MEM_LOCATION_TYPE_UNREGISTERED}};
  for (const auto& [address, type] : expected) {
    aclrtPtrAttributes attributes{};
    REQUIRE_ACL(ACL(aclrtPointerGetAttributes)(address, &attributes));
    CHECK(attributes.location.type == type);
  }
  CHECK(ACL(aclrtPointerGetAttributes)(device.get(), nullptr) != ACL_SUCCESS);
}

TEST_CASE("No allocator can be registered from null", "[1.7/aclrtAllocatorRegister]") {
  const AclSession session;
  const TestStream stream;
  CHECK(ACL(aclrtAllocatorRegister)(stream.get(), nullptr) != ACL_SUCCESS);
}

TEST_CASE("No memory pool can be made from null", "[1.7/aclrtMemPoolCreate]") {
  const AclSession session;
  aclrtMemPool pool = nullptr;
  CHECK(ACL(aclrtMemPoolCreate)(nullptr, nullptr) != ACL_SUCCESS);
  CHECK(ACL(aclrtMemPoolCreate)(&pool, nullptr) != ACL_SUCCESS);
}

}  // namespace
}  // namespace omserve::hostacl
