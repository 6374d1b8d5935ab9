// SPDX-License-Identifier: Apache-2.0
// The C interface: gears, and AIPP, which this device has not.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "runtime/base/tensor.h"
#include "runtime/hostacl/data_objects.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/gears.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

// "-1" as the index of the functions that speak of all inputs at once.
constexpr size_t kAllInputs = std::numeric_limits<size_t>::max();

const char* KindName(om::GearKind kind) {
  switch (kind) {
    case om::GearKind::kNone:
      return "none";
    case om::GearKind::kBatch:
      return "batch";
    case om::GearKind::kImage:
      return "image";
    case om::GearKind::kDims:
      return "dims";
  }
  return "";
}

absl::StatusOr<std::shared_ptr<Model>> FindModelWith(const Here& here, uint32_t model_id,
                                                     om::GearKind kind) {
  ASSIGN_OR_RETURN(std::shared_ptr<Model> model, here.runtime->models().Find(model_id));
  if (model->description().gear_kind != kind || !model->has_gears()) {
    return Fail(ACL_ERROR_INVALID_PARAM, "model '{}': a {} gear was asked for; it has {}",
                model->description().name, KindName(kind), DescribeGears(model->description()));
  }
  return model;
}

// Whether the target holds the source's bytes. Writing them again disturbs no task that reads them,
// so strict mode is told of a reading.
bool HoldsAlready(const MemoryMap& memory, const CopyRequest& request) {
  const absl::StatusOr<std::byte*> held =
      memory.DeviceBytes(request.target, request.count, DeviceMemory::Slack::kNone);
  if (!held.ok() || std::memcmp(*held, request.source, request.count) != 0) {
    return false;
  }
  memory.Touch(request.target, request.count, /*is_write=*/false);
  return true;
}

// Writes the gear where the device will read it, and remembers it.
absl::Status WriteGear(const Here& here, Model& model, const aclmdlDataset* dataset, size_t index,
                       size_t gear) {
  if (index != model.input_count() - 1) {
    return Fail(ACL_ERROR_INVALID_PARAM, "model '{}': index {} is not that of '{}', which is {}",
                model.description().name, index, ACL_DYNAMIC_TENSOR_NAME, model.input_count() - 1);
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Dataset> held, FindObject(Datasets(), "dataset", dataset));
  if (!held->tensor_descs.empty()) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "model '{}': aclmdlSetDatasetTensorDesc was called for this dataset; the model has "
                "gears, and takes no dims in descriptions",
                model.description().name);
  }
  ASSIGN_OR_RETURN(const BufferViews buffers, SnapshotBuffers(dataset, "input"));
  if (index >= buffers.size() || buffers[index].address == nullptr) {
    return Fail(ACL_ERROR_GE_DYNAMIC_INPUT_ADDR_INVALID,
                "model '{}': the dataset has {} buffers and none with memory at {}, for '{}'",
                model.description().name, buffers.size(), index, ACL_DYNAMIC_TENSOR_NAME);
  }
  const BufferView& target = buffers[index];
  ASSIGN_OR_RETURN(const std::vector<std::byte> bytes,
                   EncodeGear(model.description().gears[gear].values, target.size_bytes));
  const CopyRequest copy{target.address, target.size_bytes, bytes.data(), bytes.size()};
  const absl::Status written = HoldsAlready(here.runtime->memory(), copy)
                                   ? absl::OkStatus()
                                   : Copy(here.runtime->memory(), copy);
  if (!written.ok()) {
    return WithAclCode(WithContext(written, fmt::format("buffer of '{}'", ACL_DYNAMIC_TENSOR_NAME)),
                       ACL_ERROR_GE_DYNAMIC_INPUT_ADDR_INVALID);
  }
  model.set_current_gear(gear);
  held->has_gear = true;
  return absl::OkStatus();
}

absl::Status SetByValues(uint32_t model_id, const aclmdlDataset* dataset, size_t index,
                         om::GearKind kind, std::span<const int64_t> values) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, FindModelWith(here, model_id, kind));
  const std::optional<size_t> gear = FindGear(model->description(), values);
  if (!gear.has_value()) {
    return Fail(ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID,
                "model '{}': {} is none of its gears; it has {}", model->description().name,
                DimsToString(values), DescribeGears(model->description()));
  }
  return WriteGear(here, *model, dataset, index, *gear);
}

absl::Status SetByDims(uint32_t model_id, const aclmdlDataset* dataset, size_t index,
                       const aclmdlIODims* dims) {
  if (dims == nullptr || dims->dimCount > ACL_MAX_DIM_CNT) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclmdlSetInputDynamicDims: the dims are null or more than {}", ACL_MAX_DIM_CNT);
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model,
                   FindModelWith(here, model_id, om::GearKind::kDims));
  ASSIGN_OR_RETURN(const size_t gear,
                   FindGearByDims(model->description(), {dims->dims, dims->dimCount}));
  return WriteGear(here, *model, dataset, index, gear);
}

// For the functions that speak of all inputs at once.
absl::StatusOr<std::shared_ptr<ModelDesc>> FindDescForAll(const aclmdlDesc* handle, size_t index,
                                                          const void* output,
                                                          const char* function) {
  if (output == nullptr || index != kAllInputs) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "{}: the output pointer is null, or the index is {} where -1 is expected", function,
                index);
  }
  return FindObject(ModelDescs(), "model description", handle);
}

absl::Status GetBatches(const aclmdlDesc* handle, aclmdlBatch* batches) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ModelDesc> desc,
                   FindDescForAll(handle, kAllInputs, batches, "aclmdlGetDynamicBatch"));
  *batches = aclmdlBatch{};
  if (desc->model.gear_kind != om::GearKind::kBatch) {
    return absl::OkStatus();
  }
  batches->batchCount = std::min<size_t>(desc->model.gears.size(), ACL_MAX_BATCH_NUM);
  for (size_t i = 0; i < batches->batchCount; ++i) {
    batches->batch[i] = static_cast<uint64_t>(desc->model.gears[i].values.front());
  }
  return absl::OkStatus();
}

absl::Status GetImages(const aclmdlDesc* handle, size_t index, aclmdlHW* images) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ModelDesc> desc,
                   FindDescForAll(handle, index, images, "aclmdlGetDynamicHW"));
  *images = aclmdlHW{};
  if (desc->model.gear_kind != om::GearKind::kImage) {
    return absl::OkStatus();
  }
  images->hwCount = std::min<size_t>(desc->model.gears.size(), ACL_MAX_HW_NUM);
  for (size_t i = 0; i < images->hwCount; ++i) {
    const std::vector<int64_t>& values = desc->model.gears[i].values;
    images->hw[i][0] = static_cast<uint64_t>(values.front());
    images->hw[i][1] = static_cast<uint64_t>(values.back());
  }
  return absl::OkStatus();
}

size_t DimsGearCount(const ModelDesc& desc) {
  return desc.model.gear_kind == om::GearKind::kDims ? desc.model.gears.size() : 0;
}

absl::Status GetGearCount(const aclmdlDesc* handle, size_t index, size_t* count) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ModelDesc> desc,
                   FindDescForAll(handle, index, count, "aclmdlGetInputDynamicGearCount"));
  *count = DimsGearCount(*desc);
  return absl::OkStatus();
}

absl::Status GetGearDims(const aclmdlDesc* handle, size_t index, aclmdlIODims* dims,
                         size_t capacity) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ModelDesc> desc,
                   FindDescForAll(handle, index, dims, "aclmdlGetInputDynamicDims"));
  const size_t count = DimsGearCount(*desc);
  if (capacity < count) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclmdlGetInputDynamicDims: room for {} gears, model '{}' has {}", capacity,
                desc->model.name, count);
  }
  for (size_t gear = 0; gear < count; ++gear) {
    const std::vector<int64_t> joined = JoinedInputDims(desc->model, gear);
    dims[gear] = aclmdlIODims{};
    dims[gear].dimCount = std::min<size_t>(joined.size(), ACL_MAX_DIM_CNT);
    std::copy_n(joined.begin(), dims[gear].dimCount, dims[gear].dims);
  }
  return absl::OkStatus();
}

absl::Status NoAipp(uint32_t model_id) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, here.runtime->models().Find(model_id));
  return Fail(ACL_ERROR_GE_AIPP_NOT_EXIST, "model '{}': it has no AIPP", model->description().name);
}

absl::Status GetAippType(uint32_t model_id, size_t index, aclmdlInputAippType* type,
                         size_t* attached) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, here.runtime->models().Find(model_id));
  if (type == nullptr || attached == nullptr || index >= model->input_count()) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclmdlGetAippType: an output pointer is null, or index {} of {} inputs", index,
                model->input_count());
  }
  *type = ACL_DATA_WITHOUT_AIPP;
  *attached = ACL_INVALID_NODE_INDEX;
  return absl::OkStatus();
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclmdlSetDynamicBatchSize(uint32_t modelId, aclmdlDataset* dataset, size_t index,
                                   uint64_t batchSize) noexcept {
  const std::array<int64_t, 1> values{static_cast<int64_t>(batchSize)};
  return Enter(__func__, [&] {
    return omserve::hostacl::SetByValues(modelId, dataset, index, omserve::om::GearKind::kBatch,
                                         values);
  });
}

aclError aclmdlSetDynamicHWSize(uint32_t modelId, aclmdlDataset* dataset, size_t index,
                                uint64_t height, uint64_t width) noexcept {
  const std::array<int64_t, 2> values{static_cast<int64_t>(height), static_cast<int64_t>(width)};
  return Enter(__func__, [&] {
    return omserve::hostacl::SetByValues(modelId, dataset, index, omserve::om::GearKind::kImage,
                                         values);
  });
}

aclError aclmdlSetInputDynamicDims(uint32_t modelId, aclmdlDataset* dataset, size_t index,
                                   const aclmdlIODims* dims) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::SetByDims(modelId, dataset, index, dims); });
}

aclError aclmdlGetDynamicBatch(const aclmdlDesc* modelDesc, aclmdlBatch* batch) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetBatches(modelDesc, batch); });
}

aclError aclmdlGetDynamicHW(const aclmdlDesc* modelDesc, size_t index, aclmdlHW* hw) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetImages(modelDesc, index, hw); });
}

aclError aclmdlGetInputDynamicGearCount(const aclmdlDesc* modelDesc, size_t index,
                                        size_t* gearCount) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetGearCount(modelDesc, index, gearCount); });
}

aclError aclmdlGetInputDynamicDims(const aclmdlDesc* modelDesc, size_t index, aclmdlIODims* dims,
                                   size_t gearCount) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetGearDims(modelDesc, index, dims, gearCount); });
}

aclError aclmdlSetInputAIPP(uint32_t modelId, aclmdlDataset* /*dataset*/, size_t /*index*/,
                            const aclmdlAIPP* /*aippParmsSet*/) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::NoAipp(modelId); });
}

aclError aclmdlGetAippType(uint32_t modelId, size_t index, aclmdlInputAippType* type,
                           size_t* dynamicAttachedDataIndex) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::GetAippType(modelId, index, type, dynamicAttachedDataIndex);
  });
}

aclError aclmdlGetFirstAippInfo(uint32_t modelId, size_t /*index*/,
                                aclAippInfo* /*aippInfo*/) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::NoAipp(modelId); });
}
