// SPDX-License-Identifier: Apache-2.0
// Data buffers, datasets, tensor descriptions and types: host objects, no aclInit needed.
#include <array>
#include <cmath>
#include <limits>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

// A data buffer keeps address and size, in 64 bits through V2 and cut to 32 without.
TEST_CASE("A data buffer holds address and size") {
  int memory = 0;
  aclDataBuffer* buffer = ACL(aclCreateDataBuffer)(&memory, (size_t{1} << 32) + 5);
  REQUIRE(buffer != nullptr);
  CHECK(ACL(aclGetDataBufferAddr)(buffer) == &memory);
  CHECK(ACL(aclGetDataBufferSizeV2)(buffer) == (size_t{1} << 32) + 5);
  CHECK(ACL(aclGetDataBufferSize)(buffer) == 5);
  CHECK(ACL(aclUpdateDataBuffer)(buffer, nullptr, 0) == ACL_SUCCESS);
  CHECK(ACL(aclGetDataBufferAddr)(buffer) == nullptr);
  CHECK(ACL(aclDestroyDataBuffer)(buffer) == ACL_SUCCESS);
}

// Destroyed, null and invented data buffers are refused.
TEST_CASE("Unknown data buffers are refused") {
  aclDataBuffer* buffer = ACL(aclCreateDataBuffer)(nullptr, 0);
  CHECK(ACL(aclDestroyDataBuffer)(buffer) == ACL_SUCCESS);
  CHECK(ACL(aclDestroyDataBuffer)(buffer) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclDestroyDataBuffer)(nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclUpdateDataBuffer)(buffer, nullptr, 0) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclGetDataBufferAddr)(buffer) == nullptr);
  CHECK(ACL(aclGetDataBufferSizeV2)(nullptr) == 0);
}

// A dataset gives back its buffers in order; destroying it leaves them alive.
TEST_CASE("A dataset keeps its buffers in order") {
  aclmdlDataset* dataset = ACL(aclmdlCreateDataset)();
  std::array<aclDataBuffer*, 3> buffers{};
  for (aclDataBuffer*& buffer : buffers) {
    buffer = ACL(aclCreateDataBuffer)(nullptr, 1);
    CHECK(ACL(aclmdlAddDatasetBuffer)(dataset, buffer) == ACL_SUCCESS);
  }
  CHECK(ACL(aclmdlGetDatasetNumBuffers)(dataset) == 3);
  CHECK(ACL(aclmdlGetDatasetBuffer)(dataset, 2) == buffers[2]);
  CHECK(ACL(aclmdlGetDatasetBuffer)(dataset, 3) == nullptr);
  CHECK(ACL(aclmdlAddDatasetBuffer)(dataset, nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlAddDatasetBuffer)(nullptr, buffers[0]) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlDestroyDataset)(dataset) == ACL_SUCCESS);
  CHECK(ACL(aclmdlDestroyDataset)(dataset) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetDatasetNumBuffers)(dataset) == 0);
  for (aclDataBuffer* buffer : buffers) {
    CHECK(ACL(aclDestroyDataBuffer)(buffer) == ACL_SUCCESS);
  }
}

// A tensor description tells what it was made of; a dataset keeps a copy of its own.
TEST_CASE("A tensor description can be set in a dataset") {
  const std::array<int64_t, 2> dims{2, 3};
  aclTensorDesc* desc = ACL(aclCreateTensorDesc)(ACL_FLOAT16, 2, dims.data(), ACL_FORMAT_ND);
  REQUIRE(desc != nullptr);
  CHECK(ACL(aclGetTensorDescType)(desc) == ACL_FLOAT16);
  CHECK(ACL(aclGetTensorDescFormat)(desc) == ACL_FORMAT_ND);
  CHECK(ACL(aclGetTensorDescNumDims)(desc) == 2);
  CHECK(ACL(aclGetTensorDescSize)(desc) == 12);
  int64_t dim = 0;
  CHECK(ACL(aclGetTensorDescDimV2)(desc, 1, &dim) == ACL_SUCCESS);
  CHECK(dim == 3);
  CHECK(ACL(aclGetTensorDescDimV2)(desc, 2, &dim) == ACL_ERROR_INVALID_PARAM);
  ACL(aclSetTensorDescName)(desc, "x");
  CHECK(std::string(ACL(aclGetTensorDescName)(desc)) == "x");
  aclmdlDataset* dataset = ACL(aclmdlCreateDataset)();
  aclDataBuffer* buffer = ACL(aclCreateDataBuffer)(nullptr, 0);
  CHECK(ACL(aclmdlAddDatasetBuffer)(dataset, buffer) == ACL_SUCCESS);
  CHECK(ACL(aclmdlGetDatasetTensorDesc)(dataset, 0) == nullptr);
  CHECK(ACL(aclmdlSetDatasetTensorDesc)(dataset, desc, 1) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlSetDatasetTensorDesc)(dataset, desc, 0) == ACL_SUCCESS);
  ACL(aclDestroyTensorDesc)(desc);
  CHECK(ACL(aclGetTensorDescNumDims)(ACL(aclmdlGetDatasetTensorDesc)(dataset, 0)) == 2);
  CHECK(ACL(aclmdlDestroyDataset)(dataset) == ACL_SUCCESS);
  CHECK(ACL(aclDestroyDataBuffer)(buffer) == ACL_SUCCESS);
}

// Descriptions of impossible tensors are not made, and unknown ones answer with nothing.
TEST_CASE("Impossible tensor descriptions are refused") {
  const std::array<int64_t, 2> huge{int64_t{1} << 40, int64_t{1} << 40};
  CHECK(ACL(aclCreateTensorDesc)(ACL_FLOAT, 2, nullptr, ACL_FORMAT_ND) == nullptr);
  CHECK(ACL(aclCreateTensorDesc)(ACL_FLOAT, -1, huge.data(), ACL_FORMAT_ND) == nullptr);
  CHECK(ACL(aclCreateTensorDesc)(ACL_FLOAT, 129, huge.data(), ACL_FORMAT_ND) == nullptr);
  aclTensorDesc* desc = ACL(aclCreateTensorDesc)(ACL_FLOAT, 2, huge.data(), ACL_FORMAT_ND);
  CHECK(ACL(aclGetTensorDescSize)(desc) == 0);
  ACL(aclDestroyTensorDesc)(desc);
  ACL(aclDestroyTensorDesc)(desc);
  CHECK(ACL(aclGetTensorDescType)(desc) == ACL_DT_UNDEFINED);
  CHECK(ACL(aclGetTensorDescNumDims)(nullptr) == 0);
}

// Sizes of types are AscendCL's: whole bytes, 0 for what has none.
TEST_CASE("Types have sizes") {
  CHECK(ACL(aclDataTypeSize)(ACL_FLOAT) == 4);
  CHECK(ACL(aclDataTypeSize)(ACL_FLOAT16) == 2);
  CHECK(ACL(aclDataTypeSize)(ACL_BF16) == 2);
  CHECK(ACL(aclDataTypeSize)(ACL_INT4) == 1);
  CHECK(ACL(aclDataTypeSize)(ACL_BOOL) == 1);
  CHECK(ACL(aclDataTypeSize)(ACL_COMPLEX32) == 4);
  CHECK(ACL(aclDataTypeSize)(ACL_INT64) == 8);
  CHECK(ACL(aclDataTypeSize)(ACL_COMPLEX128) == 16);
  CHECK(ACL(aclDataTypeSize)(ACL_STRING) == 0);
  CHECK(ACL(aclDataTypeSize)(ACL_DT_UNDEFINED) == 0);
}

// Every half becomes a float and the same half again; floats round to the nearest half, ties to
// even.
TEST_CASE("Halves convert both ways") {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<aclFloat16>(bits);
    const float value = ACL(aclFloat16ToFloat)(half);
    if (std::isnan(value)) {
      CHECK((ACL(aclFloatToFloat16)(value) & 0x7C00) == 0x7C00);
    } else if (ACL(aclFloatToFloat16)(value) != half) {
      FAIL("half " << bits << " does not come back");
    }
  }
  CHECK(ACL(aclFloatToFloat16)(1.0F) == 0x3C00);
  CHECK(ACL(aclFloatToFloat16)(65504.0F) == 0x7BFF);
  CHECK(ACL(aclFloatToFloat16)(65520.0F) == 0x7C00);
  CHECK(ACL(aclFloatToFloat16)(1.0F + 0.00048828125F) == 0x3C00);      // Tie, to even.
  CHECK(ACL(aclFloatToFloat16)(1.0F + 3 * 0.00048828125F) == 0x3C02);  // Tie, to even.
  CHECK(ACL(aclFloatToFloat16)(-std::numeric_limits<float>::infinity()) == 0xFC00);
  CHECK(ACL(aclFloatToFloat16)(1e-10F) == 0);
}

}  // namespace
}  // namespace omserve::hostacl
