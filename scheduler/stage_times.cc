// SPDX-License-Identifier: Apache-2.0
#include "scheduler/stage_times.h"

#include <algorithm>

namespace omserve::scheduler {
namespace {

// From one reading of the device's clock to a later one; 0 where they are the other way round.
Clock::duration Between(uint64_t from_us, uint64_t to_us) {
  return std::chrono::microseconds(to_us > from_us ? static_cast<int64_t>(to_us - from_us) : 0);
}

Clock::duration Between(Instant from, Instant to) {
  return std::max(Clock::duration::zero(), Clock::duration(to - from));
}

// Walks back from the answer. `cursor_` is the instant up to which the time is still to be
// accounted for; each call moves it back and adds what it passed to one stage.
class PathWalk final {
 public:
  PathWalk(const Plan& plan, std::span<const StepStamps> steps, const RequestSpan& span)
      : plan_(plan), steps_(steps), span_(span), cursor_(span.answered) {}

  StageTimes Run() {
    int node = -1;
    for (int n = 0; n < static_cast<int>(plan_.nodes.size()); ++n) {
      node = Later(node, n);
    }
    while (node >= 0) {
      times_[Stage::kOverhead] += Between(StepAt(node).done, cursor_);
      node = NodeAt(node).on_device() ? PassDeviceSteps(node) : PassHostStep(node);
      const int producer = LastProducer(node);
      const Instant ready = producer < 0 ? span_.accepted : StepAt(producer).done;
      times_[Stage::kQueue] += Between(ready, cursor_);
      cursor_ = std::min(cursor_, ready);
      node = producer;
    }
    times_[Stage::kOverhead] += Between(span_.received, cursor_);
    times_.total = span_.answered - span_.received;
    return times_;
  }

 private:
  const PlanNode& NodeAt(int node) const { return plan_.nodes[static_cast<size_t>(node)]; }
  const StepStamps& StepAt(int node) const { return steps_[static_cast<size_t>(node)]; }

  // The one of two nodes that was done later; -1 and nodes that did not run are none.
  int Later(int a, int b) const {
    if (b < 0 || !StepAt(b).ran()) {
      return a;
    }
    return a < 0 || StepAt(b).done > StepAt(a).done ? b : a;
  }

  // The producer that `node` had to wait for longest. One that did not run (its output was at hand)
  // stands for its own producers.
  int LastProducer(int node) const {
    int last = -1;
    for (const int producer : NodeAt(node).producers) {
      last = Later(last, StepAt(producer).ran() ? producer : LastProducer(producer));
    }
    return last;
  }

  int PassHostStep(int node) {
    const StepStamps& step = StepAt(node);
    times_[Stage::kOverhead] += Between(step.work_end, step.done);
    times_[Stage::kCompute] += Between(step.work_start, step.work_end);
    cursor_ = step.work_start;
    return node;
  }

  // The producer behind whose computation `node` was launched before it was over; -1: none.
  int ProducerAhead(int node) const {
    int ahead = -1;
    for (const int producer : NodeAt(node).producers) {
      const StepStamps& step = StepAt(producer);
      if (!NodeAt(producer).on_device() || !step.ran() || step.done <= StepAt(node).begun ||
          step.timed() != StepAt(node).timed()) {
        continue;
      }
      const bool later = ahead < 0 || step.compute_end_us > StepAt(ahead).compute_end_us ||
                         (!step.timed() && step.done > StepAt(ahead).done);
      ahead = later ? producer : ahead;
    }
    return ahead;
  }

  // Passes `last` and the steps behind which it was launched ahead; returns the first of them.
  int PassDeviceSteps(int last) {
    const StepStamps& end = StepAt(last);
    if (!end.timed()) {
      return PassUntimedSteps(last);
    }
    times_[Stage::kOutput] += Between(end.compute_end_us, end.output_end_us);
    int node = last;
    for (int ahead = ProducerAhead(node); ahead >= 0; ahead = ProducerAhead(node)) {
      PassComputation(StepAt(node), StepAt(ahead).compute_end_us);
      node = ahead;
    }
    const StepStamps& first = StepAt(node);
    PassComputation(first, first.input_start_us);
    // What the host saw beyond what the device tells: launching, and being told of the end.
    times_[Stage::kOverhead] +=
        std::max(Clock::duration::zero(),
                 Between(first.begun, end.done) - Between(first.input_start_us, end.output_end_us));
    cursor_ = first.begun;
    return node;
  }

  // A step's time on the device from `from_us`, when it might have begun, to its compute_end_us.
  void PassComputation(const StepStamps& step, uint64_t from_us) {
    const uint64_t input_start_us = std::max(step.input_start_us, from_us);
    const uint64_t input_end_us = std::max(step.input_end_us, input_start_us);
    times_[Stage::kQueue] += Between(from_us, input_start_us);
    times_[Stage::kInput] += Between(input_start_us, input_end_us);
    times_[Stage::kQueue] += Between(input_end_us, step.compute_start_us);
    times_[Stage::kCompute] +=
        Between(std::max(step.compute_start_us, input_end_us), step.compute_end_us);
  }

  int PassUntimedSteps(int last) {
    int node = last;
    for (int ahead = ProducerAhead(node); ahead >= 0; ahead = ProducerAhead(node)) {
      node = ahead;
    }
    times_[Stage::kCompute] += Between(StepAt(node).begun, StepAt(last).done);
    cursor_ = StepAt(node).begun;
    return node;
  }

  const Plan& plan_;
  const std::span<const StepStamps> steps_;
  const RequestSpan span_;
  Instant cursor_;
  StageTimes times_;
};

}  // namespace

std::string_view StageName(Stage stage) {
  switch (stage) {
    case Stage::kQueue:
      return "queue";
    case Stage::kInput:
      return "input";
    case Stage::kCompute:
      return "compute";
    case Stage::kOutput:
      return "output";
    case Stage::kOverhead:
      return "overhead";
  }
  return "overhead";
}

StageTimes AttributeStages(const Plan& plan, std::span<const StepStamps> steps,
                           const RequestSpan& span) {
  return PathWalk(plan, steps, span).Run();
}

}  // namespace omserve::scheduler
