// SPDX-License-Identifier: Apache-2.0
// The dispatcher over devices of the CPU device's timed engine, with models of known cost: the
// scheduler as the daemon runs it, without front ends.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/device.h"
#include "runtime/acl/model.h"
#include "runtime/memory/host_pool.h"
#include "scheduler/dispatcher.h"
#include "scheduler/placement.h"

namespace omserve::bench {

// A model of FP32 rows [16]: reads `inputs`, makes one output "out".
struct TimedModel {
  std::string name;
  std::vector<std::string> inputs = {"in"};
  std::map<int, int> cost_us;  // By batch size, which are the gears.
  int instances = 1;
  scheduler::BatchPolicyOptions policy = {.derives_delay = true};  // As the daemon's.
};

// Thread-safe once the models are there.
class SchedulerRig final {
 public:
  struct Options {
    int devices = 1;
    int cores = 2;  // Executions that run side by side on a device at their full rate.
    std::vector<TimedModel> models;
    scheduler::Engine::Options engine;
  };
  // Blocks while the models load.
  static absl::StatusOr<std::unique_ptr<SchedulerRig>> Start(const Options& options);
  SchedulerRig(const SchedulerRig&) = delete;
  SchedulerRig& operator=(const SchedulerRig&) = delete;
  // Drains.
  ~SchedulerRig();

  using Target = std::shared_ptr<const scheduler::Placement>;
  // A model alone.
  Target Single(const std::string& model) const;
  // A vision model and a text model side by side, a fusion model after both: inputs "image" and
  // "question", output "answer".
  absl::StatusOr<Target> VisionText(const std::string& vision, const std::string& text,
                                    const std::string& fusion) const;

  // Blocks of device memory that were handed out so far, on all devices.
  uint64_t device_pool_allocations() const;

  using Done = std::function<void(const absl::Status&)>;
  // Asks for one row. `done` runs exactly once, here or on a device's thread; it must not block.
  void Ask(const Target& target, scheduler::Instant deadline, Done done);

 private:
  struct OneDevice;

  SchedulerRig() = default;
  absl::Status AddModel(size_t place, const TimedModel& model);

  std::unique_ptr<acl::Runtime> runtime_;
  std::unique_ptr<scheduler::Observer> observer_;
  std::vector<std::unique_ptr<OneDevice>> devices_;  // By place.
  std::unique_ptr<memory::HostPool> pinned_;
  std::unique_ptr<scheduler::Dispatcher> dispatcher_;
};

}  // namespace omserve::bench
