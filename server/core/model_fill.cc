// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_fill.h"

#include <algorithm>
#include <utility>

#include "runtime/base/status_macros.h"
#include "server/core/decoupled_answers.h"
#include "server/core/label_file.h"
#include "server/core/length_padding.h"

namespace omserve::server {
namespace {

using inference::ModelConfig;

std::vector<TensorSpec> WireSpecs(const scheduler::Plan& plan, const std::vector<int>& tensors) {
  std::vector<TensorSpec> specs;
  for (const int tensor : tensors) {
    const scheduler::PlanTensor& from = plan.tensors[static_cast<size_t>(tensor)];
    TensorSpec spec{from.name, from.spec.type, from.spec.dims};
    if (plan.batched) {
      spec.dims.insert(spec.dims.begin(), -1);
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

// By input of the plan: `config` says that requests may leave it out.
std::vector<bool> OptionalInputs(const scheduler::Plan& plan, const ModelConfig& config) {
  std::vector<bool> optional;
  for (const int input : plan.inputs) {
    const std::string& name = plan.tensors[static_cast<size_t>(input)].name;
    optional.push_back(std::any_of(
        config.input().begin(), config.input().end(),
        [&name](const auto& declared) { return declared.name() == name && declared.optional(); }));
  }
  return optional;
}

}  // namespace

bool StatesBatch(const config::LoadedModelConfig& config) {
  return config.config.max_batch_size() != 0 || config.source.Has("max_batch_size");
}

std::vector<int> DeviceIds(const LoadContext& context) {
  std::vector<int> ids;
  for (const acl::Device* device : context.devices) {
    ids.push_back(device->id());
  }
  return ids;
}

std::shared_ptr<const scheduler::Plan> AsConfigured(std::shared_ptr<const scheduler::Plan> plan,
                                                    const ModelConfig& config) {
  if (!config.dynamic_batching().preserve_ordering()) {
    return plan;
  }
  scheduler::Plan ordered = *plan;
  ordered.preserve_ordering = true;
  return std::make_shared<const scheduler::Plan>(std::move(ordered));
}

absl::Status FillModel(ModelConfig config, const std::string& folder,
                       std::shared_ptr<scheduler::Placement> placement, Model* model) {
  model->placement = std::move(placement);
  model->plan = model->placement->any_plan();
  const scheduler::Plan& plan = *model->plan;
  model->name = plan.name;
  model->version = plan.version;
  model->inputs = WireSpecs(plan, plan.inputs);
  model->outputs = WireSpecs(plan, plan.outputs);
  model->optional = OptionalInputs(plan, config);
  model->max_rows = plan.max_rows;
  if (plan.batched && config.max_batch_size() > 0) {
    model->max_rows = config.max_batch_size();  // More than a batch holds run in parts.
  }
  ASSIGN_OR_RETURN(model->lengths, ResolvePadding(config, plan));
  for (const PaddedLength& length : model->lengths) {
    for (const PaddedDim& dim : length.inputs) {
      model->inputs[dim.tensor].dims[dim.dim + (plan.batched ? 1 : 0)] = -1;
    }
    for (const PaddedDim& dim : length.outputs) {
      model->outputs[dim.tensor].dims[dim.dim + (plan.batched ? 1 : 0)] = -1;
    }
  }
  ASSIGN_OR_RETURN(model->labels, ReadLabelFiles(config, folder, model->outputs));
  ASSIGN_OR_RETURN(model->answered_rows, FindAnsweredRows(config, model->outputs, plan.batched));
  model->config = std::move(config);
  return absl::OkStatus();
}

}  // namespace omserve::server
