// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/model.h"

#include <algorithm>

#include "runtime/base/tensor.h"
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/gears.h"
#include "runtime/om/data_type.h"

namespace omserve::hostacl {
namespace {

// AscendCL lets a buffer be this much shorter than the padded size of the model.
constexpr size_t kSizeToleranceBytes = 64;

absl::Status CheckSide(const om::ModelDescription& model, const char* side,
                       std::span<const om::IoDescription> tensors,
                       std::span<const BufferView> buffers, size_t expected) {
  if (buffers.size() != expected) {
    return Fail(ACL_ERROR_GE_FAILURE,
                "model '{}': Blobs not match: the {} dataset has {} buffers, the model {}",
                model.name, side, buffers.size(), expected);
  }
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].address == nullptr) {
      return Fail(ACL_ERROR_GE_PARAM_INVALID, "model '{}': {} buffer {} has no memory", model.name,
                  side, i);
    }
    const bool is_static = model.gears.empty() && i < tensors.size();
    if (is_static && buffers[i].size_bytes + kSizeToleranceBytes < tensors[i].size_bytes) {
      return Fail(ACL_ERROR_GE_PARAM_INVALID,
                  "E13025: model '{}': {} buffer {} ('{}') has {} bytes, the model needs {}",
                  model.name, side, i, tensors[i].name, buffers[i].size_bytes,
                  tensors[i].size_bytes);
    }
  }
  return absl::OkStatus();
}

}  // namespace

DeviceAllocation::~DeviceAllocation() {
  if (address_ != nullptr) {
    // Fails only where the caller freed memory that was never theirs.
    device_->memory().Free(address_).IgnoreError();
  }
}

Model::Model(uint32_t id, Parts parts)
    : id_(id),
      parts_(std::move(parts)),
      has_dynamic_shape_(om::HasDynamicShape(parts_.description)),
      current_gear_(LargestGear(parts_.description)) {
  const om::ModelDescription& model = parts_.description;
  if (model.gears.empty()) {
    input_dims_.push_back(om::InputDimsAtGear(model, 0));
    std::vector<std::vector<int64_t>> outputs;
    for (const om::IoDescription& output : model.outputs) {
      outputs.push_back(output.dims);
    }
    output_dims_.push_back(std::move(outputs));
  }
  for (size_t gear = 0; gear < model.gears.size(); ++gear) {
    input_dims_.push_back(om::InputDimsAtGear(model, gear));
    output_dims_.push_back(model.gears[gear].output_dims);
  }
}

Model::~Model() {
  parts_.sync_stream->End();
  parts_.device->streams().Return(parts_.streams_held);
}

size_t Model::input_count() const {
  return parts_.description.inputs.size() + (has_gears() ? 1 : 0);
}

size_t Model::current_gear() const {
  const MutexLock lock(mu_);
  return current_gear_;
}

void Model::set_current_gear(size_t gear) {
  const MutexLock lock(mu_);
  current_gear_ = gear;
}

absl::Status Model::Check(const Execution& execution) const {
  const om::ModelDescription& model = parts_.description;
  RETURN_IF_ERROR(CheckSide(model, "input", model.inputs, execution.inputs, input_count()));
  return CheckSide(model, "output", model.outputs, execution.outputs, model.outputs.size());
}

absl::StatusOr<size_t> Model::ReadGear(const Execution& execution) const {
  if (!has_gears()) {
    return size_t{0};
  }
  const BufferView& reserved = execution.inputs.back();
  const size_t count = GearValueCount(parts_.description);
  const size_t wide_bytes = count * sizeof(uint64_t);
  const size_t used_bytes =
      reserved.size_bytes >= wide_bytes ? wide_bytes : count * sizeof(uint32_t);
  const absl::StatusOr<std::byte*> bytes = parts_.memory->UseDeviceBytes(
      reserved.address, used_bytes, DeviceMemory::Slack::kPadding, /*is_write=*/false);
  if (!bytes.ok()) {
    return WithAclCode(
        WithContext(bytes.status(), fmt::format("model '{}': input '{}'", parts_.description.name,
                                                om::kGearTensorName)),
        ACL_ERROR_RT_AICORE_EXCEPTION);
  }
  const std::vector<int64_t> values = DecodeGear({*bytes, used_bytes}, count);
  const std::optional<size_t> gear = FindGear(parts_.description, values);
  if (!gear.has_value()) {
    return Fail(ACL_ERROR_RT_MODEL_EXECUTE,
                "model '{}': input '{}' holds {}, which is no gear; it has {}",
                parts_.description.name, om::kGearTensorName, DimsToString(values),
                DescribeGears(parts_.description));
  }
  return *gear;
}

absl::StatusOr<size_t> Model::SizeOf(const om::IoDescription& io, std::span<const int64_t> dims,
                                     const char* what) const {
  const std::optional<uint64_t> size_bytes = om::AclTensorBytes(io.acl_data_type, dims);
  if (!size_bytes.has_value()) {
    return Fail(ACL_ERROR_RT_MODEL_EXECUTE, "model '{}': {} '{}' has dims {}, which is no size",
                parts_.description.name, what, io.name, DimsToString(dims));
  }
  return *size_bytes;
}

absl::StatusOr<TensorView> Model::View(const om::IoDescription& io, std::span<const int64_t> dims,
                                       const BufferView& buffer, TensorSide side) const {
  const char* const what = side == TensorSide::kInput ? "input" : "output";
  TensorView view;
  ASSIGN_OR_RETURN(view.size_bytes, SizeOf(io, dims, what));
  view.acl_data_type = io.acl_data_type;
  view.dims = dims;
  const absl::StatusOr<std::byte*> bytes =
      parts_.memory->UseDeviceBytes(buffer.address, view.size_bytes, DeviceMemory::Slack::kPadding,
                                    /*is_write=*/side == TensorSide::kOutput);
  if (!bytes.ok()) {
    return WithAclCode(
        WithContext(bytes.status(),
                    fmt::format("model '{}': {} '{}'", parts_.description.name, what, io.name)),
        ACL_ERROR_RT_AICORE_EXCEPTION);
  }
  view.data = *bytes;
  return view;
}

void Model::TouchGivenMemory() const {
  if (parts_.work.address != nullptr) {
    parts_.memory->Touch(parts_.work.address, parts_.work.size_bytes, /*is_write=*/true);
  }
  if (parts_.weights.address != nullptr) {
    parts_.memory->Touch(parts_.weights.address, parts_.weights.size_bytes, /*is_write=*/false);
  }
}

absl::StatusOr<absl::InlinedVector<TensorView, 4>> Model::ViewInputs(
    std::span<const BufferView> buffers, const DimsList& dims) const {
  const om::ModelDescription& model = parts_.description;
  absl::InlinedVector<TensorView, 4> views;
  for (size_t i = 0; i < model.inputs.size(); ++i) {
    ASSIGN_OR_RETURN(const TensorView view,
                     View(model.inputs[i], dims[i], buffers[i], TensorSide::kInput));
    views.push_back(view);
  }
  return views;
}

absl::Status Model::Run(const Execution& execution, const TensorTap& tap) const {
  ASSIGN_OR_RETURN(const size_t gear, ReadGear(execution));
  const om::ModelDescription& model = parts_.description;
  ASSIGN_OR_RETURN(const auto inputs, ViewInputs(execution.inputs, input_dims_[gear]));
  absl::InlinedVector<TensorView, 4> outputs;
  for (size_t i = 0; i < model.outputs.size(); ++i) {
    ASSIGN_OR_RETURN(const TensorView view, View(model.outputs[i], output_dims_[gear][i],
                                                 execution.outputs[i], TensorSide::kOutput));
    outputs.push_back(view);
  }
  TouchGivenMemory();
  if (tap) {
    tap(TensorSide::kInput, inputs);
  }
  RETURN_IF_ERROR(parts_.session->Run({*parts_.device, gear}, inputs, outputs));
  if (tap) {
    tap(TensorSide::kOutput, outputs);
  }
  return absl::OkStatus();
}

absl::StatusOr<DimsList> Model::RunSizing(std::span<const BufferView> input_buffers,
                                          const DimsList& input_dims, const OutputPlacer& place,
                                          const TensorTap& tap) const {
  const om::ModelDescription& model = parts_.description;
  ASSIGN_OR_RETURN(const auto inputs, ViewInputs(input_buffers, input_dims));
  TouchGivenMemory();
  if (tap) {
    tap(TensorSide::kInput, inputs);
  }
  DimsList output_dims(model.outputs.size());
  std::vector<TensorView> outputs(model.outputs.size());
  const OutputSink keep = [&](size_t index, const SizedOutput& output) -> absl::Status {
    const om::IoDescription& io = model.outputs[index];
    output_dims[index].assign(output.dims.begin(), output.dims.end());
    ASSIGN_OR_RETURN(const size_t size_bytes, SizeOf(io, output_dims[index], "output"));
    ASSIGN_OR_RETURN(const BufferView target, place(index, size_bytes));
    ASSIGN_OR_RETURN(outputs[index], View(io, output_dims[index], target, TensorSide::kOutput));
    std::copy_n(output.data, size_bytes, outputs[index].data);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(parts_.session->RunSizing({*parts_.device, 0}, inputs, keep));
  if (tap) {
    tap(TensorSide::kOutput, outputs);
  }
  return output_dims;
}

absl::StatusOr<std::shared_ptr<void>> Model::BeginExecution(const std::shared_ptr<Model>& model,
                                                            int32_t stream_id) {
  {
    const MutexLock lock(model->mu_);
    if (model->in_flight_ > 0 && model->in_flight_stream_ != stream_id) {
      return Fail(ACL_ERROR_RT_STREAM_MODEL,
                  "model '{}' (id {}): in flight on stream {} and launched on stream {}; load it "
                  "once per stream",
                  model->description().name, model->id_, model->in_flight_stream_, stream_id);
    }
    ++model->in_flight_;
    model->in_flight_stream_ = stream_id;
  }
  const auto end = [model](void*) {
    const MutexLock lock(model->mu_);
    --model->in_flight_;
  };
  return std::shared_ptr<void>(model.get(), end, RecyclingAllocator<char>());
}

bool Model::in_flight() const {
  const MutexLock lock(mu_);
  return in_flight_ > 0;
}

}  // namespace omserve::hostacl
