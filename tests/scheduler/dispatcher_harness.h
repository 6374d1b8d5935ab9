// SPDX-License-Identifier: Apache-2.0
// A dispatcher over several CPU devices, models on some of them, and requests that can be waited
// for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "scheduler/dispatcher.h"
#include "tests/scheduler/engine_harness.h"

namespace omserve::scheduler {

class DispatcherHarness final {
 public:
  struct Options {
    int devices = 2;
    std::string device_settings = R"("cores": 2)";  // Beside "device_count".
    Engine::Options engine = {.device_pool_bytes = size_t{8} << 20};
    std::vector<ResourceSetting> resources = {};
  };
  explicit DispatcherHarness(const Options& options);
  // Drains, and requires that no memory is left in use.
  ~DispatcherHarness();

  // A model on the devices in `places`; empty: on all. Null subgraphs elsewhere.
  std::vector<const Subgraph*> AddModel(const std::string& name, const std::string& om,
                                        const std::vector<size_t>& places = {},
                                        const BatchPolicyOptions& policy = {},
                                        const InstanceLimit& limit = {});
  static std::shared_ptr<const Placement> Single(const std::vector<const Subgraph*>& subgraphs);

  struct Send {
    std::shared_ptr<const Placement> placement;
    std::vector<TestInput> inputs;
    int rows = 1;
  };
  std::shared_ptr<Answer> Submit(const Send& send);

  Dispatcher& dispatcher() { return *dispatcher_; }
  const Dispatcher& dispatcher() const { return *dispatcher_; }
  // What the engine of the device in `place` told.
  const Recorder& recorder(size_t place) const { return *recorders_[place]; }

 private:
  struct Loaded {
    absl::StatusOr<acl::Model*> Reload(const acl::Device& device);

    std::string om;
    std::shared_ptr<const acl::SharedWeights> weights;
    std::unique_ptr<acl::Model> instance;
  };
  // Destroyed in reverse order: what is borrowed outlives its borrower.
  std::unique_ptr<acl::Runtime> runtime_;
  std::vector<std::unique_ptr<acl::Device>> devices_;
  std::unique_ptr<memory::HostPool> pinned_;
  std::vector<std::unique_ptr<Loaded>> models_;
  std::vector<std::unique_ptr<Recorder>> recorders_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace omserve::scheduler
