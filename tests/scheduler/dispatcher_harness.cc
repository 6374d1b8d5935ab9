// SPDX-License-Identifier: Apache-2.0
#include "tests/scheduler/dispatcher_harness.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/base/log.h"

namespace omserve::scheduler {

absl::StatusOr<acl::Model*> DispatcherHarness::Loaded::Reload(const acl::Device& device) {
  const std::span<const std::byte> file = std::as_bytes(std::span(om));
  instance.reset();
  if (!weights->valid()) {
    ASSIGN_OR_RETURN(weights, acl::SharedWeights::Allocate(device, file));
  }
  ASSIGN_OR_RETURN(instance, acl::Model::Load(device, file, weights));
  return instance.get();
}

DispatcherHarness::DispatcherHarness(const Options& options)
    : runtime_(VALUE(testing::TryOpenRuntime(
          fmt::format(R"("device_count": {}, {})", options.devices, options.device_settings)))) {
  InitLog({.level = LogLevel::kOff, .json = false, .file = ""});  // Failures are what is tested.
  std::vector<Dispatcher::DeviceParts> parts;
  for (int id = 0; id < options.devices; ++id) {
    devices_.push_back(VALUE(runtime_->OpenDevice(id)));
    recorders_.push_back(std::make_unique<Recorder>());
    parts.push_back({.device = devices_.back().get(), .observer = recorders_.back().get()});
  }
  // Of the last device, to show that all of them use it.
  pinned_ = VALUE(memory::HostPool::Create(*devices_.back(), size_t{64} << 20));
  dispatcher_ =
      VALUE(Dispatcher::Start(parts, *pinned_, SteadyClock(), options.engine, options.resources));
}

DispatcherHarness::~DispatcherHarness() {
  CHECK(dispatcher_->Drain(Instant::max()).ok());
  CHECK(dispatcher_->request_count() == 0);
  for (size_t place = 0; place < devices_.size(); ++place) {
    for (const int used : dispatcher_->engine(place).load().output_sets_used) {
      CHECK(used == 0);
    }
    CHECK(dispatcher_->engine(place).request_count() == 0);
  }
}

std::vector<const Subgraph*> DispatcherHarness::AddModel(const std::string& name,
                                                         const std::string& om,
                                                         const std::vector<size_t>& places,
                                                         const BatchPolicyOptions& policy,
                                                         const InstanceLimit& limit) {
  std::vector<const Subgraph*> subgraphs(devices_.size(), nullptr);
  for (size_t place = 0; place < devices_.size(); ++place) {
    if (!places.empty() && std::find(places.begin(), places.end(), place) == places.end()) {
      continue;
    }
    auto loaded = std::make_unique<Loaded>();
    loaded->om = om;
    const std::span<const std::byte> file = std::as_bytes(std::span(loaded->om));
    const acl::Device& device = *devices_[place];
    REQUIRE_OK(device.Bind());
    loaded->weights = VALUE(acl::SharedWeights::Allocate(device, file));
    loaded->instance = VALUE(acl::Model::Load(device, file, loaded->weights));
    const acl::ModelInfo& info = loaded->instance->info();
    Engine::SubgraphSpec spec{.name = name,
                              .shape = VALUE(MakeSubgraphShape(info, HasBatchGears(info))),
                              .instances = {loaded->instance.get()},
                              .policy = policy};
    spec.limits.push_back(limit);
    spec.reload = [&device, model = loaded.get()](size_t) { return model->Reload(device); };
    models_.push_back(std::move(loaded));
    subgraphs[place] = VALUE(dispatcher_->engine(place).AddSubgraph(std::move(spec)));
  }
  return subgraphs;
}

std::shared_ptr<const Placement> DispatcherHarness::Single(
    const std::vector<const Subgraph*>& subgraphs) {
  auto placement = std::make_shared<Placement>();
  for (const Subgraph* subgraph : subgraphs) {
    placement->plans.push_back(subgraph == nullptr ? nullptr : BuildSingle(*subgraph));
  }
  return placement;
}

std::shared_ptr<Answer> DispatcherHarness::Submit(const Send& send) {
  auto answer = std::make_shared<Answer>();
  auto request = std::make_unique<InferRequest>();
  const Plan& plan = *send.placement->any_plan();
  request->placement = send.placement;
  request->rows = send.rows;
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    request->wanted.push_back(static_cast<int>(i));
  }
  std::vector<Dims> row_dims;
  for (const TestInput& input : send.inputs) {
    memory::HostBlock block = VALUE(pinned_->Allocate(input.bytes.size()));
    std::memcpy(block.bytes().data(), input.bytes.data(), input.bytes.size());
    const std::span<const std::byte> bytes = block.bytes();
    request->inputs.push_back({input.dims, bytes, std::move(block)});
    row_dims.emplace_back(input.dims.begin() + (plan.batched ? 1 : 0), input.dims.end());
  }
  request->buckets = VALUE(plan.ResolveBuckets(row_dims));
  request->done = [answer](InferResponse response) { answer->Take(std::move(response)); };
  const absl::StatusOr<RequestId> id = dispatcher_->Submit(std::move(request));
  answer->submitted = id.status();
  answer->id = id.value_or(0);
  return answer;
}

}  // namespace omserve::scheduler
