// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/model.h"

#include <algorithm>
#include <utility>

#include "runtime/acl/binding.h"
#include "runtime/acl/model_description.h"
#include "runtime/acl/model_plan.h"
#include "runtime/acl/status.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"

namespace omserve::acl {
namespace {

void* ToPointer(DevicePtr ptr) { return reinterpret_cast<void*>(ptr.address); }

absl::StatusOr<ModelSizes> QuerySizes(const Symbols& symbols, std::span<const std::byte> om) {
  if (om.empty()) {
    return InvalidArgument("the model file is empty: expected an .om file made by ATC or omc");
  }
  ModelSizes sizes;
  RETURN_IF_ERROR(
      ModelFileStatus(symbols, fmt::format("aclmdlQuerySizeFromMem of {} bytes", om.size()),
                      symbols.aclmdlQuerySizeFromMem(om.data(), om.size(), &sizes.work_bytes,
                                                     &sizes.weight_bytes)));
  return sizes;
}

// Setters write 8 bytes per value where there is room for them, else 4.
constexpr size_t kGearValueBytes = 8;

size_t ValueCount(const ModelDescription::Gears& gears) {
  size_t count = 1;
  for (const Gear& gear : gears.gears) {
    count = std::max(count, gear.values.size());
  }
  return count;
}

absl::Status CheckBound(const char* direction, const std::vector<ModelTensor>& tensors,
                        const std::vector<size_t>& bound, const std::vector<size_t>& needed) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (bound[i] < needed[i]) {
      return Internal("{} '{}' is bound to {} bytes: the gear needs {}", direction, tensors[i].name,
                      bound[i], needed[i]);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelSizes> QueryModelSizes(const Device& device, std::span<const std::byte> om) {
  return QuerySizes(device.symbols(), om);
}

absl::StatusOr<std::shared_ptr<const SharedWeights>> SharedWeights::Allocate(
    const Device& device, std::span<const std::byte> om) {
  ASSIGN_OR_RETURN(const ModelSizes sizes, QuerySizes(device.symbols(), om));
  ASSIGN_OR_RETURN(DeviceBuffer buffer, device.Allocate(sizes.weight_bytes));
  // The constructor is private, which std::make_shared cannot reach.
  return std::shared_ptr<const SharedWeights>(
      new SharedWeights(device, std::move(buffer), sizes.work_bytes));
}

Model::Model(const Device& device, std::shared_ptr<const SharedWeights> weights)
    : device_(device),
      generation_(device.generation()),
      weights_(std::move(weights)),
      plan_(std::make_unique<Plan>()) {}

absl::StatusOr<std::unique_ptr<Model>> Model::Load(const Device& device,
                                                   std::span<const std::byte> om,
                                                   std::shared_ptr<const SharedWeights> weights) {
  std::unique_ptr<Model> model(new Model(device, std::move(weights)));
  RETURN_IF_ERROR(model->LoadFrom(om));
  RETURN_IF_ERROR(model->Describe());
  return model;
}

absl::Status Model::LoadFrom(std::span<const std::byte> om) {
  const Symbols& symbols = device_.symbols();
  size_t work_bytes = 0;
  DevicePtr weight_ptr;
  size_t weight_bytes = 0;
  if (weights_ != nullptr) {
    work_bytes = weights_->work_bytes();
    weight_ptr = weights_->get();
    weight_bytes = weights_->size_bytes();
  } else {
    ASSIGN_OR_RETURN(const ModelSizes sizes, QuerySizes(symbols, om));
    work_bytes = sizes.work_bytes;
  }
  ASSIGN_OR_RETURN(work_, device_.Allocate(work_bytes));
  RETURN_IF_ERROR(ModelFileStatus(
      symbols,
      fmt::format("aclmdlLoadFromMemWithMem of {} bytes on device {}", om.size(), device_.id()),
      symbols.aclmdlLoadFromMemWithMem(om.data(), om.size(), &id_, ToPointer(work_.get()),
                                       work_bytes, ToPointer(weight_ptr), weight_bytes)));
  loaded_ = true;
  return absl::OkStatus();
}

Model::~Model() {
  if (!loaded_ || generation_ != device_.generation()) {
    return;
  }
  // A model is unloaded in the context that it was loaded in. The thread may be bound to another
  // device, or was bound before the device was lost and opened again.
  const absl::Status bound = device_.Bind();
  if (!bound.ok()) {
    OMSERVE_LOG(kError, "acl", "device={} {}", device_.id(), MessageOf(bound));
    return;
  }
  const aclError code = device_.symbols().aclmdlUnload(id_);
  if (code != ACL_SUCCESS) {
    OMSERVE_LOG(kError, "acl", "device={} {}", device_.id(),
                MessageOf(AclStatus(device_.symbols(), "aclmdlUnload", code)));
  }
}

absl::Status Model::Describe() {
  ASSIGN_OR_RETURN(const ModelDescription description,
                   ModelDescription::Read(device_.symbols(), id_));
  ASSIGN_OR_RETURN(info_.inputs, description.Inputs());
  ASSIGN_OR_RETURN(info_.outputs, description.Outputs());
  ASSIGN_OR_RETURN(ModelDescription::Gears gears, description.ReadGears(info_.inputs));
  info_.has_gear_input = description.gear_input().has_value();
  plan_->kind = gears.kind;
  plan_->gear_input = description.gear_input();
  if (info_.has_gear_input) {
    // The declared size is what the model was compiled to read; only a file that does not declare
    // it leaves the choice to us.
    const size_t declared_bytes = description.gear_input_bytes();
    plan_->gear_value_bytes =
        declared_bytes != 0 ? declared_bytes : kGearValueBytes * ValueCount(gears);
  }
  for (Gear& gear : gears.gears) {
    plan_->gears.push_back(
        {.values = std::move(gear.values), .input_bytes = {}, .output_bytes = {}});
    info_.gears.push_back({.input_dims = std::move(gear.input_dims), .output_dims = {}});
  }
  RETURN_IF_ERROR(DescribeOutputsPerGear(description));
  return MeasureTensors();
}

absl::Status Model::DescribeOutputsPerGear(const ModelDescription& description) {
  if (!info_.has_gear_input) {
    for (const ModelTensor& output : info_.outputs) {
      info_.gears.front().output_dims.push_back(output.dims);
    }
    return absl::OkStatus();
  }
  // AscendCL tells a gear's output dims only when the gear is set, which needs a dataset with the
  // reserved input's memory, as for an execution.
  ASSIGN_OR_RETURN(Binding scratch, Binding::Create(*this));
  for (size_t gear = 0; gear < info_.gears.size(); ++gear) {
    RETURN_IF_ERROR(SetGear(scratch, gear));
    for (size_t i = 0; i < info_.outputs.size(); ++i) {
      ASSIGN_OR_RETURN(Dims dims, description.CurrentOutputDims(i));
      info_.gears[gear].output_dims.push_back(std::move(dims));
    }
  }
  return absl::OkStatus();
}

absl::Status Model::MeasureTensors() {
  const auto measure = [](const char* direction, ModelTensor& tensor, const Dims& dims,
                          std::vector<size_t>& sizes) -> absl::Status {
    const std::optional<size_t> size_bytes = TensorBytes(tensor.type, dims);
    if (!size_bytes.has_value()) {
      return InvalidArgument(
          "{} '{}' has dims {}: expected sizes of 0 or more whose product fits 64 bits, and a -1 "
          "only where gears decide it; compile the model again, with gears for a dynamic shape",
          direction, tensor.name, DimsToString(dims));
    }
    sizes.push_back(*size_bytes);
    // Gears of several dims need not have their largest tensors all in one gear.
    tensor.max_bytes = std::max(tensor.max_bytes, *size_bytes);
    tensor.dims = dims;  // The last gear is the largest.
    return absl::OkStatus();
  };
  for (size_t gear = 0; gear < info_.gears.size(); ++gear) {
    Plan::PerGear& plan = plan_->gears[gear];
    for (size_t i = 0; i < info_.inputs.size(); ++i) {
      RETURN_IF_ERROR(
          measure("input", info_.inputs[i], info_.gears[gear].input_dims[i], plan.input_bytes));
    }
    for (size_t i = 0; i < info_.outputs.size(); ++i) {
      RETURN_IF_ERROR(
          measure("output", info_.outputs[i], info_.gears[gear].output_dims[i], plan.output_bytes));
    }
  }
  return absl::OkStatus();
}

absl::Status Model::SetGear(Binding& binding, size_t gear) {
  Binding::State& state = *binding.state_;
  // The setter is a synchronous copy. It can be left out when the dataset's memory and the model id
  // both have this gear from before.
  if (plan_->kind == GearKind::kNone || (state.gear == gear && plan_->current_gear == gear)) {
    return absl::OkStatus();
  }
  const Symbols& symbols = device_.symbols();
  const std::vector<int64_t>& values = plan_->gears[gear].values;
  const size_t index = *plan_->gear_input;
  state.gear.reset();
  plan_->current_gear.reset();
  aclError code = ACL_SUCCESS;
  const char* function = "";
  switch (plan_->kind) {
    case GearKind::kNone:
      break;
    case GearKind::kBatch:
      function = "aclmdlSetDynamicBatchSize";
      code = symbols.aclmdlSetDynamicBatchSize(id_, state.inputs.get(), index,
                                               static_cast<uint64_t>(values[0]));
      break;
    case GearKind::kImage:
      function = "aclmdlSetDynamicHWSize";
      code = symbols.aclmdlSetDynamicHWSize(id_, state.inputs.get(), index,
                                            static_cast<uint64_t>(values[0]),
                                            static_cast<uint64_t>(values[1]));
      break;
    case GearKind::kDims: {
      function = "aclmdlSetInputDynamicDims";
      aclmdlIODims dims = {};
      dims.dimCount = values.size();  // At most ACL_MAX_DIM_CNT: they came in this struct.
      std::copy(values.begin(), values.end(), dims.dims);
      code = symbols.aclmdlSetInputDynamicDims(id_, state.inputs.get(), index, &dims);
      break;
    }
  }
  if (code != ACL_SUCCESS) {
    return AclStatus(symbols, fmt::format("{} of {}", function, DimsToString(values)), code);
  }
  state.gear = gear;
  plan_->current_gear = gear;
  return absl::OkStatus();
}

absl::Status Model::Enqueue(Binding& binding, size_t gear, Stream& stream) {
  Binding::State& state = *binding.state_;
  if (state.model != this) {
    return Internal("a binding was made for another load than model id {}", id_);
  }
  if (gear >= plan_->gears.size()) {
    return Internal("gear {} of model id {}: it has {}", gear, id_, plan_->gears.size());
  }
  const Plan::PerGear& plan = plan_->gears[gear];
  RETURN_IF_ERROR(CheckBound("input", info_.inputs, state.input_bytes, plan.input_bytes));
  RETURN_IF_ERROR(CheckBound("output", info_.outputs, state.output_bytes, plan.output_bytes));
  RETURN_IF_ERROR(SetGear(binding, gear));
  return stream.StatusOf("aclmdlExecuteAsync",
                         device_.symbols().aclmdlExecuteAsync(id_, state.inputs.get(),
                                                              state.outputs.get(), stream.handle_));
}

}  // namespace omserve::acl
