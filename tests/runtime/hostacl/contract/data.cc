// SPDX-License-Identifier: Apache-2.0
// 1.8: data buffers, datasets, tensor descriptions, types.
#include <array>
#include <cmath>
#include <limits>

#include "tests/runtime/hostacl/contract/fixture.h"

namespace omserve::hostacl {
namespace {

// It holds an address and a size of 64 bits, which the old function cuts to 32, and checks neither.
TEST_CASE("A data buffer holds address and size",
          "[1.8/aclCreateDataBuffer][1.8/aclDestroyDataBuffer][1.8/aclUpdateDataBuffer]"
          "[1.8/aclGetDataBufferAddr][1.8/aclGetDataBufferSize][1.8/aclGetDataBufferSizeV2]") {
  const AclSession session;
  const DeviceBytes memory(64);
  const size_t beyond_32_bits = (size_t{1} << 32) + 5;
  aclDataBuffer* buffer = ACL(aclCreateDataBuffer)(memory.get(), beyond_32_bits);
  REQUIRE(buffer != nullptr);
  CHECK(ACL(aclGetDataBufferAddr)(buffer) == memory.get());
  CHECK(ACL(aclGetDataBufferSizeV2)(buffer) == beyond_32_bits);
  CHECK(ACL(aclGetDataBufferSize)(buffer) == 5);
  REQUIRE_ACL(ACL(aclUpdateDataBuffer)(buffer, nullptr, 0));
  CHECK(ACL(aclGetDataBufferAddr)(buffer) == nullptr);
  CHECK(ACL(aclGetDataBufferSizeV2)(buffer) == 0);
  CHECK(ACL(aclDestroyDataBuffer)(buffer) == ACL_SUCCESS);
  CHECK(ACL(aclDestroyDataBuffer)(nullptr) == ACL_ERROR_INVALID_PARAM);
}

// The order is that in which they were added; destroying the dataset leaves the buffers alive.
TEST_CASE("A dataset keeps its buffers in order and does not own them",
          "[1.8/aclmdlCreateDataset][1.8/aclmdlDestroyDataset][1.8/aclmdlAddDatasetBuffer]"
          "[1.8/aclmdlGetDatasetNumBuffers][1.8/aclmdlGetDatasetBuffer]") {
  const AclSession session;
  aclmdlDataset* dataset = ACL(aclmdlCreateDataset)();
  REQUIRE(dataset != nullptr);
  CHECK(ACL(aclmdlGetDatasetNumBuffers)(dataset) == 0);
  std::array<aclDataBuffer*, 3> buffers{};
  for (size_t i = 0; i < buffers.size(); ++i) {
    buffers[i] = ACL(aclCreateDataBuffer)(nullptr, i + 1);
    CHECK(ACL(aclmdlAddDatasetBuffer)(dataset, buffers[i]) == ACL_SUCCESS);
  }
  CHECK(ACL(aclmdlGetDatasetNumBuffers)(dataset) == 3);
  for (size_t i = 0; i < buffers.size(); ++i) {
    CHECK(ACL(aclmdlGetDatasetBuffer)(dataset, i) == buffers[i]);
  }
  CHECK(ACL(aclmdlGetDatasetBuffer)(dataset, 3) == nullptr);
  CHECK(ACL(aclmdlAddDatasetBuffer)(dataset, nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlAddDatasetBuffer)(nullptr, buffers[0]) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlDestroyDataset)(dataset) == ACL_SUCCESS);
  CHECK(ACL(aclmdlDestroyDataset)(nullptr) == ACL_ERROR_INVALID_PARAM);
  for (size_t i = 0; i < buffers.size(); ++i) {
    CHECK(ACL(aclGetDataBufferSizeV2)(buffers[i]) == i + 1);
    CHECK(ACL(aclDestroyDataBuffer)(buffers[i]) == ACL_SUCCESS);
  }
}

TEST_CASE("A tensor description tells what it was made of",
          "[1.8/aclCreateTensorDesc][1.8/aclDestroyTensorDesc][1.8/aclGetTensorDescType]"
          "[1.8/aclGetTensorDescFormat][1.8/aclGetTensorDescNumDims][1.8/aclGetTensorDescDimV2]"
          "[1.8/aclGetTensorDescSize]") {
  const AclSession session;
  const std::array<int64_t, 2> dims{2, 3};
  aclTensorDesc* desc = ACL(aclCreateTensorDesc)(ACL_FLOAT16, 2, dims.data(), ACL_FORMAT_ND);
  REQUIRE(desc != nullptr);
  CHECK(ACL(aclGetTensorDescType)(desc) == ACL_FLOAT16);
  CHECK(ACL(aclGetTensorDescFormat)(desc) == ACL_FORMAT_ND);
  CHECK(ACL(aclGetTensorDescNumDims)(desc) == 2);
  CHECK(ACL(aclGetTensorDescSize)(desc) == 12);
  for (size_t i = 0; i < dims.size(); ++i) {
    int64_t dim = 0;
    CHECK(ACL(aclGetTensorDescDimV2)(desc, i, &dim) == ACL_SUCCESS);
    CHECK(dim == dims[i]);
  }
  int64_t dim = 0;
  CHECK(ACL(aclGetTensorDescDimV2)(desc, 2, &dim) != ACL_SUCCESS);
  ACL(aclDestroyTensorDesc)(desc);
}

TEST_CASE("A tensor description has a name",
          "[1.8/aclSetTensorDescName][1.8/aclGetTensorDescName][1.8/aclGetTensorDescByIndex]") {
  const AclSession session;
  const int64_t dim = 4;
  aclTensorDesc* desc = ACL(aclCreateTensorDesc)(ACL_FLOAT, 1, &dim, ACL_FORMAT_ND);
  REQUIRE(desc != nullptr);
  ACL(aclSetTensorDescName)(desc, "x");
  CHECK(std::string(ACL(aclGetTensorDescName)(desc)) == "x");
  aclTensorDesc* at_0 = ACL(aclGetTensorDescByIndex)(desc, 0);
  if (at_0 != nullptr) {
    CHECK(ACL(aclGetTensorDescType)(at_0) == ACL_FLOAT);
  }
  ACL(aclDestroyTensorDesc)(desc);
}

// The dataset holds a description for an index that has a buffer; destroying it frees that.
TEST_CASE("A dataset takes a tensor description",
          "[1.8/aclmdlSetDatasetTensorDesc][1.8/aclmdlGetDatasetTensorDesc]") {
  const AclSession session;
  const std::array<int64_t, 2> dims{2, 3};
  aclTensorDesc* desc = ACL(aclCreateTensorDesc)(ACL_FLOAT, 2, dims.data(), ACL_FORMAT_ND);
  aclmdlDataset* dataset = ACL(aclmdlCreateDataset)();
  aclDataBuffer* buffer = ACL(aclCreateDataBuffer)(nullptr, 0);
  REQUIRE_ACL(ACL(aclmdlAddDatasetBuffer)(dataset, buffer));
  CHECK(ACL(aclmdlSetDatasetTensorDesc)(dataset, desc, 1) != ACL_SUCCESS);
  REQUIRE_ACL(ACL(aclmdlSetDatasetTensorDesc)(dataset, desc, 0));
  aclTensorDesc* held = ACL(aclmdlGetDatasetTensorDesc)(dataset, 0);
  REQUIRE(held != nullptr);
  CHECK(ACL(aclGetTensorDescNumDims)(held) == 2);
  ACL(aclDestroyTensorDesc)(desc);
  CHECK(ACL(aclmdlDestroyDataset)(dataset) == ACL_SUCCESS);
  CHECK(ACL(aclDestroyDataBuffer)(buffer) == ACL_SUCCESS);
}

TEST_CASE("Types have sizes", "[1.8/aclDataTypeSize][rule/data-type-sizes]") {
  const std::pair<int, size_t> sizes[] = {
      {0, 4},  {1, 2},  {2, 1},  {3, 4},  {4, 1},   {6, 2},  {7, 2},  {8, 4},  {9, 8},  {10, 8},
      {11, 8}, {12, 1}, {13, 0}, {16, 8}, {17, 16}, {27, 2}, {29, 1}, {30, 1}, {33, 4}, {-1, 0}};
  for (const auto& [type, size] : sizes) {
    INFO("type " << type);
    CHECK(ACL(aclDataTypeSize)(static_cast<aclDataType>(type)) == size);
  }
}

// Every half becomes a float and the same half again.
TEST_CASE("Halves convert to floats and back", "[1.8/aclFloat16ToFloat][1.8/aclFloatToFloat16]") {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<aclFloat16>(bits);
    const float value = ACL(aclFloat16ToFloat)(half);
    const bool infinite_or_nan = (bits & 0x7C00U) == 0x7C00U;
    if (!infinite_or_nan && ACL(aclFloatToFloat16)(value) != half) {
      FAIL("half " << bits << " does not come back");
    }
  }
  CHECK(ACL(aclFloat16ToFloat)(0x3C00) == 1.0F);
  CHECK(ACL(aclFloat16ToFloat)(0xC000) == -2.0F);
  CHECK(ACL(aclFloat16ToFloat)(0x7BFF) == 65504.0F);
  CHECK(ACL(aclFloat16ToFloat)(0x0001) == std::ldexp(1.0F, -24));
}

TEST_CASE("Floats round to the nearest half", "[1.8/aclFloatToFloat16]") {
  CHECK(ACL(aclFloatToFloat16)(1.0F) == 0x3C00);
  CHECK(ACL(aclFloatToFloat16)(65504.0F) == 0x7BFF);
  CHECK(ACL(aclFloatToFloat16)(1.0F + std::ldexp(1.0F, -11)) == 0x3C00);      // Tie, to even.
  CHECK(ACL(aclFloatToFloat16)(1.0F + 3 * std::ldexp(1.0F, -11)) == 0x3C02);  // Tie, to even.
  CHECK(ACL(aclFloatToFloat16)(1e-10F) == 0);
}

}  // namespace
}  // namespace omserve::hostacl
