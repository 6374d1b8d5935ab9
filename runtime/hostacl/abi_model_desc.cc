// SPDX-License-Identifier: Apache-2.0
// The C interface: what a model description says.
#include <algorithm>
#include <cstring>
#include <optional>

#include "runtime/base/file.h"
#include "runtime/hostacl/data_objects.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/gears.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

// One input or output, seen alike whether it is in the file or the reserved one that gears add.
struct Tensor {
  const char* name;
  aclDataType data_type;
  aclFormat format;
  std::vector<int64_t> dims;
  size_t size_bytes;
};

size_t InputCount(const ModelDesc& desc) {
  return desc.model.inputs.size() + (desc.model.gears.empty() ? 0 : 1);
}

Tensor FromDescription(const om::IoDescription& io) {
  return {io.name.c_str(), static_cast<aclDataType>(io.acl_data_type),
          static_cast<aclFormat>(io.acl_format), io.dims, io.size_bytes};
}

std::optional<Tensor> InputAt(const ModelDesc& desc, size_t index) {
  if (index < desc.model.inputs.size()) {
    return FromDescription(desc.model.inputs[index]);
  }
  if (index >= InputCount(desc)) {
    return std::nullopt;
  }
  const size_t values = GearValueCount(desc.model);
  return Tensor{om::kGearTensorName,
                ACL_INT32,
                ACL_FORMAT_ND,
                {static_cast<int64_t>(values)},
                values * sizeof(int32_t)};
}

std::optional<Tensor> OutputAt(const ModelDesc& desc, size_t index) {
  if (index >= desc.model.outputs.size()) {
    return std::nullopt;
  }
  return FromDescription(desc.model.outputs[index]);
}

enum class Side { kInput, kOutput };

// For the getters that have no error to return.
std::optional<Tensor> TensorOf(const aclmdlDesc* handle, Side side, size_t index) {
  const std::shared_ptr<ModelDesc> desc = ModelDescs().Find(handle);
  if (desc == nullptr) {
    return std::nullopt;
  }
  return side == Side::kInput ? InputAt(*desc, index) : OutputAt(*desc, index);
}

void FillDims(const char* name, std::span<const int64_t> dims, aclmdlIODims* out) {
  std::memset(out, 0, sizeof(*out));
  // A longer name is cut; aclmdlGetInputNameByIndex gives the whole.
  std::strncpy(out->name, name, sizeof(out->name) - 1);
  out->dimCount = std::min<size_t>(dims.size(), ACL_MAX_DIM_CNT);
  std::copy_n(dims.begin(), out->dimCount, out->dims);
}

absl::Status BadIndex(const char* function, size_t index) {
  return Fail(ACL_ERROR_INVALID_PARAM,
              "{}: index {} is beyond the model's tensors, or a pointer is null", function, index);
}

absl::Status GetDims(const aclmdlDesc* handle, Side side, size_t index, aclmdlIODims* out) {
  RETURN_IF_ERROR(FindObject(ModelDescs(), "model description", handle).status());
  const std::optional<Tensor> tensor = TensorOf(handle, side, index);
  if (out == nullptr || !tensor.has_value()) {
    return BadIndex(side == Side::kInput ? "aclmdlGetInputDims" : "aclmdlGetOutputDims", index);
  }
  FillDims(tensor->name, tensor->dims, out);
  return absl::OkStatus();
}

// A fixed dim is a range of one size; a range without an end has -1 there.
void FillRange(std::span<const int64_t> dims, std::span<const om::DimRange> ranges,
               aclmdlIODimsRange* out) {
  out->rangeCount = std::min<size_t>(dims.size(), ACL_MAX_DIM_CNT);
  for (size_t i = 0; i < out->rangeCount; ++i) {
    out->range[i][0] = i < ranges.size() ? ranges[i].least : dims[i];
    out->range[i][1] = i < ranges.size() ? ranges[i].most : dims[i];
  }
}

absl::Status GetInputRange(const aclmdlDesc* handle, size_t index, aclmdlIODimsRange* out) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ModelDesc> desc,
                   FindObject(ModelDescs(), "model description", handle));
  const std::optional<Tensor> tensor = InputAt(*desc, index);
  if (out == nullptr || !tensor.has_value()) {
    return BadIndex("aclmdlGetInputDimsRange", index);
  }
  std::memset(out, 0, sizeof(*out));
  if (desc->model.gears.empty()) {  // With gears no range says what is possible.
    FillRange(tensor->dims, desc->model.inputs[index].dim_ranges, out);
  }
  return absl::OkStatus();
}

absl::Status GetCurrentOutputDims(const aclmdlDesc* handle, size_t index, aclmdlIODims* out) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ModelDesc> desc,
                   FindObject(ModelDescs(), "model description", handle));
  const std::optional<Tensor> tensor = OutputAt(*desc, index);
  if (out == nullptr || !tensor.has_value()) {
    return BadIndex("aclmdlGetCurOutputDims", index);
  }
  if (!desc->model_id.has_value()) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclmdlGetCurOutputDims: the description is of a file; it needs one from "
                "aclmdlGetDesc");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, runtime->models().Find(*desc->model_id));
  const std::vector<om::GearDescription>& gears = desc->model.gears;
  FillDims(tensor->name,
           gears.empty() ? tensor->dims : gears[model->current_gear()].output_dims[index], out);
  return absl::OkStatus();
}

absl::Status GetIndexByName(const aclmdlDesc* handle, Side side, const char* name, size_t* index) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ModelDesc> desc,
                   FindObject(ModelDescs(), "model description", handle));
  if (name == nullptr || index == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "an index by name: the name or the output pointer is null");
  }
  const size_t count = side == Side::kInput ? InputCount(*desc) : desc->model.outputs.size();
  for (size_t i = 0; i < count; ++i) {
    if (std::strcmp(TensorOf(handle, side, i)->name, name) == 0) {
      *index = i;
      return absl::OkStatus();
    }
  }
  return Fail(ACL_ERROR_INVALID_PARAM, "model '{}': it has no {} '{}'", desc->model.name,
              side == Side::kInput ? "input" : "output", name);
}

absl::Status FillDesc(aclmdlDesc* handle, om::ModelDescription model,
                      std::optional<uint32_t> model_id) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ModelDesc> desc,
                   FindObject(ModelDescs(), "model description", handle));
  desc->model = std::move(model);
  desc->model_id = model_id;
  return absl::OkStatus();
}

absl::Status GetDesc(aclmdlDesc* handle, uint32_t model_id) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, here.runtime->models().Find(model_id));
  return FillDesc(handle, model->description(), model_id);
}

absl::Status GetDescOfBytes(aclmdlDesc* handle, std::span<const std::byte> file) {
  ASSIGN_OR_RETURN(om::ModelDescription model, DescribeFile(file));
  return FillDesc(handle, std::move(model), std::nullopt);
}

absl::Status GetDescOfFile(aclmdlDesc* handle, const char* path) {
  if (path == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclmdlGetDescFromFile: the path is null");
  }
  const absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) {
    return WithAclCode(file.status(), ACL_ERROR_GE_EXEC_MODEL_PATH_INVALID);
  }
  return InContext(GetDescOfBytes(handle, file->bytes()), fmt::format("'{}'", path));
}

absl::Status GetDescOfMemory(aclmdlDesc* handle, const void* file, size_t size_bytes) {
  if (file == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclmdlGetDescFromMem: the model is null");
  }
  return GetDescOfBytes(handle, {static_cast<const std::byte*>(file), size_bytes});
}

const char* NameAt(const aclmdlDesc* handle, Side side, size_t index) {
  const std::optional<Tensor> tensor = TensorOf(handle, side, index);
  return tensor.has_value() ? tensor->name : "";
}

const char* RealName(const aclmdlDesc* handle, const char* name) {
  // Names are never shortened here, so every name of the model is its real one.
  size_t index = 0;
  if (name == nullptr) {
    return "";
  }
  for (const Side side : {Side::kInput, Side::kOutput}) {
    if (GetIndexByName(handle, side, name, &index).ok()) {
      return NameAt(handle, side, index);
    }
  }
  return "";
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;
using omserve::hostacl::ModelDescs;
using omserve::hostacl::Side;
using omserve::hostacl::TensorOf;

aclmdlDesc* aclmdlCreateDesc() noexcept {
  omserve::hostacl::SetCurrentFunction(__func__);
  return static_cast<aclmdlDesc*>(
      ModelDescs().Add(std::make_shared<omserve::hostacl::ModelDesc>()));
}

aclError aclmdlDestroyDesc(aclmdlDesc* modelDesc) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::DestroyObject(ModelDescs(), "model description", modelDesc);
  });
}

aclError aclmdlGetDesc(aclmdlDesc* modelDesc, uint32_t modelId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetDesc(modelDesc, modelId); });
}

aclError aclmdlGetDescFromFile(aclmdlDesc* modelDesc, const char* modelPath) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetDescOfFile(modelDesc, modelPath); });
}

aclError aclmdlGetDescFromMem(aclmdlDesc* modelDesc, const void* model, size_t modelSize) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetDescOfMemory(modelDesc, model, modelSize); });
}

size_t aclmdlGetNumInputs(aclmdlDesc* modelDesc) noexcept {
  const auto desc = ModelDescs().Find(modelDesc);
  return desc == nullptr ? 0 : omserve::hostacl::InputCount(*desc);
}

size_t aclmdlGetNumOutputs(aclmdlDesc* modelDesc) noexcept {
  const auto desc = ModelDescs().Find(modelDesc);
  return desc == nullptr ? 0 : desc->model.outputs.size();
}

size_t aclmdlGetInputSizeByIndex(aclmdlDesc* modelDesc, size_t index) noexcept {
  const auto tensor = TensorOf(modelDesc, Side::kInput, index);
  return tensor.has_value() ? tensor->size_bytes : 0;
}

size_t aclmdlGetOutputSizeByIndex(aclmdlDesc* modelDesc, size_t index) noexcept {
  const auto tensor = TensorOf(modelDesc, Side::kOutput, index);
  return tensor.has_value() ? tensor->size_bytes : 0;
}

aclError aclmdlGetInputDims(const aclmdlDesc* modelDesc, size_t index,
                            aclmdlIODims* dims) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetDims(modelDesc, Side::kInput, index, dims); });
}

aclError aclmdlGetInputDimsV2(const aclmdlDesc* modelDesc, size_t index,
                              aclmdlIODims* dims) noexcept {
  // The two differ for AIPP only, which this device has not.
  return Enter(__func__,
               [&] { return omserve::hostacl::GetDims(modelDesc, Side::kInput, index, dims); });
}

aclError aclmdlGetInputDimsRange(const aclmdlDesc* modelDesc, size_t index,
                                 aclmdlIODimsRange* dimsRange) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetInputRange(modelDesc, index, dimsRange); });
}

aclError aclmdlGetOutputDims(const aclmdlDesc* modelDesc, size_t index,
                             aclmdlIODims* dims) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetDims(modelDesc, Side::kOutput, index, dims); });
}

aclError aclmdlGetCurOutputDims(const aclmdlDesc* modelDesc, size_t index,
                                aclmdlIODims* dims) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetCurrentOutputDims(modelDesc, index, dims); });
}

aclFormat aclmdlGetInputFormat(const aclmdlDesc* modelDesc, size_t index) noexcept {
  const auto tensor = TensorOf(modelDesc, Side::kInput, index);
  return tensor.has_value() ? tensor->format : ACL_FORMAT_UNDEFINED;
}

aclFormat aclmdlGetOutputFormat(const aclmdlDesc* modelDesc, size_t index) noexcept {
  const auto tensor = TensorOf(modelDesc, Side::kOutput, index);
  return tensor.has_value() ? tensor->format : ACL_FORMAT_UNDEFINED;
}

aclDataType aclmdlGetInputDataType(const aclmdlDesc* modelDesc, size_t index) noexcept {
  const auto tensor = TensorOf(modelDesc, Side::kInput, index);
  return tensor.has_value() ? tensor->data_type : ACL_DT_UNDEFINED;
}

aclDataType aclmdlGetOutputDataType(const aclmdlDesc* modelDesc, size_t index) noexcept {
  const auto tensor = TensorOf(modelDesc, Side::kOutput, index);
  return tensor.has_value() ? tensor->data_type : ACL_DT_UNDEFINED;
}

const char* aclmdlGetInputNameByIndex(const aclmdlDesc* modelDesc, size_t index) noexcept {
  return omserve::hostacl::NameAt(modelDesc, Side::kInput, index);
}

const char* aclmdlGetOutputNameByIndex(const aclmdlDesc* modelDesc, size_t index) noexcept {
  return omserve::hostacl::NameAt(modelDesc, Side::kOutput, index);
}

aclError aclmdlGetInputIndexByName(const aclmdlDesc* modelDesc, const char* name,
                                   size_t* index) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::GetIndexByName(modelDesc, Side::kInput, name, index);
  });
}

aclError aclmdlGetOutputIndexByName(const aclmdlDesc* modelDesc, const char* name,
                                    size_t* index) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::GetIndexByName(modelDesc, Side::kOutput, name, index);
  });
}

const char* aclmdlGetTensorRealName(const aclmdlDesc* modelDesc, const char* name) noexcept {
  return omserve::hostacl::RealName(modelDesc, name);
}

const char* aclmdlGetOpAttr(aclmdlDesc* /*modelDesc*/, const char* /*opName*/,
                            const char* /*attr*/) noexcept {
  return "";  // A host model keeps no attributes of its operators.
}

aclError aclmdlCreateAndGetOpDesc(uint32_t /*deviceId*/, uint32_t /*streamId*/, uint32_t /*taskId*/,
                                  char* /*opName*/, size_t /*opNameLen*/,
                                  aclTensorDesc** /*inputDesc*/, size_t* /*numInputs*/,
                                  aclTensorDesc** /*outputDesc*/, size_t* /*numOutputs*/) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::Fail(
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
        "aclmdlCreateAndGetOpDesc: a task of this device is a whole model, not one operator; "
        "aclGetRecentErrMsg names the model");
  });
}
