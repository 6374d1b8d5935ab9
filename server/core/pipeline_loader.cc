// SPDX-License-Identifier: Apache-2.0
// LoadPipelineModel.
#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/hostops/host_op.h"
#include "scheduler/nested_steps.h"
#include "scheduler/step_cache.h"
#include "server/core/instance_placement.h"
#include "server/core/model_fill.h"
#include "server/core/model_loader.h"

namespace omserve::server {
namespace {

using inference::ModelConfig;

// A step as it is on all devices, and the model it names; null for a host step.
struct Step {
  scheduler::StepSpec spec;
  ModelHandle model;
  // Optional inputs of the model that the pipeline does not map, as inputs of the pipeline's plan.
  std::vector<TensorSpec> left_out;

  // The model's plan on the device in `place`; null where it is not loaded.
  const scheduler::Plan* PlanOn(size_t place) const { return model->placement->plans[place].get(); }
  // Adds what it is on the device in `place`.
  absl::Status AddTo(scheduler::PipelineSpec& pipeline, size_t place) const {
    pipeline.inputs.insert(pipeline.inputs.end(), left_out.begin(), left_out.end());
    if (model != nullptr && model->is_pipeline) {
      return scheduler::AddNestedSteps(spec, *PlanOn(place), pipeline.steps);
    }
    pipeline.steps.push_back(spec);
    if (model != nullptr) {
      pipeline.steps.back().subgraph = PlanOn(place)->nodes.front().subgraph;
    }
    return absl::OkStatus();
  }
};

// Optional inputs that the step does not map become inputs of the plan that no request brings.
// Their names are no tensor's: they are not in the configuration.
void LeaveOut(Step& step) {
  const scheduler::Plan& plan = *step.model->plan;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const scheduler::PlanTensor& input = plan.tensors[static_cast<size_t>(plan.inputs[i])];
    if (step.model->IsOptional(i) && !step.spec.input_map.contains(input.name)) {
      const std::string name = fmt::format("(left out) {} {}", step.spec.name, input.name);
      step.spec.input_map[input.name] = name;
      step.left_out.push_back({name, input.spec.type, input.spec.dims});
    }
  }
}

absl::StatusOr<Step> MakeStep(const LoadContext& context, const inference::Pipeline::Step& from,
                              const std::string& folder, const ModelFinder& find) {
  Step step{.spec = {.name = from.name()}};
  step.spec.input_map.insert(from.input_map().begin(), from.input_map().end());
  step.spec.output_map.insert(from.output_map().begin(), from.output_map().end());
  if (from.has_host()) {
    hostops::HostOpConfig op{.op = from.host().op(), .folder = folder};
    op.parameters.insert(from.host().parameters().begin(), from.host().parameters().end());
    ASSIGN_OR_RETURN(step.spec.op, hostops::MakeHostOp(op));
  } else {
    ASSIGN_OR_RETURN(step.model, find(from.model_name(), from.model_version()));
    LeaveOut(step);
    if (from.cache().enable() && step.model->is_pipeline) {
      return InvalidArgument(
          "model '{}' is a pipeline, whose outputs cannot be cached as one; write cache in its own "
          "steps",
          from.model_name());
    }
    if (from.cache().enable()) {
      constexpr size_t kDefaultBytes = size_t{16} << 20;
      const size_t stated = from.cache().max_bytes();
      step.spec.cache = std::make_shared<scheduler::StepCache>(context.pinned_pool,
                                                               stated > 0 ? stated : kDefaultBytes);
    }
  }
  return step;
}

// Declared tensors stand without the batch dimension when max_batch_size > 0, and without one at
// all when it is left out, since then the steps decide.
template <typename Tensors>
std::vector<TensorSpec> DeclaredSpecs(const Tensors& tensors) {
  std::vector<TensorSpec> specs;
  for (const auto& tensor : tensors) {
    specs.push_back(config::ToTensorSpec(tensor));
  }
  return specs;
}

absl::Status CompletePipelineBatch(const config::LoadedModelConfig& stated,
                                   const scheduler::Plan& plan, ModelConfig& config) {
  const int given = config.max_batch_size();
  if (!StatesBatch(stated)) {
    config.set_max_batch_size(plan.batched ? plan.max_rows : 0);
    return absl::OkStatus();
  }
  if ((given > 0) != plan.batched) {
    return InvalidArgument(
        "max_batch_size is {}, but its steps take {}; write {}, or leave the key out", given,
        plan.batched ? "batches" : "no batch dimension", plan.batched ? plan.max_rows : 0);
  }
  return absl::OkStatus();
}

// Where all of the steps are, by place.
absl::StatusOr<std::vector<size_t>> CommonPlaces(const LoadContext& context,
                                                 const std::vector<Step>& steps) {
  std::vector<StepPlaces> places;
  for (const Step& step : steps) {
    if (step.model == nullptr) {
      continue;  // The host is everywhere.
    }
    StepPlaces& where = places.emplace_back();
    where.step = step.spec.name;
    where.model = step.model->name;
    for (size_t place = 0; place < context.devices.size(); ++place) {
      where.held.push_back(step.PlanOn(place) != nullptr);
    }
  }
  return PlacePipeline(places, DeviceIds(context));
}

absl::StatusOr<std::vector<Step>> MakeSteps(const LoadContext& context, const ModelConfig& config,
                                            const std::string& folder, size_t cached_bytes,
                                            const ModelFinder& find) {
  std::vector<Step> steps;
  for (const inference::Pipeline::Step& from : config.pipeline().step()) {
    absl::StatusOr<Step> step = MakeStep(context, from, folder, find);
    if (!step.ok()) {
      return WithContext(step.status(), fmt::format("step '{}'", from.name()));
    }
    cached_bytes += step->spec.cache == nullptr ? 0 : step->spec.cache->max_bytes();
    steps.push_back(*std::move(step));
  }
  if (cached_bytes > context.pinned_pool.size_bytes() / 2) {  // Requests need the other half.
    return ResourceExhausted(
        "the caches of steps would take {} bytes together, of at most half of the {} of pinned "
        "memory; lower cache.max_bytes, or enlarge device.pinned_pool_bytes",
        cached_bytes, context.pinned_pool.size_bytes());
  }
  return steps;
}

// As FillSubgraphModel.
absl::Status FillPipelineModel(const LoadContext& context, const registry::ModelFolder& folder,
                               int64_t version, const config::LoadedModelConfig& config,
                               size_t cached_bytes, const ModelFinder& find, LoadedModel& loaded) {
  const std::string what = fmt::format("pipeline '{}'", folder.name);
  const absl::StatusOr<std::vector<Step>> steps =
      MakeSteps(context, config.config, folder.path, cached_bytes, find);
  if (!steps.ok()) {
    return WithContext(steps.status(), what);
  }
  const absl::StatusOr<std::vector<size_t>> places = CommonPlaces(context, *steps);
  if (!places.ok()) {
    return WithContext(places.status(), what);
  }
  auto placement = std::make_shared<scheduler::Placement>();
  placement->plans.resize(context.devices.size());
  for (const size_t place : *places) {
    scheduler::PipelineSpec spec{.name = folder.name,
                                 .version = version,
                                 .inputs = DeclaredSpecs(config.config.input()),
                                 .outputs = DeclaredSpecs(config.config.output())};
    for (const Step& step : *steps) {
      const absl::Status added = step.AddTo(spec, place);
      if (!added.ok()) {
        return WithContext(added, what);
      }
    }
    ASSIGN_OR_RETURN(std::shared_ptr<const scheduler::Plan> plan, scheduler::BuildPipeline(spec));
    plan = AsConfigured(std::move(plan), config.config);
    scheduler::Engine& engine = context.dispatcher.engine(place);
    RETURN_IF_ERROR(engine.AddPlan(*plan));
    loaded.plans.push_back({&engine, plan});
    placement->plans[place] = std::move(plan);
  }
  ModelConfig complete = config.config;
  absl::Status filled = CompletePipelineBatch(config, *placement->any_plan(), complete);
  if (filled.ok()) {
    filled = FillModel(std::move(complete), folder.path, std::move(placement), &loaded.model);
  }
  if (!filled.ok()) {
    return WithContext(filled, what);
  }
  loaded.model.is_pipeline = true;
  loaded.model.inputs.resize(static_cast<size_t>(config.config.input_size()));
  for (const Step& step : *steps) {
    if (step.model != nullptr) {
      loaded.model.steps.push_back(step.model);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadedModel>> LoadPipelineModel(
    const LoadContext& context, const registry::ModelFolder& folder, int64_t version,
    config::LoadedModelConfig config, size_t cached_bytes, const ModelFinder& find) {
  const Clock::time_point start = context.clock.Now();
  config::CompletePipelineConfig(config, folder.name);
  auto loaded = std::make_unique<LoadedModel>();
  const absl::Status filled =
      FillPipelineModel(context, folder, version, config, cached_bytes, find, *loaded);
  if (!filled.ok()) {
    context.unloader.Discard(std::move(loaded));
    return filled;
  }
  loaded->model.load_time = context.clock.Now() - start;
  return loaded;
}

}  // namespace omserve::server
