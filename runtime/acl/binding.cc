// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/binding.h"

#include <utility>

#include "runtime/acl/model_plan.h"
#include "runtime/acl/status.h"
#include "runtime/base/errors.h"

namespace omserve::acl {

absl::StatusOr<Dataset> Dataset::Create(const Symbols& symbols, size_t count) {
  Dataset result(&symbols, symbols.aclmdlCreateDataset());
  if (result.dataset_ == nullptr) {
    return ResourceExhausted("aclmdlCreateDataset gave no dataset: the host is out of memory ({})",
                             TakeRecentErrorText(symbols));
  }
  for (size_t i = 0; i < count; ++i) {
    aclDataBuffer* buffer = symbols.aclCreateDataBuffer(nullptr, 0);
    if (buffer == nullptr) {
      return ResourceExhausted("aclCreateDataBuffer gave no buffer: the host is out of memory ({})",
                               TakeRecentErrorText(symbols));
    }
    result.buffers_.push_back(buffer);
    result.memory_.emplace_back();
    RETURN_IF_ERROR(AclStatus(symbols, "aclmdlAddDatasetBuffer",
                              symbols.aclmdlAddDatasetBuffer(result.dataset_, buffer)));
  }
  return result;
}

Dataset::Dataset(Dataset&& other) noexcept
    : symbols_(other.symbols_),
      dataset_(std::exchange(other.dataset_, nullptr)),
      buffers_(std::move(other.buffers_)),
      memory_(std::move(other.memory_)) {
  other.buffers_.clear();
}

Dataset::~Dataset() {
  // The dataset refers to the buffers and does not free them.
  if (dataset_ != nullptr) {
    static_cast<void>(symbols_->aclmdlDestroyDataset(dataset_));
  }
  for (aclDataBuffer* buffer : buffers_) {
    static_cast<void>(symbols_->aclDestroyDataBuffer(buffer));
  }
}

absl::Status Dataset::Update(size_t index, DevicePtr at, size_t size_bytes) {
  const Memory memory{at, size_bytes};
  if (memory_[index] == memory) {
    return absl::OkStatus();
  }
  const aclError code = symbols_->aclUpdateDataBuffer(
      buffers_[index], reinterpret_cast<void*>(at.address), size_bytes);
  memory_[index] = code == ACL_SUCCESS ? memory : Memory();
  return AclStatus(*symbols_, "aclUpdateDataBuffer", code);
}

Binding::Binding(std::unique_ptr<State> state) : state_(std::move(state)) {}
Binding::Binding(Binding&& other) noexcept = default;
Binding& Binding::operator=(Binding&& other) noexcept = default;
Binding::~Binding() = default;

absl::StatusOr<Binding> Binding::Create(const Model& model) {
  const Symbols& symbols = model.device().symbols();
  const ModelInfo& info = model.info();
  const Model::Plan& plan = *model.plan_;
  const size_t input_count = info.inputs.size() + (plan.gear_input.has_value() ? 1 : 0);
  ASSIGN_OR_RETURN(Dataset inputs, Dataset::Create(symbols, input_count));
  ASSIGN_OR_RETURN(Dataset outputs, Dataset::Create(symbols, info.outputs.size()));
  DeviceBuffer gear_value;
  if (plan.gear_input.has_value()) {
    ASSIGN_OR_RETURN(gear_value, model.device().Allocate(plan.gear_value_bytes));
    RETURN_IF_ERROR(inputs.Update(*plan.gear_input, gear_value.get(), gear_value.size_bytes()));
  }
  return Binding(std::make_unique<State>(State{
      .model = &model,
      .inputs = std::move(inputs),
      .outputs = std::move(outputs),
      .input_bytes = std::vector<size_t>(info.inputs.size(), 0),
      .output_bytes = std::vector<size_t>(info.outputs.size(), 0),
      .gear_value = std::move(gear_value),
      .gear = std::nullopt,
  }));
}

absl::Status Binding::BindInput(size_t index, DevicePtr at, size_t size_bytes) {
  if (index >= state_->input_bytes.size()) {
    return Internal("input {} cannot be bound: the model has {} inputs", index,
                    state_->input_bytes.size());
  }
  // AscendCL counts the reserved input, which is not one of the model's to us.
  const std::optional<size_t>& gear_input = state_->model->plan_->gear_input;
  const size_t slot = gear_input.has_value() && index >= *gear_input ? index + 1 : index;
  RETURN_IF_ERROR(state_->inputs.Update(slot, at, size_bytes));
  state_->input_bytes[index] = at ? size_bytes : 0;
  return absl::OkStatus();
}

absl::Status Binding::BindOutput(size_t index, DevicePtr at, size_t size_bytes) {
  if (index >= state_->output_bytes.size()) {
    return Internal("output {} cannot be bound: the model has {} outputs", index,
                    state_->output_bytes.size());
  }
  RETURN_IF_ERROR(state_->outputs.Update(index, at, size_bytes));
  state_->output_bytes[index] = at ? size_bytes : 0;
  return absl::OkStatus();
}

}  // namespace omserve::acl
