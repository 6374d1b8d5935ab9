// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_loader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "config/reshape.h"
#include "runtime/base/errors.h"
#include "runtime/hostops/host_op.h"
#include "scheduler/nested_steps.h"
#include "scheduler/step_cache.h"
#include "server/core/decoupled_answers.h"
#include "server/core/instance_limits.h"
#include "server/core/instance_placement.h"
#include "server/core/label_file.h"
#include "server/core/sequences.h"
#include "server/core/warm_up_samples.h"

namespace omserve::server {
namespace {

using inference::ModelConfig;

bool StatesBatch(const config::LoadedModelConfig& config) {
  return config.config.max_batch_size() != 0 || config.source.Has("max_batch_size");
}

// Full dims of each tensor over all gears, -1 where they differ.
std::vector<TensorSpec> FullSpecs(const acl::ModelInfo& info,
                                  const std::vector<acl::ModelTensor>& tensors,
                                  std::vector<Dims> acl::ModelGear::*side) {
  std::vector<TensorSpec> specs;
  for (size_t i = 0; i < tensors.size(); ++i) {
    TensorSpec spec{tensors[i].name, tensors[i].type, tensors[i].dims};
    for (const acl::ModelGear& gear : info.gears) {
      const Dims& dims = (gear.*side)[i];
      for (size_t d = 0; d < spec.dims.size() && d < dims.size(); ++d) {
        spec.dims[d] = spec.dims[d] == dims[d] ? dims[d] : -1;
      }
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

config::ModelShape ConfigShape(const std::string& name, const acl::ModelInfo& info,
                               bool has_batch) {
  config::ModelShape shape{.model_name = name,
                           .inputs = FullSpecs(info, info.inputs, &acl::ModelGear::input_dims),
                           .outputs = FullSpecs(info, info.outputs, &acl::ModelGear::output_dims),
                           .has_batch = has_batch};
  if (has_batch) {
    for (const acl::ModelGear& gear : info.gears) {
      const std::vector<Dims>& any = gear.input_dims.empty() ? gear.output_dims : gear.input_dims;
      shape.batch_sizes.push_back(static_cast<int>(any.front().front()));
    }
  }
  return shape;
}

// Gears beyond the one that `max_batch_size` rows need are not used: whoever lowers max_batch_size
// means to bound the batches too.
void DropLargerGears(int max_batch_size, scheduler::SubgraphShape& shape) {
  for (scheduler::Bucket& bucket : shape.buckets) {
    const auto enough =
        std::find_if(bucket.gears.begin(), bucket.gears.end(),
                     [=](const scheduler::BatchGear& gear) { return gear.rows >= max_batch_size; });
    if (enough != bucket.gears.end()) {
      bucket.gears.erase(enough + 1, bucket.gears.end());
    }
  }
}

// Gives tensors the dims that clients see (input.reshape, output.reshape). The device knows a
// tensor by its bytes, so that nothing below this has to know of two kinds of dims.
template <typename Tensors>
void ApplyReshapes(const Tensors& tensors, std::vector<Dims> scheduler::Bucket::*side,
                   std::vector<TensorSpec>& specs, std::vector<scheduler::Bucket>& buckets) {
  for (const auto& tensor : tensors) {
    const auto spec = std::find_if(specs.begin(), specs.end(), [&tensor](const TensorSpec& known) {
      return known.name == tensor.name();
    });
    if (!tensor.has_reshape() || spec == specs.end()) {
      continue;
    }
    const Dims shape(tensor.reshape().shape().begin(), tensor.reshape().shape().end());
    const Dims dims(tensor.dims().begin(), tensor.dims().end());
    spec->dims = config::WithOpenSizes(dims, shape, spec->dims);
    for (scheduler::Bucket& bucket : buckets) {
      Dims& compiled = (bucket.*side)[static_cast<size_t>(spec - specs.begin())];
      compiled = config::WithOpenSizes(dims, shape, compiled);
    }
  }
}

scheduler::BatchPolicyOptions PolicyOf(const config::LoadedModelConfig& loaded) {
  const inference::ModelDynamicBatching& batching = loaded.config.dynamic_batching();
  scheduler::BatchPolicyOptions policy;
  policy.preferred_rows.assign(batching.preferred_batch_size().begin(),
                               batching.preferred_batch_size().end());
  std::sort(policy.preferred_rows.begin(), policy.preferred_rows.end());
  // An hour is past any use, and keeps the sum with an instant from overflowing.
  constexpr uint64_t kMostUs = 3'600'000'000;
  policy.max_delay = std::chrono::microseconds(
      static_cast<int64_t>(std::min(kMostUs, batching.max_queue_delay_microseconds())));
  policy.derives_delay = !loaded.source.Has("dynamic_batching.max_queue_delay_microseconds");
  return policy;
}

int QueueRows(const inference::ModelQueuePolicy& policy) {
  constexpr uint32_t kMost = 1U << 30;
  return static_cast<int>(std::min(policy.max_queue_size(), kMost));
}

// With priorities each level has a bound of its own, and the server's holds for all together.
int QueueRowsOf(const ModelConfig& config, int fallback) {
  const inference::ModelDynamicBatching& batching = config.dynamic_batching();
  const int own = QueueRows(batching.default_queue_policy());
  return own == 0 || batching.priority_levels() > 0 ? fallback : own;
}

scheduler::Core::LevelBounds LevelRowsOf(const ModelConfig& config) {
  const inference::ModelDynamicBatching& batching = config.dynamic_batching();
  scheduler::Core::LevelBounds bounds;
  if (batching.priority_levels() > 0) {
    bounds.each = QueueRows(batching.default_queue_policy());
    for (const auto& [level, policy] : batching.priority_queue_policy()) {
      bounds.own[level] = QueueRows(policy);
    }
  }
  return bounds;
}

Clock::duration QueueTimeOf(const ModelConfig& config) {
  constexpr uint64_t kMostUs = 3'600'000'000;
  return std::chrono::microseconds(static_cast<int64_t>(std::min(
      kMostUs,
      config.dynamic_batching().default_queue_policy().max_queue_device_time_microseconds())));
}

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

// The plan, which keeps the order of answers where the configuration says so.
std::shared_ptr<const scheduler::Plan> AsConfigured(std::shared_ptr<const scheduler::Plan> plan,
                                                    const ModelConfig& config) {
  if (!config.dynamic_batching().preserve_ordering()) {
    return plan;
  }
  scheduler::Plan ordered = *plan;
  ordered.preserve_ordering = true;
  return std::make_shared<const scheduler::Plan>(std::move(ordered));
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

// The parts that both kinds of model have in common.
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

std::vector<int> DeviceIds(const LoadContext& context) {
  std::vector<int> ids;
  for (const acl::Device* device : context.devices) {
    ids.push_back(device->id());
  }
  return ids;
}

std::string VersionName(const std::string& model, int64_t version) {
  return fmt::format("model '{}' version {}", model, version);
}

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

// What is the same on every device that a subgraph is added to.
scheduler::Engine::SubgraphSpec BaseSpec(const LoadContext& context, const std::string& name,
                                         int64_t version, const config::LoadedModelConfig& loaded,
                                         scheduler::SubgraphShape shape) {
  const ModelConfig& config = loaded.config;
  return {.name = name,
          .version = version,
          .shape = std::move(shape),
          .policy = PolicyOf(loaded),
          .max_queue_rows = QueueRowsOf(config, context.max_queue_rows),
          .level_rows = LevelRowsOf(config),
          .max_queue_time = QueueTimeOf(config)};
}

// Adds a loaded subgraph to the engine of its device.
absl::StatusOr<DeviceShare> AddToDevice(scheduler::Engine::SubgraphSpec spec,
                                        LoadedModel::Part& part) {
  const acl::Device& device = *part.device;
  registry::LoadedSubgraph& loaded = *part.loaded;
  DeviceShare share{.device = device.id(),
                    .weight_bytes = loaded.weight_bytes(),
                    .input_bytes = loaded.needs().inputs};
  for (const std::unique_ptr<acl::Model>& instance : loaded.instances()) {
    spec.instances.push_back(instance.get());
    share.work_bytes += instance->work_bytes();
  }
  share.instances = static_cast<int>(spec.instances.size());
  spec.reload = [&device, &loaded](size_t instance) -> absl::StatusOr<acl::Model*> {
    RETURN_IF_ERROR(loaded.Reload(device, instance));
    return loaded.instances()[instance].get();
  };
  ASSIGN_OR_RETURN(part.subgraph, part.engine->AddSubgraph(std::move(spec)));
  share.subgraph = part.subgraph;
  return share;
}

// PlaceInstances, where every instance could execute.
absl::StatusOr<std::vector<std::vector<int>>> GroupsOf(const ModelConfig& config,
                                                       const LoadContext& context) {
  const std::vector<int> ids = DeviceIds(context);
  ASSIGN_OR_RETURN(std::vector<std::vector<int>> groups, PlaceInstances(config, ids));
  RETURN_IF_ERROR(CheckInstanceLimits(config, groups, ids, context.dispatcher.rate_limiter()));
  return groups;
}

using LoadedSubgraphs = std::vector<std::unique_ptr<registry::LoadedSubgraph>>;

// One load for each device that gets instances; null for the others.
absl::StatusOr<LoadedSubgraphs> LoadOnDevices(const LoadContext& context,
                                              const registry::LoadedSubgraph::Options& options,
                                              const std::vector<std::vector<int>>& groups) {
  LoadedSubgraphs loads(groups.size());
  for (size_t place = 0; place < groups.size(); ++place) {
    if (groups[place].empty()) {
      continue;
    }
    const acl::Device& device = *context.devices[place];
    RETURN_IF_ERROR(device.Bind());
    registry::LoadedSubgraph::Options own = options;
    own.instance_count = static_cast<int>(groups[place].size());
    own.batches_per_instance = context.dispatcher.engine(place).limits().batches_per_lane;
    absl::StatusOr<std::unique_ptr<registry::LoadedSubgraph>> load =
        registry::LoadedSubgraph::Load(device, own);
    if (!load.ok()) {
      return WithContext(load.status(), fmt::format("device {}", device.id()));
    }
    loads[place] = *std::move(load);
  }
  return loads;
}

// What a compiled model is before any engine has it.
struct Prepared {
  config::LoadedModelConfig config;  // Complete.
  scheduler::SubgraphShape shape;
  std::optional<scheduler::SequenceSpec> sequence;
  std::vector<scheduler::WarmUpSample> samples;
};

absl::StatusOr<Prepared> Prepare(const acl::ModelInfo& info, const registry::ModelFolder& folder,
                                 config::LoadedModelConfig config) {
  Prepared prepared;
  const bool has_batch = config.config.max_batch_size() > 0 ? true : scheduler::HasBatchGears(info);
  const bool batched = StatesBatch(config) ? config.config.max_batch_size() > 0 : has_batch;
  ASSIGN_OR_RETURN(prepared.shape, scheduler::MakeSubgraphShape(info, batched));
  RETURN_IF_ERROR(config::CompleteModelConfig(config, ConfigShape(folder.name, info, has_batch)));
  ApplyReshapes(config.config.input(), &scheduler::Bucket::input_dims, prepared.shape.inputs,
                prepared.shape.buckets);
  ApplyReshapes(config.config.output(), &scheduler::Bucket::output_dims, prepared.shape.outputs,
                prepared.shape.buckets);
  if (batched) {
    DropLargerGears(config.config.max_batch_size(), prepared.shape);
  }
  ASSIGN_OR_RETURN(prepared.sequence, MakeSequenceSpec(config.config, prepared.shape, folder.path));
  ASSIGN_OR_RETURN(prepared.samples, MakeWarmUpSamples(config.config, prepared.shape, folder.path));
  prepared.config = std::move(config);
  return prepared;
}

// From files to a model that engines run. What they have of it is in `loaded`, also on an error.
absl::Status FillSubgraphModel(const LoadContext& context, const registry::ModelFolder& folder,
                               int64_t version, config::LoadedModelConfig config,
                               LoadedModel& loaded) {
  ASSIGN_OR_RETURN(const std::vector<std::vector<int>> groups, GroupsOf(config.config, context));
  const std::string file = config::CompiledFilename(config.config);
  ASSIGN_OR_RETURN(LoadedSubgraphs loads,
                   LoadOnDevices(context,
                                 {.name = folder.name,
                                  .version = version,
                                  .path = fmt::format("{}/{}/{}", folder.path, version, file)},
                                 groups));
  const auto first = std::find_if(loads.begin(), loads.end(), [](const auto& l) { return !!l; });
  ASSIGN_OR_RETURN(Prepared prepared, Prepare((*first)->info(), folder, std::move(config)));
  const ModelConfig& complete = prepared.config.config;
  scheduler::Engine::SubgraphSpec base =
      BaseSpec(context, folder.name, version, prepared.config, std::move(prepared.shape));
  base.samples = std::move(prepared.samples);
  if (prepared.sequence.has_value()) {
    base.policy = SequencePolicyOf(complete, *prepared.sequence);
    base.sequence = std::move(prepared.sequence);
  }
  auto placement = std::make_shared<scheduler::Placement>();
  placement->plans.resize(loads.size());
  for (size_t place = 0; place < loads.size(); ++place) {
    if (loads[place] == nullptr) {
      continue;
    }
    LoadedModel::Part& part = loaded.parts.emplace_back();
    part = {.device = context.devices[place],
            .engine = &context.dispatcher.engine(place),
            .loaded = std::move(loads[place])};
    base.limits = InstanceLimits(complete, groups[place]);
    ASSIGN_OR_RETURN(const DeviceShare share, AddToDevice(base, part));
    placement->plans[place] = AsConfigured(scheduler::BuildSingle(*share.subgraph), complete);
    loaded.model.shares.push_back(share);
  }
  RETURN_IF_ERROR(FillModel(complete, folder.path, std::move(placement), &loaded.model));
  loaded.model.subgraph = loaded.model.plan->nodes.front().subgraph;
  loaded.model.max_queue_rows = base.max_queue_rows;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadedModel>> LoadSubgraphModel(const LoadContext& context,
                                                               const registry::ModelFolder& folder,
                                                               int64_t version,
                                                               config::LoadedModelConfig config) {
  const Clock::time_point start = context.clock.Now();
  auto loaded = std::make_unique<LoadedModel>();
  const absl::Status filled =
      FillSubgraphModel(context, folder, version, std::move(config), *loaded);
  if (!filled.ok()) {
    context.unloader.Discard(std::move(loaded));
    return WithContext(filled, VersionName(folder.name, version));
  }
  loaded->model.load_time = context.clock.Now() - start;
  return loaded;
}

namespace {

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
