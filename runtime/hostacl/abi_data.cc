// SPDX-License-Identifier: Apache-2.0
// The C interface: data buffers, datasets, tensor descriptions, data types.
#include <bit>
#include <cmath>
#include <limits>

#include "runtime/base/tensor.h"
#include "runtime/hostacl/data_objects.h"
#include "runtime/hostacl/entry.h"

namespace omserve::hostacl {
namespace {

// Rank and names beyond these are no tensor's.
constexpr int kMaxRank = ACL_MAX_DIM_CNT;

// The handle as the opaque type that the C interface shows for it.
template <typename Handle, typename T>
Handle* AddAs(HandleTable<T>& table, std::shared_ptr<T> object) {
  return static_cast<Handle*>(table.Add(std::move(object)));
}

absl::Status DestroyDataset(const aclmdlDataset* handle) {
  const std::shared_ptr<Dataset> dataset = Datasets().Remove(handle);
  if (dataset == nullptr) {
    return UnknownHandle("dataset", handle);
  }
  dataset->tensor_descs.Destroy();
  return absl::OkStatus();
}

absl::Status AddBuffer(aclmdlDataset* handle, aclDataBuffer* buffer) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Dataset> dataset,
                   FindObject(Datasets(), "dataset", handle));
  RETURN_IF_ERROR(FindObject(DataBuffers(), "data buffer", buffer).status());
  dataset->buffers.push_back(buffer);
  return absl::OkStatus();
}

absl::Status UpdateBuffer(aclDataBuffer* handle, void* data, size_t size_bytes) {
  ASSIGN_OR_RETURN(const std::shared_ptr<DataBuffer> buffer,
                   FindObject(DataBuffers(), "data buffer", handle));
  buffer->data = data;
  buffer->size_bytes = size_bytes;
  return absl::OkStatus();
}

// Copies, so that the caller's description may go.
absl::Status SetTensorDesc(aclmdlDataset* handle, aclTensorDesc* desc, size_t index) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Dataset> dataset,
                   FindObject(Datasets(), "dataset", handle));
  ASSIGN_OR_RETURN(const std::shared_ptr<TensorDesc> given,
                   FindObject(TensorDescs(), "tensor description", desc));
  if (index >= dataset->buffers.size()) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclmdlSetDatasetTensorDesc: index {} of {} buffers",
                index, dataset->buffers.size());
  }
  if (dataset->has_gear) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclmdlSetDatasetTensorDesc: a gear was set with this dataset; dims are given by a "
                "gear or by descriptions, according to the model, never by both");
  }
  dataset->tensor_descs.Set(index, *given);
  return absl::OkStatus();
}

absl::Status GetTensorDim(const aclTensorDesc* handle, size_t index, int64_t* dim) {
  ASSIGN_OR_RETURN(const std::shared_ptr<TensorDesc> desc,
                   FindObject(TensorDescs(), "tensor description", handle));
  if (dim == nullptr || index >= desc->dims.size()) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclGetTensorDescDimV2: index {} of {} dims, or a null output pointer", index,
                desc->dims.size());
  }
  *dim = desc->dims[index];
  return absl::OkStatus();
}

size_t TensorSize(const TensorDesc& desc) {
  const std::optional<int64_t> elements = ElementCount(desc.dims);
  const size_t element_bytes = aclDataTypeSize(desc.data_type);
  if (!elements.has_value() || element_bytes == 0 ||
      static_cast<size_t>(*elements) > std::numeric_limits<size_t>::max() / element_bytes) {
    return 0;
  }
  return static_cast<size_t>(*elements) * element_bytes;
}

size_t TypeSize(aclDataType type) {
  switch (type) {
    case ACL_DT_UNDEFINED:
    case ACL_STRING:
      return 0;
    case ACL_INT8:
    case ACL_UINT8:
    case ACL_BOOL:
    case ACL_INT4:
    case ACL_UINT1:
    case ACL_HIFLOAT8:
    case ACL_FLOAT8_E5M2:
    case ACL_FLOAT8_E4M3FN:
    case ACL_FLOAT8_E8M0:
    case ACL_FLOAT6_E3M2:
    case ACL_FLOAT6_E2M3:
    case ACL_FLOAT4_E2M1:
    case ACL_FLOAT4_E1M2:
      return 1;
    case ACL_FLOAT16:
    case ACL_BF16:
    case ACL_INT16:
    case ACL_UINT16:
      return 2;
    case ACL_FLOAT:
    case ACL_INT32:
    case ACL_UINT32:
    case ACL_COMPLEX32:
      return 4;
    case ACL_INT64:
    case ACL_UINT64:
    case ACL_DOUBLE:
    case ACL_COMPLEX64:
      return 8;
    case ACL_COMPLEX128:
      return 16;
  }
  return 0;  // A number that is no type.
}

float HalfToFloat(uint16_t half) {
  const int exponent = (half >> 10) & 0x1F;
  const int mantissa = half & 0x3FF;
  const float sign = (half & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 0x1F) {
    return mantissa == 0 ? sign * std::numeric_limits<float>::infinity()
                         : std::numeric_limits<float>::quiet_NaN();
  }
  if (exponent == 0) {
    return sign * std::ldexp(static_cast<float>(mantissa), -24);
  }
  return sign * std::ldexp(static_cast<float>(mantissa + 0x400), exponent - 25);
}

// Rounds to nearest, ties to even.
uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude >= 0x7F800000) {
    return static_cast<uint16_t>(sign | (magnitude > 0x7F800000 ? 0x7E00 : 0x7C00));
  }
  if (magnitude >= 0x477FF000) {  // 65520 and above round to infinity.
    return static_cast<uint16_t>(sign | 0x7C00);
  }
  if (magnitude < 0x38800000) {  // Below 2^-14: subnormal, a multiple of 2^-24.
    const float scaled = std::ldexp(std::bit_cast<float>(magnitude), 24);
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(scaled)));
  }
  const uint32_t rounded = magnitude + 0xFFF + ((magnitude >> 13) & 1);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000) >> 13));
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::DataBuffers;
using omserve::hostacl::Datasets;
using omserve::hostacl::Enter;
using omserve::hostacl::TensorDescs;

aclDataBuffer* aclCreateDataBuffer(void* data, size_t size) noexcept {
  omserve::hostacl::SetCurrentFunction(__func__);
  auto buffer = std::make_shared<omserve::hostacl::DataBuffer>();
  buffer->data = data;
  buffer->size_bytes = size;
  return omserve::hostacl::AddAs<aclDataBuffer>(DataBuffers(), std::move(buffer));
}

aclError aclDestroyDataBuffer(const aclDataBuffer* dataBuffer) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::DestroyObject(DataBuffers(), "data buffer", dataBuffer);
  });
}

aclError aclUpdateDataBuffer(aclDataBuffer* dataBuffer, void* data, size_t size) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::UpdateBuffer(dataBuffer, data, size); });
}

void* aclGetDataBufferAddr(const aclDataBuffer* dataBuffer) noexcept {
  const auto buffer = DataBuffers().Find(dataBuffer);
  return buffer == nullptr ? nullptr : buffer->data;
}

uint32_t aclGetDataBufferSize(const aclDataBuffer* dataBuffer) noexcept {
  return static_cast<uint32_t>(aclGetDataBufferSizeV2(dataBuffer));
}

size_t aclGetDataBufferSizeV2(const aclDataBuffer* dataBuffer) noexcept {
  const auto buffer = DataBuffers().Find(dataBuffer);
  return buffer == nullptr ? 0 : buffer->size_bytes;
}

aclmdlDataset* aclmdlCreateDataset() noexcept {
  omserve::hostacl::SetCurrentFunction(__func__);
  return omserve::hostacl::AddAs<aclmdlDataset>(Datasets(),
                                                std::make_shared<omserve::hostacl::Dataset>());
}

aclError aclmdlDestroyDataset(const aclmdlDataset* dataset) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::DestroyDataset(dataset); });
}

aclError aclmdlAddDatasetBuffer(aclmdlDataset* dataset, aclDataBuffer* dataBuffer) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::AddBuffer(dataset, dataBuffer); });
}

size_t aclmdlGetDatasetNumBuffers(const aclmdlDataset* dataset) noexcept {
  const auto found = Datasets().Find(dataset);
  return found == nullptr ? 0 : found->buffers.size();
}

aclDataBuffer* aclmdlGetDatasetBuffer(const aclmdlDataset* dataset, size_t index) noexcept {
  const auto found = Datasets().Find(dataset);
  return found == nullptr || index >= found->buffers.size() ? nullptr : found->buffers[index];
}

aclError aclmdlSetDatasetTensorDesc(aclmdlDataset* dataset, aclTensorDesc* tensorDesc,
                                    size_t index) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::SetTensorDesc(dataset, tensorDesc, index); });
}

aclTensorDesc* aclmdlGetDatasetTensorDesc(const aclmdlDataset* dataset, size_t index) noexcept {
  const auto found = Datasets().Find(dataset);
  return found == nullptr ? nullptr : found->tensor_descs.Get(index);
}

aclTensorDesc* aclCreateTensorDesc(aclDataType dataType, int numDims, const int64_t* dims,
                                   aclFormat format) noexcept {
  omserve::hostacl::SetCurrentFunction(__func__);
  if (numDims < 0 || numDims > omserve::hostacl::kMaxRank || (numDims > 0 && dims == nullptr)) {
    return nullptr;
  }
  auto desc = std::make_shared<omserve::hostacl::TensorDesc>();
  desc->data_type = dataType;
  desc->format = format;
  desc->dims.assign(dims, dims + numDims);
  return omserve::hostacl::AddAs<aclTensorDesc>(TensorDescs(), std::move(desc));
}

void aclDestroyTensorDesc(const aclTensorDesc* desc) noexcept { TensorDescs().Remove(desc); }

aclDataType aclGetTensorDescType(const aclTensorDesc* desc) noexcept {
  const auto found = TensorDescs().Find(desc);
  return found == nullptr ? ACL_DT_UNDEFINED : found->data_type;
}

aclFormat aclGetTensorDescFormat(const aclTensorDesc* desc) noexcept {
  const auto found = TensorDescs().Find(desc);
  return found == nullptr ? ACL_FORMAT_UNDEFINED : found->format;
}

size_t aclGetTensorDescNumDims(const aclTensorDesc* desc) noexcept {
  const auto found = TensorDescs().Find(desc);
  return found == nullptr ? 0 : found->dims.size();
}

aclError aclGetTensorDescDimV2(const aclTensorDesc* desc, size_t index, int64_t* dimSize) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetTensorDim(desc, index, dimSize); });
}

size_t aclGetTensorDescSize(const aclTensorDesc* desc) noexcept {
  const auto found = TensorDescs().Find(desc);
  return found == nullptr ? 0 : omserve::hostacl::TensorSize(*found);
}

aclTensorDesc* aclGetTensorDescByIndex(aclTensorDesc* desc, size_t index) noexcept {
  // A description here stands for one tensor.
  return index == 0 && TensorDescs().Find(desc) != nullptr ? desc : nullptr;
}

const char* aclGetTensorDescName(aclTensorDesc* desc) noexcept {
  const auto found = TensorDescs().Find(desc);
  return found == nullptr ? "" : found->name.c_str();
}

void aclSetTensorDescName(aclTensorDesc* desc, const char* name) noexcept {
  const auto found = TensorDescs().Find(desc);
  if (found != nullptr) {
    found->name = name == nullptr ? "" : name;
  }
}

size_t aclDataTypeSize(aclDataType dataType) noexcept {
  return omserve::hostacl::TypeSize(dataType);
}

float aclFloat16ToFloat(aclFloat16 value) noexcept { return omserve::hostacl::HalfToFloat(value); }

aclFloat16 aclFloatToFloat16(float value) noexcept { return omserve::hostacl::FloatToHalf(value); }
