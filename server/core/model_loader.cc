// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_loader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "config/reshape.h"
#include "runtime/base/errors.h"
#include "server/core/instance_limits.h"
#include "server/core/instance_placement.h"
#include "server/core/model_fill.h"
#include "server/core/probation.h"
#include "server/core/sequences.h"
#include "server/core/subgraph_options.h"
#include "server/core/warm_up_samples.h"

namespace omserve::server {
namespace {

using inference::ModelConfig;

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

std::string VersionName(const std::string& model, int64_t version) {
  return fmt::format("model '{}' version {}", model, version);
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
                                              const std::vector<std::vector<int>>& groups,
                                              const Reached& reached) {
  context.unloader.AwaitMemory();  // Of the load before: one file's is enough to have room for.
  // Held, so that it is read once for all of them.
  ASSIGN_OR_RETURN(std::shared_ptr<const registry::FileBytes> bytes, options.file->Read());
  reached(VersionState::kLoading, fmt::format("{} bytes read", bytes->span().size()));
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
  context.unloader.Free(std::move(bytes));
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
                               std::shared_ptr<const registry::ModelFile> file,
                               const Reached& reached, LoadedModel& loaded) {
  ASSIGN_OR_RETURN(const std::vector<std::vector<int>> groups, GroupsOf(config.config, context));
  loaded.model.file = std::move(file);
  ASSIGN_OR_RETURN(
      LoadedSubgraphs loads,
      LoadOnDevices(context, {.name = folder.name, .version = version, .file = loaded.model.file},
                    groups, reached));
  const auto first = std::find_if(loads.begin(), loads.end(), [](const auto& l) { return !!l; });
  ASSIGN_OR_RETURN(Prepared prepared, Prepare((*first)->info(), folder, std::move(config)));
  const ModelConfig& complete = prepared.config.config;
  scheduler::Engine::SubgraphSpec base = BaseSpec(
      folder.name, version, prepared.config, std::move(prepared.shape), context.max_queue_rows);
  base.samples = std::move(prepared.samples);
  base.must_warm_up = BoundsOf(complete.replacement()).duration > Clock::duration::zero();
  if (prepared.sequence.has_value()) {
    base.policy = SequencePolicyOf(complete, *prepared.sequence);
    base.sequence = std::move(prepared.sequence);
  }
  reached(VersionState::kWarming, "its instances are on their devices");
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

absl::StatusOr<std::unique_ptr<LoadedModel>> LoadSubgraphModel(
    const LoadContext& context, const registry::ModelFolder& folder, int64_t version,
    config::LoadedModelConfig config, std::shared_ptr<const registry::ModelFile> file,
    const Reached& reached) {
  const Clock::time_point start = context.clock.Now();
  auto loaded = std::make_unique<LoadedModel>();
  const absl::Status filled = FillSubgraphModel(context, folder, version, std::move(config),
                                                std::move(file), reached, *loaded);
  if (!filled.ok()) {
    context.unloader.Discard(std::move(loaded));
    return WithContext(filled, VersionName(folder.name, version));
  }
  loaded->model.load_time = context.clock.Now() - start;
  return loaded;
}

}  // namespace omserve::server
