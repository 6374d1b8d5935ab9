// SPDX-License-Identifier: Apache-2.0
// An engine on the CPU device, models for it, and requests that can be waited for.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/mutex.h"
#include "scheduler/engine.h"
#include "tests/runtime/acl/acl_fixture.h"

namespace omserve::scheduler {

// Keeps what the engine tells.
class Recorder final : public Observer {
 public:
  void OnBatch(const BatchRecord& record) override {
    const MutexLock lock(mu_);
    batches_.push_back(record);
    runs_.emplace_back(record.launched, SteadyClock().Now());
    told_.NotifyAll();
  }
  void OnRequest(const RequestRecord& record) override {
    const MutexLock lock(mu_);
    requests_.push_back(record);
  }
  void OnIncident(const DeviceIncident& incident) override {
    const MutexLock lock(mu_);
    incidents_.push_back(incident);
    told_.NotifyAll();
  }
  void OnPair(const PairRecord& record) override {
    const MutexLock lock(mu_);
    pairs_.push_back(record);
  }
  std::vector<PairRecord> pairs() const {
    const MutexLock lock(mu_);
    return pairs_;
  }
  // Waits for it, for a minute at most.
  DeviceIncident AwaitIncident(DeviceIncident::Kind kind, size_t times) const;
  // Waits until so many batches are over, for a minute at most.
  void AwaitBatches(size_t count) const;
  std::vector<DeviceIncident> incidents() const {
    const MutexLock lock(mu_);
    return incidents_;
  }
  std::vector<BatchRecord> batches() const {
    const MutexLock lock(mu_);
    return batches_;
  }
  // From when each batch was about to be launched to when its end was told.
  std::vector<std::pair<Instant, Instant>> runs() const {
    const MutexLock lock(mu_);
    return runs_;
  }
  std::vector<RequestRecord> requests() const {
    const MutexLock lock(mu_);
    return requests_;
  }

 private:
  mutable Mutex mu_;
  mutable CondVar told_;
  std::vector<BatchRecord> batches_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<Instant, Instant>> runs_ ABSL_GUARDED_BY(mu_);
  std::vector<RequestRecord> requests_ ABSL_GUARDED_BY(mu_);
  std::vector<PairRecord> pairs_ ABSL_GUARDED_BY(mu_);
  std::vector<DeviceIncident> incidents_ ABSL_GUARDED_BY(mu_);
};

// The answer to one request. A second answer fails the test.
class Answer final {
 public:
  // Waits for it. A minute is the test's patience, not a measure.
  const InferResponse& Get() const;
  bool arrived() const {
    const MutexLock lock(mu_);
    return response_.has_value();
  }
  void Take(InferResponse response);
  RequestId id = 0;
  absl::Status submitted;

 private:
  mutable Mutex mu_;
  mutable CondVar arrived_;
  std::optional<InferResponse> response_ ABSL_GUARDED_BY(mu_);
  int times_ ABSL_GUARDED_BY(mu_) = 0;
};

// One input as the test writes it: full dims and bytes.
struct TestInput {
  Dims dims;
  std::string bytes;
};
TestInput Floats(const Dims& dims, const std::vector<float>& values);
TestInput Int64s(const Dims& dims, const std::vector<int64_t>& values);
// A BYTES tensor [1, 1] of one element.
TestInput Bytes(std::string_view element);
std::vector<float> ToFloats(const ResponseOutput& output);
// Of a BYTES tensor with one element.
std::string ToText(const ResponseOutput& output);

class EngineHarness final {
 public:
  struct Options {
    std::string device_settings;  // Members of the CPU device's "hostacl" object.
    std::string library = testing::kHostLibrary;
    size_t pinned_bytes = size_t{64} << 20;
    // Small models on all three streams, as large ones.
    Engine::Options engine = {.device_pool_bytes = size_t{32} << 20, .small_copy_bytes = 0};
    Clock* clock = nullptr;  // Null: the steady clock.
    int device = 0;
    acl::Runtime* runtime = nullptr;  // Null: one of its own, with device_settings.
  };
  explicit EngineHarness(const Options& options);
  EngineHarness() : EngineHarness(Options()) {}
  // Drains, and requires that no memory is left in use.
  ~EngineHarness();

  struct ModelOptions {
    int instances = 1;
    std::optional<bool> batched;  // Unset: as the file shows.
    BatchPolicyOptions policy;
    int max_queue_rows = 0;
    std::optional<SequenceSpec> sequence = std::nullopt;
  };
  const Subgraph* AddModel(const std::string& name, const std::string& om,
                           const ModelOptions& options);
  const Subgraph* AddModel(const std::string& name, const std::string& om) {
    return AddModel(name, om, ModelOptions());
  }

  // Waits until nothing of it is in flight; then its file and instances go too.
  void RemoveModel(const Subgraph* subgraph);
  // On any thread, where checks of tests must not be.
  absl::Status TryToRemoveModel(const Subgraph* subgraph);

  struct Send {
    std::shared_ptr<const Plan> plan;
    std::vector<TestInput> inputs;
    int rows = 1;
    std::vector<int> wanted = {};  // Empty: all outputs.
    uint64_t priority = 1;
    Instant deadline = Instant::max();
    bool trace = false;
    SequenceTurn sequence = {};
    std::vector<OutputPlace> places = {};
    std::function<void()> before_answer = {};       // Runs on the device thread.
    std::function<void(InferResponse)> early = {};  // InferRequest::early.
  };
  // As Submit does by itself, but while the device thread is free to do it.
  void AddPlan(const std::shared_ptr<const Plan>& plan);
  void RemovePlan(const std::shared_ptr<const Plan>& plan);
  std::shared_ptr<Answer> Submit(const Send& send);

  Engine& engine() { return *engine_; }
  memory::HostPool& pinned() { return *pinned_; }
  const Recorder& recorder() const { return recorder_; }
  // Waits until an incident of this kind was told `times` times.
  DeviceIncident AwaitIncident(DeviceIncident::Kind kind, size_t times = 1) const {
    return recorder_.AwaitIncident(kind, times);
  }
  Clock& clock() { return clock_; }
  const acl::Device& device() const { return *device_; }

 private:
  struct Loaded {
    absl::StatusOr<acl::Model*> Reload(const acl::Device& device, size_t instance);

    std::string om;
    std::shared_ptr<const acl::SharedWeights> weights;
    std::vector<std::unique_ptr<acl::Model>> instances;
    const Subgraph* subgraph = nullptr;
  };
  // Destroyed in reverse order: what is borrowed outlives its borrower.
  Clock& clock_;
  std::unique_ptr<acl::Runtime> runtime_;
  std::unique_ptr<acl::Device> device_;
  std::unique_ptr<memory::HostPool> pinned_;
  std::vector<std::unique_ptr<Loaded>> models_;
  std::set<std::shared_ptr<const Plan>> plans_;  // Known to the engine.
  Recorder recorder_;
  std::unique_ptr<Engine> engine_;
  std::atomic<RequestId> last_request_{0};
};

}  // namespace omserve::scheduler
