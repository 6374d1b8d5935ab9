// SPDX-License-Identifier: Apache-2.0
#include "scheduler/warm_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/check.h"
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

// A lane of its own for a model, and memory for what it computes.
class Runner final {
 public:
  static absl::StatusOr<std::unique_ptr<Runner>> Create(const acl::Device& device,
                                                        acl::CompletionThread& completions,
                                                        acl::Model& model, Clock& clock) {
    auto runner = std::make_unique<Runner>(device, clock);
    ASSIGN_OR_RETURN(runner->lane_,
                     Lane::Create(device, completions, model, {.slots = 1}, *runner->completion_));
    for (const acl::ModelTensor& output : model.info().outputs) {
      ASSIGN_OR_RETURN(acl::DeviceBuffer buffer, device.Allocate(output.max_bytes));
      runner->outputs_.push_back({.device = buffer.get()});
      runner->memory_->outputs.push_back(std::move(buffer));
    }
    return runner;
  }
  Runner(const acl::Device& device, Clock& clock)
      : device_(device), generation_(device.generation()), clock_(clock) {}

  // Where inputs of the runs from now on stand; those of the runs before are let go.
  const std::vector<acl::HostBuffer>& Pin(std::vector<acl::HostBuffer> pinned) {
    memory_->pinned = std::move(pinned);
    return memory_->pinned;
  }

  // Runs one gear once; how long that took. After an error nothing more can run here.
  absl::StatusOr<Clock::duration> Run(size_t gear, std::span<const InputSource> inputs) {
    const Clock::time_point start = clock_.Now();
    const absl::StatusOr<Slot*> slot = lane_->Launch(gear, inputs, outputs_);
    if (!slot.ok()) {
      if (lane_->stuck()) {
        Abandon().IgnoreError();  // The launch's own error says more.
      }
      return slot.status();
    }
    if (!completion_->Wait(clock_)) {
      RETURN_IF_ERROR(Abandon());
      return DeadlineExceeded("a run of gear {} did not end in {} s", gear, kPatience.count());
    }
    const Clock::duration waited = clock_.Now() - start;
    LaunchTimes times;
    RETURN_IF_ERROR(lane_->Finish(*slot, &times));
    const bool tells = times.compute_start.has_value() && times.compute_end.has_value() &&
                       *times.compute_end > *times.compute_start;
    return tells ? std::chrono::microseconds(*times.compute_end - *times.compute_start) : waited;
  }

 private:
  // What tasks read and write.
  struct Memory {
    std::vector<acl::DeviceBuffer> outputs;
    std::vector<acl::HostBuffer> pinned;
  };

  // Ends the lane under what still runs on it.
  absl::Status Abandon() {
    absl::Status stopped = lane_->Stop();
    // The completion thread may still be about to tell of it: both are kept for good.
    static_cast<void>(lane_.release());
    static_cast<void>(completion_.release());
    if (!stopped.ok() || generation_ != device_.generation()) {
      // Tasks may still read and write there, and whoever was given the memory next would meet
      // them: what leaks is small beside a device that needs a reset.
      static_cast<void>(memory_.release());
    }
    return stopped;
  }

  const acl::Device& device_;
  const uint64_t generation_;
  Clock& clock_;
  std::unique_ptr<Completion> completion_ = std::make_unique<Completion>();
  std::unique_ptr<Memory> memory_ = std::make_unique<Memory>();
  std::vector<OutputTarget> outputs_;
  std::unique_ptr<Lane> lane_;
};

// Whether one more run may begin.
absl::Status CheckTime(Clock::time_point until, Clock& clock, const std::function<bool()>& ends) {
  if (ends()) {
    return Unavailable("the server ends");
  }
  if (clock.Now() >= until) {
    return DeadlineExceeded(
        "the samples of all instances did not run in {} s; lower its count or batch_size, or those "
        "of the samples before it",
        kMostSampleTime.count());
  }
  return absl::OkStatus();
}

// Runs `sample` once, where `pinned` has its inputs.
absl::Status RunSample(Runner& runner, const SubgraphShape& shape, const WarmUpSample& sample,
                       const std::vector<acl::HostBuffer>& pinned,
                       const std::function<absl::Status()>& check_time) {
  const Bucket& bucket = shape.buckets[sample.bucket];
  for (int done = 0; done < sample.rows;) {
    RETURN_IF_ERROR(check_time());
    const int rows = std::min(sample.rows - done, bucket.max_rows());
    std::vector<InputSource> inputs(pinned.size());
    for (size_t i = 0; i < pinned.size(); ++i) {
      const size_t row_bytes = bucket.input_row_bytes[i];
      const size_t size_bytes = row_bytes * static_cast<size_t>(rows);
      if (size_bytes > 0) {
        inputs[i].pieces.push_back(
            {.host = pinned[i].bytes().subspan(row_bytes * static_cast<size_t>(done), size_bytes),
             .device = {},
             .size_bytes = size_bytes});
      }
    }
    RETURN_IF_ERROR(runner.Run(bucket.GearFor(rows).model_gear, inputs).status());
    done += rows;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<acl::HostBuffer>> Pinned(const acl::Device& device,
                                                    const SubgraphShape& shape,
                                                    const WarmUpSample& sample) {
  std::vector<acl::HostBuffer> pinned;
  for (size_t i = 0; i < shape.inputs.size(); ++i) {
    const size_t size_bytes =
        shape.buckets[sample.bucket].input_row_bytes[i] * static_cast<size_t>(sample.rows);
    if (size_bytes == 0) {
      pinned.emplace_back();
      continue;
    }
    ASSIGN_OR_RETURN(acl::HostBuffer buffer, device.AllocateHost(size_bytes));
    const std::span<std::byte> bytes = buffer.bytes().first(size_bytes);
    const std::string& given = sample.inputs[i];
    OMSERVE_CHECK(given.empty() || given.size() == size_bytes, "a sample has bytes for all rows");
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
    if (!given.empty()) {
      std::memcpy(bytes.data(), given.data(), given.size());
    }
    pinned.push_back(std::move(buffer));
  }
  return pinned;
}

}  // namespace

absl::StatusOr<CostTable> WarmUp(const acl::Device& device, acl::CompletionThread& completions,
                                 acl::Model& model, const SubgraphShape& shape, int runs,
                                 Clock& clock) {
  CostTable costs(shape.model_gear_count());
  ASSIGN_OR_RETURN(const std::unique_ptr<Runner> runner,
                   Runner::Create(device, completions, model, clock));
  // Inputs without pieces: a new lane's buffers, which are zeros.
  const std::vector<InputSource> zeros(model.info().inputs.size());
  const Clock::time_point until = clock.Now() + kMostTime;
  for (const Bucket& bucket : shape.buckets) {
    for (const BatchGear& gear : bucket.gears) {
      for (int run = 0; run < runs && clock.Now() < until; ++run) {
        ASSIGN_OR_RETURN(const Clock::duration took, runner->Run(gear.model_gear, zeros));
        costs.Record(gear.model_gear, std::max(took, Clock::duration(1)), clock.Now());
      }
    }
  }
  return costs;
}

absl::Status RunSamples(const acl::Device& device, acl::CompletionThread& completions,
                        acl::Model& model, const SubgraphShape& shape,
                        std::span<const WarmUpSample> samples, Clock& clock,
                        Clock::time_point until, const std::function<bool()>& ends) {
  if (samples.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Runner> runner,
                   Runner::Create(device, completions, model, clock));
  const auto check_time = [&] { return CheckTime(until, clock, ends); };
  for (const WarmUpSample& sample : samples) {
    ASSIGN_OR_RETURN(std::vector<acl::HostBuffer> buffers, Pinned(device, shape, sample));
    const std::vector<acl::HostBuffer>& pinned = runner->Pin(std::move(buffers));
    absl::Status ran;
    for (int run = 0; run < sample.count && ran.ok(); ++run) {
      ran = RunSample(*runner, shape, sample, pinned, check_time);
    }
    if (!ran.ok()) {
      return WithContext(ran, fmt::format("warm-up '{}'", sample.name));
    }
  }
  return absl::OkStatus();
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
