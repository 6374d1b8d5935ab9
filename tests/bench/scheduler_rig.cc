// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/scheduler_rig.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "runtime/acl/acl_abi.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/status_macros.h"
#include "runtime/om/model_description.h"
#include "scheduler/subgraph.h"

namespace omserve::bench {
namespace {

constexpr int64_t kWidth = 16;
constexpr size_t kRowBytes = kWidth * sizeof(float);

om::IoDescription Tensor(std::string name, std::vector<int64_t> dims, int most_rows) {
  om::IoDescription io;
  io.name = std::move(name);
  io.acl_data_type = ACL_FLOAT;
  io.dims = std::move(dims);
  io.size_bytes = kRowBytes * static_cast<size_t>(most_rows);
  return io;
}

absl::StatusOr<std::string> MakeFile(const TimedModel& model) {
  const int most_rows = model.cost_us.rbegin()->first;
  om::ModelDescription description;
  description.name = model.name;
  description.soc_version = om::kHostSocVersion;
  description.gear_kind = om::GearKind::kBatch;
  for (const auto& [rows, cost_us] : model.cost_us) {
    description.gears.push_back({.values = {rows}, .output_dims = {{rows, kWidth}}});
    description.cost_us.push_back(cost_us);
  }
  for (const std::string& input : model.inputs) {
    description.inputs.push_back(Tensor(input, {-1, kWidth}, most_rows));
  }
  description.outputs = {Tensor("node:0:out", {most_rows, kWidth}, most_rows)};
  // The timed engine reads no graph.
  return om::WriteHostModel(description, std::as_bytes(std::span("none", 4)), {});
}

// What the engine tells is of no interest here.
class NoObserver final : public scheduler::Observer {
 public:
  void OnBatch(const scheduler::BatchRecord& /*record*/) override {}
  void OnRequest(const scheduler::RequestRecord& /*record*/) override {}
  void OnIncident(const scheduler::DeviceIncident& /*incident*/) override {}
  void OnPair(const scheduler::PairRecord& /*record*/) override {}
};

}  // namespace

struct SchedulerRig::OneDevice {
  struct Loaded {
    std::string file;
    std::shared_ptr<const acl::SharedWeights> weights;
    std::vector<std::unique_ptr<acl::Model>> instances;
    const scheduler::Subgraph* subgraph = nullptr;
  };

  std::unique_ptr<acl::Device> device;
  std::map<std::string, Loaded> models;
};

absl::StatusOr<std::unique_ptr<SchedulerRig>> SchedulerRig::Start(const Options& options) {
  InitLog({.level = LogLevel::kWarning, .json = false, .file = ""});
  const std::string settings =
      fmt::format(R"({{"hostacl": {{"engine": "timed", "device_count": {}, "cores": {}}}}})",
                  options.devices, options.cores);
  const std::string file = "scheduler_bench.json";
  RETURN_IF_ERROR(WriteFileAtomically(file, settings));
  std::unique_ptr<SchedulerRig> rig(new SchedulerRig());  // NOLINT: private constructor.
  ASSIGN_OR_RETURN(rig->runtime_,
                   acl::Runtime::Open(
                       {.library = OMSERVE_BINARY_DIR "/lib/libascendcl.so", .config_file = file}));
  rig->observer_ = std::make_unique<NoObserver>();
  std::vector<scheduler::Dispatcher::DeviceParts> parts;
  for (int id = 0; id < options.devices; ++id) {
    auto on = std::make_unique<OneDevice>();
    ASSIGN_OR_RETURN(on->device, rig->runtime_->OpenDevice(id));
    parts.push_back({.device = on->device.get(), .observer = rig->observer_.get()});
    rig->devices_.push_back(std::move(on));
  }
  ASSIGN_OR_RETURN(rig->pinned_,
                   memory::HostPool::Create(*rig->devices_.front()->device, size_t{256} << 20));
  ASSIGN_OR_RETURN(rig->dispatcher_, scheduler::Dispatcher::Start(parts, *rig->pinned_,
                                                                  SteadyClock(), options.engine));
  for (size_t place = 0; place < rig->devices_.size(); ++place) {
    for (const TimedModel& model : options.models) {
      RETURN_IF_ERROR(rig->AddModel(place, model));
    }
  }
  return rig;
}

SchedulerRig::~SchedulerRig() {
  if (dispatcher_ != nullptr) {
    const absl::Status drained = dispatcher_->Drain(scheduler::Instant::max());
    OMSERVE_CHECK(drained.ok(), "a drain without a deadline ends");
    dispatcher_.reset();
  }
  for (const std::unique_ptr<OneDevice>& on : devices_) {
    // Models are unloaded in the context that they were loaded in.
    const absl::Status bound = on->device->Bind();
    OMSERVE_CHECK(bound.ok(), "a device that served can be bound");
    on->models.clear();
  }
}

absl::Status SchedulerRig::AddModel(size_t place, const TimedModel& model) {
  OneDevice& on = *devices_[place];
  OneDevice::Loaded& loaded = on.models[model.name];
  ASSIGN_OR_RETURN(loaded.file, MakeFile(model));
  const std::span<const std::byte> bytes = std::as_bytes(std::span(loaded.file));
  RETURN_IF_ERROR(on.device->Bind());
  ASSIGN_OR_RETURN(loaded.weights, acl::SharedWeights::Allocate(*on.device, bytes));
  scheduler::Engine::SubgraphSpec spec{.name = model.name, .policy = model.policy};
  for (int i = 0; i < model.instances; ++i) {
    ASSIGN_OR_RETURN(std::unique_ptr<acl::Model> instance,
                     acl::Model::Load(*on.device, bytes, loaded.weights));
    spec.instances.push_back(instance.get());
    loaded.instances.push_back(std::move(instance));
  }
  ASSIGN_OR_RETURN(spec.shape, scheduler::MakeSubgraphShape(spec.instances.front()->info(), true));
  ASSIGN_OR_RETURN(loaded.subgraph, dispatcher_->engine(place).AddSubgraph(std::move(spec)));
  return absl::OkStatus();
}

SchedulerRig::Target SchedulerRig::Single(const std::string& model) const {
  auto target = std::make_shared<scheduler::Placement>();
  for (const std::unique_ptr<OneDevice>& on : devices_) {
    target->plans.push_back(scheduler::BuildSingle(*on->models.at(model).subgraph));
  }
  return target;
}

absl::StatusOr<SchedulerRig::Target> SchedulerRig::VisionText(const std::string& vision,
                                                              const std::string& text,
                                                              const std::string& fusion) const {
  auto target = std::make_shared<scheduler::Placement>();
  for (const std::unique_ptr<OneDevice>& on : devices_) {
    const auto subgraph = [&](const std::string& name) { return on->models.at(name).subgraph; };
    scheduler::PipelineSpec spec{.name = "vision_text"};
    spec.steps = {{.name = "vision",
                   .subgraph = subgraph(vision),
                   .input_map = {{"in", "image"}},
                   .output_map = {{"out", "seen"}}},
                  {.name = "text",
                   .subgraph = subgraph(text),
                   .input_map = {{"in", "question"}},
                   .output_map = {{"out", "read"}}},
                  {.name = "fusion",
                   .subgraph = subgraph(fusion),
                   .input_map = {{"a", "seen"}, {"b", "read"}},
                   .output_map = {{"out", "answer"}}}};
    ASSIGN_OR_RETURN(std::shared_ptr<const scheduler::Plan> plan, scheduler::BuildPipeline(spec));
    RETURN_IF_ERROR(dispatcher_->engine(target->plans.size()).AddPlan(*plan));
    target->plans.push_back(std::move(plan));
  }
  return target;
}

uint64_t SchedulerRig::device_pool_allocations() const {
  uint64_t sum = 0;
  for (size_t place = 0; place < dispatcher_->device_count(); ++place) {
    sum += dispatcher_->engine(place).load().device_pool_allocations;
  }
  return sum;
}

void SchedulerRig::Ask(const Target& target, scheduler::Instant deadline, Done done) {
  const scheduler::Plan& plan = *target->any_plan();
  auto request = std::make_unique<scheduler::InferRequest>();
  request->placement = target;
  request->deadline = deadline;
  request->wanted = {0};
  request->buckets.assign(plan.nodes.size(), 0);
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    absl::StatusOr<memory::HostBlock> block = pinned_->Allocate(kRowBytes);
    if (!block.ok()) {
      done(block.status());
      return;
    }
    const std::span<std::byte> bytes = block->bytes();
    std::fill(bytes.begin(), bytes.end(), std::byte{1});
    request->inputs.push_back({{1, kWidth}, bytes, *std::move(block)});
  }
  request->done = [done](const scheduler::InferResponse& response) { done(response.status); };
  const absl::StatusOr<scheduler::RequestId> submitted = dispatcher_->Submit(std::move(request));
  if (!submitted.ok()) {
    done(submitted.status());
  }
}

}  // namespace omserve::bench
