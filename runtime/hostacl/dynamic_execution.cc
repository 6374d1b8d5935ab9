// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/dynamic_execution.h"

#include <algorithm>
#include <utility>

#include "runtime/base/tensor.h"
#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {
namespace {

absl::Status CheckCount(const Model& model, const char* side, size_t count, size_t expected) {
  if (count != expected) {
    return Fail(ACL_ERROR_GE_FAILURE,
                "model '{}': Blobs not match: the {} dataset has {} buffers, the model {}",
                model.description().name, side, count, expected);
  }
  return absl::OkStatus();
}

bool IsIn(int64_t dim, const om::DimRange& range) {
  return dim >= range.least && (range.most == -1 || dim <= range.most);
}

// `dims` as given for `input`; a fixed input needs none.
absl::StatusOr<std::vector<int64_t>> DimsOf(const Model& model, size_t index,
                                            const TensorDesc* given) {
  const om::IoDescription& input = model.description().inputs[index];
  const bool is_open = std::find(input.dims.begin(), input.dims.end(), -1) != input.dims.end();
  if (given == nullptr) {
    if (!is_open) {
      return input.dims;
    }
    return Fail(ACL_ERROR_GE_PARAM_INVALID,
                "model '{}': nobody gave the dims of input {}, '{}'; call "
                "aclmdlSetDatasetTensorDesc with dims in {}",
                model.description().name, index, input.name, om::ShowRanges(input));
  }
  const auto fits = [&](size_t d) {
    return is_open ? IsIn(given->dims[d], input.dim_ranges[d]) : given->dims[d] == input.dims[d];
  };
  bool all_fit = given->dims.size() == input.dims.size();
  for (size_t d = 0; all_fit && d < given->dims.size(); ++d) {
    all_fit = fits(d);
  }
  if (!all_fit) {
    return Fail(ACL_ERROR_GE_SHAPE_INVALID,
                "model '{}': input {} was given the dims {}, it was compiled for {}",
                model.description().name, index, DimsToString(given->dims), om::ShowRanges(input));
  }
  return given->dims;
}

}  // namespace

absl::StatusOr<std::shared_ptr<DynamicExecution>> DynamicExecution::Make(
    const Model& model, const aclmdlDataset* input, const aclmdlDataset* output,
    NullOutputs null_outputs) {
  auto execution = std::make_shared<DynamicExecution>();
  RETURN_IF_ERROR(execution->TakeInputs(model, input));
  RETURN_IF_ERROR(execution->TakeOutputs(model, output, null_outputs));
  return execution;
}

absl::Status DynamicExecution::TakeInputs(const Model& model, const aclmdlDataset* handle) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Dataset> dataset,
                   FindObject(Datasets(), "dataset", handle));
  ASSIGN_OR_RETURN(inputs_, SnapshotBuffers(handle, "input"));
  RETURN_IF_ERROR(CheckCount(model, "input", inputs_.size(), model.input_count()));
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].address == nullptr) {
      return Fail(ACL_ERROR_GE_PARAM_INVALID, "model '{}': input buffer {} has no memory",
                  model.description().name, i);
    }
    const std::shared_ptr<TensorDesc> given = TensorDescs().Find(dataset->tensor_descs.Get(i));
    ASSIGN_OR_RETURN(std::vector<int64_t> dims, DimsOf(model, i, given.get()));
    input_dims_.push_back(std::move(dims));
  }
  return absl::OkStatus();
}

absl::Status DynamicExecution::TakeOutputs(const Model& model, const aclmdlDataset* handle,
                                           NullOutputs mode) {
  ASSIGN_OR_RETURN(output_dataset_, FindObject(Datasets(), "dataset", handle));
  ASSIGN_OR_RETURN(const BufferViews views, SnapshotBuffers(handle, "output"));
  RETURN_IF_ERROR(CheckCount(model, "output", views.size(), model.description().outputs.size()));
  for (size_t i = 0; i < views.size(); ++i) {
    Output output;
    output.view = views[i];
    if (views[i].address == nullptr) {
      if (mode == NullOutputs::kRefused || views[i].size_bytes != 0) {
        return Fail(ACL_ERROR_GE_PARAM_INVALID,
                    "model '{}': output buffer {} has no memory; only an execution that is waited "
                    "for allocates it, for a buffer of (NULL, 0)",
                    model.description().name, i);
      }
      output.buffer = DataBuffers().Find(output_dataset_->buffers[i]);
    }
    outputs_.push_back(std::move(output));
  }
  return absl::OkStatus();
}

absl::StatusOr<BufferView> DynamicExecution::Place(const Model& model, size_t index,
                                                   size_t size_bytes) {
  Output& output = outputs_[index];
  const std::string& name = model.description().outputs[index].name;
  if (output.buffer == nullptr) {
    if (output.view.size_bytes < size_bytes) {
      return Fail(ACL_ERROR_GE_PARAM_INVALID,
                  "model '{}': the buffer of output {} ('{}') has {} bytes, what came out needs {}",
                  model.description().name, index, name, output.view.size_bytes, size_bytes);
    }
    return output.view;
  }
  // An empty output has an address too, so that every one is freed alike.
  const absl::StatusOr<void*> address =
      model.device()->memory().Allocate(std::max<size_t>(size_bytes, 1), kMallocExtraBytes);
  if (!address.ok()) {
    return WithAclCode(
        WithContext(address.status(), fmt::format("memory for output {} ('{}')", index, name)),
        ACL_ERROR_GE_MEMORY_ALLOCATION);
  }
  output.allocated = DeviceAllocation(model.device(), *address);
  output.view = {*address, size_bytes};
  return output.view;
}

absl::Status DynamicExecution::Run(const Model& model, const TensorTap& tap) {
  ASSIGN_OR_RETURN(
      DimsList dims,
      model.RunSizing(
          inputs_, input_dims_,
          [&](size_t index, size_t size_bytes) { return Place(model, index, size_bytes); }, tap));
  for (size_t i = 0; i < dims.size(); ++i) {
    const om::IoDescription& io = model.description().outputs[i];
    output_dataset_->tensor_descs.Set(
        i, TensorDesc{.data_type = static_cast<aclDataType>(io.acl_data_type),
                      .format = static_cast<aclFormat>(io.acl_format),
                      .dims = std::move(dims[i]),
                      .name = io.name});
  }
  return absl::OkStatus();
}

void DynamicExecution::HandOver(OrderChecker* order) {
  for (Output& output : outputs_) {
    if (output.allocated.address() == nullptr) {
      continue;
    }
    output.buffer->data = output.allocated.Release();
    output.buffer->size_bytes = output.view.size_bytes;
    if (order != nullptr) {
      order->Allocated(output.view.address, output.view.size_bytes,
                       CurrentOwner("device memory", output.view.size_bytes));
    }
  }
}

}  // namespace omserve::hostacl
