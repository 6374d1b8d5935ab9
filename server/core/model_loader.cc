// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_loader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/hostops/host_op.h"

namespace omserve::server {
namespace {

using inference::ModelConfig;

bool StatesBatch(const config::LoadedModelConfig& config) {
  return config.config.max_batch_size() != 0 || config.source.Has("max_batch_size");
}

int InstanceCount(const ModelConfig& config) {
  int count = 0;
  for (const inference::ModelInstanceGroup& group : config.instance_group()) {
    count += std::max(1, group.count());
  }
  return std::max(1, count);
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

scheduler::BatchPolicyOptions PolicyOf(const ModelConfig& config) {
  const inference::ModelDynamicBatching& batching = config.dynamic_batching();
  scheduler::BatchPolicyOptions policy;
  policy.preferred_rows.assign(batching.preferred_batch_size().begin(),
                               batching.preferred_batch_size().end());
  std::sort(policy.preferred_rows.begin(), policy.preferred_rows.end());
  // An hour is past any use, and keeps the sum with an instant from overflowing.
  constexpr uint64_t kMostUs = 3'600'000'000;
  policy.max_delay = std::chrono::microseconds(
      static_cast<int64_t>(std::min(kMostUs, batching.max_queue_delay_microseconds())));
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

// The parts that both kinds of model have in common.
std::shared_ptr<Model> MakeModel(ModelConfig config, std::shared_ptr<const scheduler::Plan> plan) {
  auto model = std::make_shared<Model>();
  model->name = plan->name;
  model->version = plan->version;
  model->inputs = WireSpecs(*plan, plan->inputs);
  model->outputs = WireSpecs(*plan, plan->outputs);
  model->max_rows = plan->max_rows;
  if (plan->batched && config.max_batch_size() > 0) {
    model->max_rows = std::min(model->max_rows, config.max_batch_size());
  }
  if (config.dynamic_batching().preserve_ordering()) {
    scheduler::Plan ordered = *plan;
    ordered.preserve_ordering = true;
    plan = std::make_shared<const scheduler::Plan>(std::move(ordered));
  }
  model->config = std::move(config);
  model->plan = std::move(plan);
  return model;
}

std::string VersionName(const std::string& model, int64_t version) {
  return fmt::format("model '{}' version {}", model, version);
}

absl::StatusOr<scheduler::StepSpec> MakeStep(const inference::Pipeline::Step& from,
                                             const std::string& folder,
                                             const SubgraphFinder& find) {
  scheduler::StepSpec step{.name = from.name()};
  step.input_map.insert(from.input_map().begin(), from.input_map().end());
  step.output_map.insert(from.output_map().begin(), from.output_map().end());
  if (from.has_host()) {
    hostops::HostOpConfig op{.op = from.host().op(), .folder = folder};
    op.parameters.insert(from.host().parameters().begin(), from.host().parameters().end());
    ASSIGN_OR_RETURN(step.op, hostops::MakeHostOp(op));
  } else {
    ASSIGN_OR_RETURN(step.subgraph, find(from.model_name(), from.model_version()));
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
  const int most = plan.batched ? plan.max_rows : 0;
  if (given > most || (given == 0) != (most == 0)) {
    return InvalidArgument(
        "max_batch_size is {}, but its steps together take {} rows at most (0: no batch "
        "dimension); write {}, or leave the key out",
        given, most, most);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LoadedModel> LoadSubgraphModel(const LoadContext& context,
                                              const registry::ModelFolder& folder, int64_t version,
                                              config::LoadedModelConfig config) {
  const Clock::time_point start = context.clock.Now();
  const std::string file = config.config.default_model_filename().empty()
                               ? config::kDefaultModelFilename
                               : config.config.default_model_filename();
  LoadedModel loaded;
  ASSIGN_OR_RETURN(loaded.subgraph,
                   registry::LoadedSubgraph::Load(
                       context.device, {.name = folder.name,
                                        .version = version,
                                        .path = fmt::format("{}/{}/{}", folder.path, version, file),
                                        .instance_count = InstanceCount(config.config)}));
  const std::string what = VersionName(folder.name, version);
  const acl::ModelInfo& info = loaded.subgraph->info();
  const bool has_batch = config.config.max_batch_size() > 0 ? true : scheduler::HasBatchGears(info);
  const bool batched = StatesBatch(config) ? config.config.max_batch_size() > 0 : has_batch;
  absl::StatusOr<scheduler::SubgraphShape> shape = scheduler::MakeSubgraphShape(info, batched);
  if (!shape.ok()) {
    return WithContext(shape.status(), what);
  }
  const absl::Status complete =
      config::CompleteModelConfig(config, ConfigShape(folder.name, info, has_batch));
  if (!complete.ok()) {
    return WithContext(complete, what);
  }
  if (batched) {
    DropLargerGears(config.config.max_batch_size(), *shape);
  }
  scheduler::Engine::SubgraphSpec spec{
      .name = folder.name,
      .version = version,
      .shape = *std::move(shape),
      .policy = PolicyOf(config.config),
      .max_queue_rows = QueueRowsOf(config.config, context.max_queue_rows),
      .level_rows = LevelRowsOf(config.config)};
  size_t work_bytes = 0;
  for (const std::unique_ptr<acl::Model>& instance : loaded.subgraph->instances()) {
    spec.instances.push_back(instance.get());
    work_bytes += instance->work_bytes();
  }
  spec.reload = [&device = context.device,
                 subgraph = loaded.subgraph.get()](size_t instance) -> absl::StatusOr<acl::Model*> {
    RETURN_IF_ERROR(subgraph->Reload(device, instance));
    return subgraph->instances()[instance].get();
  };
  const int instances = static_cast<int>(spec.instances.size());
  absl::StatusOr<const scheduler::Subgraph*> subgraph = context.engine.AddSubgraph(std::move(spec));
  if (!subgraph.ok()) {
    return WithContext(subgraph.status(), what);
  }
  std::shared_ptr<Model> model =
      MakeModel(std::move(config.config), scheduler::BuildSingle(**subgraph));
  model->subgraph = *subgraph;
  model->instances = instances;
  model->weight_bytes = loaded.subgraph->weight_bytes();
  model->work_bytes = work_bytes;
  model->load_time = context.clock.Now() - start;
  loaded.model = std::move(model);
  return loaded;
}

absl::StatusOr<LoadedModel> LoadPipelineModel(const Clock& clock,
                                              const registry::ModelFolder& folder, int64_t version,
                                              config::LoadedModelConfig config,
                                              const SubgraphFinder& find) {
  const Clock::time_point start = clock.Now();
  config::CompletePipelineConfig(config, folder.name);
  scheduler::PipelineSpec spec{.name = folder.name,
                               .version = version,
                               .inputs = DeclaredSpecs(config.config.input()),
                               .outputs = DeclaredSpecs(config.config.output())};
  for (const inference::Pipeline::Step& from : config.config.pipeline().step()) {
    absl::StatusOr<scheduler::StepSpec> step = MakeStep(from, folder.path, find);
    if (!step.ok()) {
      return WithContext(step.status(),
                         fmt::format("pipeline '{}': step '{}'", folder.name, from.name()));
    }
    spec.steps.push_back(*std::move(step));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const scheduler::Plan> plan, scheduler::BuildPipeline(spec));
  ModelConfig complete = config.config;
  const absl::Status batch = CompletePipelineBatch(config, *plan, complete);
  if (!batch.ok()) {
    return WithContext(batch, fmt::format("pipeline '{}'", folder.name));
  }
  std::shared_ptr<Model> model = MakeModel(std::move(complete), std::move(plan));
  model->is_pipeline = true;
  model->load_time = clock.Now() - start;
  return LoadedModel{.model = std::move(model)};
}

}  // namespace omserve::server
