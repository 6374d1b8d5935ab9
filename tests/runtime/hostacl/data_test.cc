// SPDX-License-Identifier: Apache-2.0
// Data buffers, datasets, tensor descriptions and types: host objects, no aclInit needed.
#include <array>
#include <cmath>
#include <limits>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

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

// Destroyed datasets are refused and hold nothing.
TEST_CASE("Unknown datasets are refused") {
  aclmdlDataset* dataset = ACL(aclmdlCreateDataset)();
  aclDataBuffer* buffer = ACL(aclCreateDataBuffer)(nullptr, 1);
  CHECK(ACL(aclmdlAddDatasetBuffer)(dataset, buffer) == ACL_SUCCESS);
  CHECK(ACL(aclmdlDestroyDataset)(dataset) == ACL_SUCCESS);
  CHECK(ACL(aclmdlDestroyDataset)(dataset) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetDatasetNumBuffers)(dataset) == 0);
  CHECK(ACL(aclDestroyDataBuffer)(buffer) == ACL_SUCCESS);
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

// What is beyond the halves becomes infinite; infinities and NaNs stay what they are.
TEST_CASE("Halves convert at the ends") {
  CHECK(ACL(aclFloatToFloat16)(65520.0F) == 0x7C00);
  CHECK(ACL(aclFloatToFloat16)(-std::numeric_limits<float>::infinity()) == 0xFC00);
  for (const uint32_t sign : {0U, 0x8000U}) {
    for (uint32_t mantissa = 0; mantissa < 0x400; ++mantissa) {
      const auto half = static_cast<aclFloat16>(sign | 0x7C00U | mantissa);
      const float value = ACL(aclFloat16ToFloat)(half);
      if (mantissa == 0) {
        CHECK(std::isinf(value));
        CHECK(ACL(aclFloatToFloat16)(value) == half);
      } else {
        CHECK(std::isnan(value));
        CHECK((ACL(aclFloatToFloat16)(value) & 0x7C00) == 0x7C00);
      }
    }
  }
}

}  // namespace
}  // namespace omserve::hostacl
