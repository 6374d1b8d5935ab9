// SPDX-License-Identifier: Apache-2.0
#include "scheduler/warm_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
#include "scheduler/lane.h"

namespace omserve::scheduler {
namespace {

constexpr std::chrono::seconds kMostTime{10};
// For one run: beyond, its stream hangs.
constexpr std::chrono::seconds kPatience{60};

class Completion final : public CompletionSink {
 public:
  // Under the lock: the waiter may go as soon as it sees `done_`.
  void OnSlotDone(Slot* /*slot*/) override {
    const MutexLock lock(mu_);
    done_ = true;
    told_.NotifyOne();
  }
  // False when it did not come in time. Ready for the next one then.
  bool Wait(Clock& clock) {
    const Clock::time_point deadline = clock.Now() + kPatience;
    const MutexLock lock(mu_);
    while (!done_ && clock.WaitUntil(told_, mu_, deadline)) {
    }
    return std::exchange(done_, false);
  }

 private:
  Mutex mu_;
  CondVar told_;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
};

// Runs one gear once; how long that took.
absl::StatusOr<Clock::duration> RunOnce(Lane& lane, size_t gear,
                                        const std::vector<OutputTarget>& outputs, size_t inputs,
                                        Completion& completion, Clock& clock) {
  const Clock::time_point start = clock.Now();
  // Inputs without pieces: a new lane's buffers, which are zeros.
  const std::vector<InputSource> zeros(inputs);
  ASSIGN_OR_RETURN(Slot * slot, lane.Launch(gear, zeros, outputs));
  if (!completion.Wait(clock)) {
    RETURN_IF_ERROR(lane.Stop());
    return DeadlineExceeded("a run of gear {} did not end in {} s", gear, kPatience.count());
  }
  const Clock::duration waited = clock.Now() - start;
  LaunchTimes times;
  RETURN_IF_ERROR(lane.Finish(slot, &times));
  const bool tells = times.compute_start.has_value() && times.compute_end.has_value() &&
                     *times.compute_end > *times.compute_start;
  return tells ? std::chrono::microseconds(*times.compute_end - *times.compute_start) : waited;
}

}  // namespace

absl::StatusOr<CostTable> WarmUp(const acl::Device& device, acl::CompletionThread& completions,
                                 acl::Model& model, const SubgraphShape& shape, int runs,
                                 Clock& clock) {
  CostTable costs(shape.model_gear_count());
  auto completion = std::make_unique<Completion>();
  ASSIGN_OR_RETURN(std::unique_ptr<Lane> lane,
                   Lane::Create(device, completions, model, {.slots = 1}, *completion));
  std::vector<acl::DeviceBuffer> buffers;
  std::vector<OutputTarget> outputs;
  for (const acl::ModelTensor& output : model.info().outputs) {
    ASSIGN_OR_RETURN(acl::DeviceBuffer buffer, device.Allocate(output.max_bytes));
    outputs.push_back({.device = buffer.get()});
    buffers.push_back(std::move(buffer));
  }
  const Clock::time_point until = clock.Now() + kMostTime;
  for (const Bucket& bucket : shape.buckets) {
    for (const BatchGear& gear : bucket.gears) {
      for (int run = 0; run < runs && clock.Now() < until; ++run) {
        const absl::StatusOr<Clock::duration> took = RunOnce(
            *lane, gear.model_gear, outputs, model.info().inputs.size(), *completion, clock);
        if (took.status().code() == absl::StatusCode::kDeadlineExceeded) {
          // The completion thread may still be about to tell of it: kept for good. It holds nothing
          // of the device any longer.
          static_cast<void>(lane.release());
          static_cast<void>(completion.release());
        }
        RETURN_IF_ERROR(took.status());
        costs.Record(gear.model_gear, std::max(*took, Clock::duration(1)), clock.Now());
      }
    }
  }
  return costs;
}

std::string CostsToString(const SubgraphShape& shape, const CostTable& costs) {
  std::string text;
  for (const Bucket& bucket : shape.buckets) {
    for (const BatchGear& gear : bucket.gears) {
      const Clock::duration cost = costs.Expected(gear.model_gear);
      if (cost > Clock::duration::zero()) {
        text += fmt::format("{}{}:{:.3f}", text.empty() ? "" : " ", gear.rows,
                            std::chrono::duration<double, std::milli>(cost).count());
      }
    }
  }
  return text;
}

}  // namespace omserve::scheduler
