// SPDX-License-Identifier: Apache-2.0
// Batched copies, configured allocations, host memory that the device may use.
#include <array>
#include <cstdlib>
#include <limits>
#include <memory>
#include <vector>

#include "tests/runtime/hostacl/model_files.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kNone = std::numeric_limits<size_t>::max();

aclrtMemcpyBatchAttr Between(aclrtMemLocationType target, aclrtMemLocationType source) {
  aclrtMemcpyBatchAttr attribute{};
  attribute.dstLoc.type = target;
  attribute.srcLoc.type = source;
  return attribute;
}

// Page-aligned host memory.
struct Pages {
  explicit Pages(size_t size_bytes) : bytes(std::aligned_alloc(4096, size_bytes), &std::free) {}
  std::unique_ptr<void, void (*)(void*)> bytes;
};

// One call copies in both directions, each range of copies under its attribute.
TEST_CASE("A batch copies each of its pieces") {
  const AclSession session;
  const DeviceBytes a(std::vector<int>{0, 0});
  const DeviceBytes b(std::vector<int>{7, 8});
  std::array<int, 2> in{1, 2};
  std::array<int, 2> out{};
  std::array<void*, 3> targets{a.get(), static_cast<int*>(a.get()) + 1, out.data()};
  std::array<void*, 3> sources{in.data(), in.data() + 1, b.get()};
  std::array<size_t, 3> sizes{4, 4, 8};
  std::array<size_t, 3> limits = sizes;
  std::array<aclrtMemcpyBatchAttr, 2> attributes{
      Between(ACL_MEM_LOCATION_TYPE_DEVICE, ACL_MEM_LOCATION_TYPE_HOST),
      Between(ACL_MEM_LOCATION_TYPE_UNREGISTERED, ACL_MEM_LOCATION_TYPE_DEVICE)};
  std::array<size_t, 2> begins{0, 2};
  const auto copy = [&](size_t* failed) {
    return ACL(aclrtMemcpyBatch)(targets.data(), limits.data(), sources.data(), sizes.data(), 3,
                                 attributes.data(), begins.data(), 2, failed);
  };
  size_t failed = 0;
  REQUIRE_ACL(copy(&failed));
  CHECK(failed == kNone);
  CHECK(a.Read<int>() == std::vector<int>{1, 2});
  CHECK(out == std::array<int, 2>{7, 8});

  limits[1] = 3;  // The second does not fit.
  CHECK(copy(&failed) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(failed == 1);
  limits = sizes;
  attributes[1] = attributes[0];  // The third is not what its attribute says.
  CHECK(copy(&failed) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(failed == 2);
  begins[1] = 0;
  CHECK(copy(&failed) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(failed == kNone);
  CHECK(copy(nullptr) == ACL_ERROR_INVALID_PARAM);
}

// A configuration may name the thread's device and no other.
TEST_CASE("An allocation takes a configuration") {
  const AclSession session(R"({"device_count": 2})");
  void* memory = nullptr;
  REQUIRE_ACL(ACL(aclrtMallocWithCfg)(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST, nullptr));
  REQUIRE_ACL(ACL(aclrtFree)(memory));
  std::array<aclrtMallocAttribute, 2> attributes{};
  attributes[0].attr = ACL_RT_MEM_ATTR_MODULE_ID;
  attributes[0].value.moduleId = 33;
  attributes[1].attr = ACL_RT_MEM_ATTR_DEVICE_ID;
  aclrtMallocConfig config{attributes.data(), attributes.size()};
  const auto both =
      static_cast<aclrtMemMallocPolicy>(ACL_MEM_MALLOC_HUGE_FIRST | ACL_MEM_TYPE_HIGH_BAND_WIDTH);
  REQUIRE_ACL(ACL(aclrtMallocWithCfg)(&memory, 100, both, &config));
  REQUIRE_ACL(ACL(aclrtFree)(memory));
  attributes[1].value.deviceId = 1;
  CHECK(ACL(aclrtMallocWithCfg)(&memory, 100, both, &config) == ACL_ERROR_RT_INVALID_DEVICEID);
  attributes[1].attr = ACL_RT_MEM_ATTR_VA_FLAG;
  CHECK(ACL(aclrtMallocWithCfg)(&memory, 100, both, &config) == ACL_ERROR_INVALID_PARAM);
}

// Registered host memory is the device's too: a model reads it in place, until it is unregistered.
TEST_CASE("The device uses registered host memory") {
  const AclSession session;
  const LoadedModel model(StaticLinearModel());
  const Pages host(4096);
  const std::vector<float> x{1, 2, 3, 4, 5, 6};
  std::copy(x.begin(), x.end(), static_cast<float*>(host.bytes.get()));
  void* device = nullptr;
  REQUIRE_ACL(ACL(aclrtHostRegister)(host.bytes.get(), 4096, ACL_HOST_REGISTER_MAPPED, &device));
  const DeviceBytes y(2 * 128 * sizeof(float));
  const TestDataset input({{device, 24}});
  const TestDataset output({EntryOf(y)});
  REQUIRE_ACL(ACL(aclmdlExecute)(model.id(), input.get(), output.get()));
  CHECK(y.Read<float>() == LinearAnswer(x));

  CHECK(ACL(aclrtHostRegister)(host.bytes.get(), 4096, ACL_HOST_REGISTER_MAPPED, &device) ==
        ACL_ERROR_RT_PARAM_INVALID);
  REQUIRE_ACL(ACL(aclrtHostUnregister)(host.bytes.get()));
  CHECK(ACL(aclrtHostUnregister)(host.bytes.get()) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclmdlExecute)(model.id(), input.get(), output.get()) == ACL_ERROR_RT_AICORE_EXCEPTION);
}

// Only whole pages can be registered, and only for reading and writing.
TEST_CASE("What cannot be registered is refused") {
  const AclSession session;
  const Pages host(8192);
  void* device = nullptr;
  CHECK(ACL(aclrtHostRegister)(static_cast<char*>(host.bytes.get()) + 64, 4096,
                               ACL_HOST_REGISTER_MAPPED, &device) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtHostRegister)(host.bytes.get(), 0, ACL_HOST_REGISTER_MAPPED, &device) ==
        ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtHostRegister)(host.bytes.get(), 4096, ACL_HOST_REGISTER_READONLY, &device) ==
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  CHECK(ACL(aclrtHostRegister)(nullptr, 4096, ACL_HOST_REGISTER_MAPPED, &device) ==
        ACL_ERROR_INVALID_PARAM);
}

// An address is the device's, the host's by AscendCL, or none of AscendCL's.
TEST_CASE("An address tells where it is") {
  const AclSession session(R"({"device_count": 2})");
  REQUIRE_ACL(ACL(aclrtSetDevice)(1));
  const DeviceBytes device(256);
  void* pinned = nullptr;
  REQUIRE_ACL(ACL(aclrtMallocHost)(&pinned, 256));
  aclrtPtrAttributes attributes{};
  REQUIRE_ACL(ACL(aclrtPointerGetAttributes)(static_cast<char*>(device.get()) + 10, &attributes));
  CHECK(attributes.location.type == ACL_MEM_LOCATION_TYPE_DEVICE);
  CHECK(attributes.location.id == 1);
  CHECK(attributes.pageSize >= 4096);
  REQUIRE_ACL(ACL(aclrtPointerGetAttributes)(pinned, &attributes));
  CHECK(attributes.location.type == ACL_MEM_LOCATION_TYPE_HOST);
  const int plain = 0;
  REQUIRE_ACL(ACL(aclrtPointerGetAttributes)(&plain, &attributes));
  CHECK(attributes.location.type == ACL_MEM_LOCATION_TYPE_UNREGISTERED);
  CHECK(ACL(aclrtPointerGetAttributes)(nullptr, &attributes) == ACL_ERROR_INVALID_PARAM);
  REQUIRE_ACL(ACL(aclrtFreeHost)(pinned));
}

}  // namespace
}  // namespace omserve::hostacl
