// SPDX-License-Identifier: Apache-2.0
// Rows that wait for company as long as it pays: clients that send their next request when they
// have their answer come to share batches, and nobody is waited for in vain.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr microseconds kBatch{4000};  // What every batch takes, up to four rows.
constexpr microseconds kThink{100};   // From an answer to the client's next request.

// A model of one lane whose costs are known, and its clients.
class ClosedLoop final {
 public:
  explicit ClosedLoop(int clients, int lanes = 1)
      : subgraph_(core_.Add({{1, 2, 4}}, Options(lanes))), plan_(MakePlan({{subgraph_}})) {
    for (int client = 0; client < clients; ++client) {
      arrivals_.push_back(microseconds(137 * client));
    }
  }

  // Runs until `batches` have ended; the rows of the last `last` of them.
  std::vector<int> Run(int batches, int last) {
    std::vector<int> rows;
    while (std::ssize(rows) < batches) {
      Next(&rows);
    }
    rows.erase(rows.begin(), rows.end() - last);
    return rows;
  }
  microseconds now() const { return now_; }
  CoreHarness& core() { return core_; }
  const std::shared_ptr<const Plan>& plan() const { return plan_; }

 private:
  struct Running {
    BatchId batch;
    microseconds ends;
    int rows;
  };

  static Core::SubgraphOptions Options(int lanes) {
    Core::SubgraphOptions options{.lanes = lanes, .policy = {.derives_delay = true}};
    options.costs = CostTable(3);
    for (size_t gear = 0; gear < 3; ++gear) {
      options.costs.Record(gear, kBatch, At(microseconds(0)));
    }
    return options;
  }

  // The next arrival, end of a batch or timer, whichever is first.
  void Next(std::vector<int>* rows) {
    const auto arrival = std::min_element(arrivals_.begin(), arrivals_.end());
    const auto end = std::min_element(running_.begin(), running_.end(),
                                      [](const auto& a, const auto& b) { return a.ends < b.ends; });
    const microseconds next_end = end == running_.end() ? microseconds::max() : end->ends;
    const microseconds next_arrival = arrival == arrivals_.end() ? microseconds::max() : *arrival;
    now_ = std::min({next_end, next_arrival, timer_});
    core_.SetTime(now_);
    if (now_ == next_end) {
      const Running done = *end;
      running_.erase(end);
      rows->push_back(done.rows);
      arrivals_.insert(arrivals_.end(), static_cast<size_t>(done.rows), now_ + kThink);
      core_.Done(done.batch, true, kBatch);
    } else if (now_ == next_arrival) {
      arrivals_.erase(arrival);
      core_.Arrive(next_request_++, plan_);
    } else {
      timer_ = microseconds::max();
      core_.Timer();
    }
    for (const Command& command : core_.commands()) {
      if (const auto* launch = std::get_if<Launch>(&command)) {
        running_.push_back({launch->batch, now_ + kBatch, launch->row_count});
      } else if (const auto* timer = std::get_if<ArmTimer>(&command)) {
        timer_ = timer->at == Instant::max()
                     ? microseconds::max()
                     : std::chrono::ceil<microseconds>(timer->at.time_since_epoch());
      }
    }
  }

  CoreHarness core_;
  const Subgraph* subgraph_;
  std::shared_ptr<const Plan> plan_;
  std::vector<microseconds> arrivals_;
  std::vector<Running> running_;
  microseconds timer_ = microseconds::max();
  microseconds now_{0};
  RequestId next_request_ = 1;
};

// Left alone, two such clients run one after the other for ever: each comes back while the other's
// batch runs.
TEST_CASE("Clients that wait for their answers come to share batches") {
  CHECK(ClosedLoop(2).Run(40, 10) == std::vector<int>(10, 2));
  CHECK(ClosedLoop(3).Run(40, 10) == std::vector<int>(10, 3));
  CHECK(ClosedLoop(4).Run(40, 10) == std::vector<int>(10, 4));
}

// Its next request never comes before its answer.
TEST_CASE("A lone client is never kept waiting") {
  ClosedLoop alone(1);
  CHECK(alone.Run(50, 50) == std::vector<int>(50, 1));
  CHECK(alone.now() == 50 * kBatch + 49 * kThink);
}

// Whoever comes finds a lane.
TEST_CASE("Nobody waits while lanes are idle") {
  ClosedLoop two(2, /*lanes=*/2);
  CHECK(two.Run(50, 50) == std::vector<int>(50, 1));
  CHECK(two.now() <= 27 * (kBatch + kThink));
}

// Two clients were there, and one is gone: the other is kept once, and not for long.
TEST_CASE("A wait in vain is ended by its timer, and learned from") {
  ClosedLoop loop(2);
  loop.Run(41, 1);  // The last batch is over, and nothing runs.
  CoreHarness& core = loop.core();
  microseconds now = loop.now() + milliseconds(1);
  int waits = 0;
  for (RequestId id = 1000; id < 1010; ++id) {
    core.SetTime(now);
    core.Arrive(id, loop.plan());
    if (!std::holds_alternative<Launch>(core.commands().front())) {
      ++waits;
      const Instant at = std::get<ArmTimer>(core.commands().back()).at;
      CHECK(at <= At(now + kBatch / 2));
      now = std::chrono::ceil<microseconds>(at.time_since_epoch());
      core.SetTime(now);
      core.Timer();
    }
    const auto& launch = std::get<Launch>(core.commands().front());
    now += kBatch;
    core.SetTime(now);
    core.Done(launch.batch, true, kBatch);
    now += milliseconds(20);
  }
  CHECK(waits <= 2);
}

// Twice what the batch takes is kept for the deadline.
TEST_CASE("Company is not waited for past what a deadline allows") {
  ClosedLoop loop(2);
  loop.Run(41, 1);
  CoreHarness& core = loop.core();
  const microseconds now = loop.now() + kThink / 2;
  core.SetTime(now);
  const Instant deadline = At(now + 2 * kBatch + microseconds(300));
  core.Arrive(1000, loop.plan(), {.deadline = deadline});
  CHECK(std::get<ArmTimer>(core.commands().back()).at == At(now + microseconds(300)));
  core.SetTime(now + microseconds(300));
  CHECK(core.Timer().front().ends_with("gear 1, deadline"));
}

// Nothing more will join.
TEST_CASE("A drain ends the wait for company") {
  ClosedLoop loop(2);
  loop.Run(41, 1);
  CoreHarness& core = loop.core();
  core.SetTime(loop.now() + kThink / 2);
  core.Arrive(1000, loop.plan());
  CHECK(core.Drain().front().ends_with("gear 1, drain"));
}

}  // namespace
}  // namespace omserve::scheduler
