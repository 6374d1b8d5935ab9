// SPDX-License-Identifier: Apache-2.0
#include "tests/scheduler/engine_harness.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/base/status_macros.h"

namespace omserve::scheduler {
namespace {

template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace

const InferResponse& Answer::Get() const {
  const Instant patience = SteadyClock().Now() + std::chrono::minutes(1);
  const MutexLock lock(mu_);
  while (!response_.has_value() && SteadyClock().WaitUntil(arrived_, mu_, patience)) {
  }
  REQUIRE(response_.has_value());
  REQUIRE(times_ == 1);
  return *response_;  // Never changes again.
}

void Answer::Take(InferResponse response) {
  const MutexLock lock(mu_);
  ++times_;
  response_ = std::move(response);
  arrived_.NotifyAll();
}

TestInput Floats(const Dims& dims, const std::vector<float>& values) {
  return {dims, BytesOf(values)};
}

TestInput Int64s(const Dims& dims, const std::vector<int64_t>& values) {
  return {dims, BytesOf(values)};
}

TestInput Bytes(std::string_view element) {
  return {
      {1, 1},
      BytesOf(std::vector<uint32_t>{static_cast<uint32_t>(element.size())}) + std::string(element)};
}

std::vector<float> ToFloats(const ResponseOutput& output) {
  std::vector<float> values(output.bytes.size() / sizeof(float));
  std::memcpy(values.data(), output.bytes.data(), output.bytes.size());
  return values;
}

std::string ToText(const ResponseOutput& output) {
  REQUIRE(output.bytes.size() >= sizeof(uint32_t));
  return std::string(output.bytes.size() - sizeof(uint32_t), '\0')
      .assign(reinterpret_cast<const char*>(output.bytes.data()) + sizeof(uint32_t),
              output.bytes.size() - sizeof(uint32_t));
}

DeviceIncident Recorder::AwaitIncident(DeviceIncident::Kind kind, size_t times) const {
  const Instant patience = SteadyClock().Now() + std::chrono::minutes(1);
  const MutexLock lock(mu_);
  while (true) {
    size_t seen = 0;
    for (const DeviceIncident& incident : incidents_) {
      seen += incident.kind == kind ? 1 : 0;
      if (incident.kind == kind && seen == times) {
        return incident;
      }
    }
    REQUIRE(SteadyClock().WaitUntil(told_, mu_, patience));
  }
}

void Recorder::AwaitBatches(size_t count) const {
  const Instant patience = SteadyClock().Now() + std::chrono::minutes(1);
  const MutexLock lock(mu_);
  while (batches_.size() < count) {
    REQUIRE(SteadyClock().WaitUntil(told_, mu_, patience));
  }
}

absl::StatusOr<acl::Model*> EngineHarness::Loaded::Reload(const acl::Device& device,
                                                          size_t instance) {
  const std::span<const std::byte> file = std::as_bytes(std::span(om));
  instances[instance].reset();
  if (!weights->valid()) {
    ASSIGN_OR_RETURN(weights, acl::SharedWeights::Allocate(device, file));
  }
  ASSIGN_OR_RETURN(instances[instance], acl::Model::Load(device, file, weights));
  return instances[instance].get();
}

EngineHarness::EngineHarness(const Options& options)
    : clock_(options.clock != nullptr ? *options.clock : SteadyClock()),
      runtime_(options.runtime != nullptr
                   ? nullptr
                   : VALUE(testing::TryOpenRuntime(options.device_settings, options.library))),
      device_(VALUE(
          (options.runtime != nullptr ? *options.runtime : *runtime_).OpenDevice(options.device))),
      pinned_(VALUE(memory::HostPool::Create(*device_, options.pinned_bytes))),
      engine_(VALUE(Engine::Start(*device_, *pinned_, clock_, recorder_, options.engine))) {
  InitLog({.level = LogLevel::kOff, .json = false, .file = ""});  // Failures are what is tested.
}

EngineHarness::~EngineHarness() {
  CHECK(engine_->Drain(Instant::max()).ok());
  CHECK(engine_->load().requests == 0);
  for (const int used : engine_->load().output_sets_used) {
    CHECK(used == 0);
  }
}

const Subgraph* EngineHarness::AddModel(const std::string& name, const std::string& om,
                                        const ModelOptions& options) {
  auto loaded = std::make_unique<Loaded>();
  loaded->om = om;
  const std::span<const std::byte> file = std::as_bytes(std::span(loaded->om));
  REQUIRE_OK(device_->Bind());
  loaded->weights = VALUE(acl::SharedWeights::Allocate(*device_, file));
  Engine::SubgraphSpec spec{.name = name,
                            .sequence = options.sequence,
                            .policy = options.policy,
                            .max_queue_rows = options.max_queue_rows};
  for (int i = 0; i < options.instances; ++i) {
    loaded->instances.push_back(VALUE(acl::Model::Load(*device_, file, loaded->weights)));
    spec.instances.push_back(loaded->instances.back().get());
  }
  const acl::ModelInfo& info = spec.instances.front()->info();
  spec.shape = VALUE(MakeSubgraphShape(info, options.batched.value_or(HasBatchGears(info))));
  spec.reload = [device = device_.get(), model = loaded.get()](size_t instance) {
    return model->Reload(*device, instance);
  };
  models_.push_back(std::move(loaded));
  models_.back()->subgraph = VALUE(engine_->AddSubgraph(std::move(spec)));
  return models_.back()->subgraph;
}

void EngineHarness::RemoveModel(const Subgraph* subgraph) {
  REQUIRE_OK(TryToRemoveModel(subgraph));
}

absl::Status EngineHarness::TryToRemoveModel(const Subgraph* subgraph) {
  RETURN_IF_ERROR(engine_->RemoveSubgraph(*subgraph));
  RETURN_IF_ERROR(device_->Bind());
  std::erase_if(models_, [subgraph](const auto& model) { return model->subgraph == subgraph; });
  return absl::OkStatus();
}

void EngineHarness::RemovePlan(const std::shared_ptr<const Plan>& plan) {
  engine_->RemovePlan(*plan);
  plans_.erase(plan);
}

void EngineHarness::AddPlan(const std::shared_ptr<const Plan>& plan) {
  if (plans_.insert(plan).second) {
    REQUIRE_OK(engine_->AddPlan(*plan));
  }
}

std::shared_ptr<Answer> EngineHarness::Submit(const Send& send) {
  AddPlan(send.plan);
  auto answer = std::make_shared<Answer>();
  auto request = std::make_unique<InferRequest>();
  answer->id = ++last_request_;
  request->id = answer->id;
  request->plan = send.plan;
  request->rows = send.rows;
  request->priority = send.priority;
  request->deadline = send.deadline;
  request->trace = send.trace;
  request->sequence = send.sequence;
  request->wanted = send.wanted;
  request->places = send.places;
  for (size_t i = 0; send.wanted.empty() && i < send.plan->outputs.size(); ++i) {
    request->wanted.push_back(static_cast<int>(i));
  }
  std::vector<Dims> row_dims;
  for (const TestInput& input : send.inputs) {
    memory::HostBlock block = VALUE(pinned_->Allocate(input.bytes.size()));
    std::memcpy(block.bytes().data(), input.bytes.data(), input.bytes.size());
    const std::span<const std::byte> bytes = block.bytes();
    request->inputs.push_back({input.dims, bytes, std::move(block)});
    row_dims.emplace_back(input.dims.begin() + (send.plan->batched ? 1 : 0), input.dims.end());
  }
  request->buckets = VALUE(send.plan->ResolveBuckets(row_dims));
  request->done = [answer, before = send.before_answer](InferResponse response) {
    if (before) {
      before();
    }
    answer->Take(std::move(response));
  };
  request->early = send.early;
  answer->submitted = engine_->Submit(std::move(request));
  return answer;
}

}  // namespace omserve::scheduler
