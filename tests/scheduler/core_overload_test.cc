// SPDX-License-Identifier: Apache-2.0
// The core under more load than the device can do, on a device of arithmetic: goodput (answers in
// time) stays near its peak, and comes back at once when the load goes.
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Two lanes; a batch of the gears of 1, 2, 4 and 8 rows takes 2 to 5 ms, give or take a fifth.
constexpr int kLanes = 2;
constexpr std::array<microseconds, 4> kCosts = {microseconds(2000), microseconds(2300),
                                                microseconds(3200), microseconds(5000)};
constexpr double kCapacity = kLanes * 8 / 0.005;  // Rows a second.
constexpr std::array<milliseconds, 3> kDeadlines = {milliseconds(20), milliseconds(60),
                                                    milliseconds(300)};

struct Tally {
  size_t sent = 0;
  size_t good = 0;
  size_t refused = 0;
  size_t dropped = 0;  // By prediction, before a launch.
  size_t late = 0;     // At the deadline.
  std::array<size_t, 3> good_by_class{};
};

class Overload final {
 public:
  explicit Overload(bool retries) : retries_(retries), core_({.max_rows = 1 << 20}) {
    subgraph_ = MakeSubgraph(0, {{1, 2, 4, 8}});
    core_.AddSubgraph(subgraph_, {.lanes = kLanes});
    plan_ = MakePlan({{&subgraph_}});
    lane_free_.resize(kLanes);
  }

  // Requests at `rate` a second for `time`, evenly of each class.
  Tally Run(double rate, Clock::duration time) {
    tally_ = {};
    const Instant end = now_ + time;
    std::exponential_distribution<double> gap(rate);
    Instant next = now_ + Seconds(gap(random_));
    while (true) {
      const Instant at = events_.empty() ? next : std::min(next, events_.begin()->first);
      if (at >= end) {
        break;
      }
      now_ = at;
      if (at == next) {
        Send(random_() % kDeadlines.size());
        next += Seconds(gap(random_));
      } else {
        const auto node = events_.extract(events_.begin());
        if (const auto* event = std::get_if<Event>(&node.mapped())) {
          Feed(*event);
        } else {
          Send(std::get<size_t>(node.mapped()));
        }
      }
    }
    now_ = end;
    return tally_;
  }

 private:
  static Clock::duration Seconds(double count) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
  }

  void Send(size_t of_class) {
    const RequestId id = next_request_++;
    classes_[id] = of_class;
    ++tally_.sent;
    Feed(Arrive{
        .request = id, .plan = plan_, .buckets = {0}, .deadline = now_ + kDeadlines.at(of_class)});
  }

  void Feed(const Event& event) {
    commands_.clear();
    core_.Handle(event, now_, &commands_);
    for (const Command& command : commands_) {
      if (const auto* launch = std::get_if<Launch>(&command)) {
        Instant& free = lane_free_.at(static_cast<size_t>(launch->lane));
        const double noise = 0.8 + 0.4 * static_cast<double>(random_() % 1000) / 1000;
        const auto cost =
            Seconds(noise * 1e-6 * static_cast<double>(kCosts.at(launch->gear.model_gear).count()));
        free = std::max(free, now_) + cost;
        events_.emplace(free, Event(BatchDone{launch->batch, true, cost}));
      } else if (const auto* timer = std::get_if<ArmTimer>(&command)) {
        if (timer->at != Instant::max()) {
          events_.emplace(timer->at, Event(TimerFired{}));
        }
      } else if (const auto* respond = std::get_if<Respond>(&command)) {
        Count(*respond);
      }
    }
  }

  void Count(const Respond& respond) {
    const size_t of_class = classes_.at(respond.request);
    classes_.erase(respond.request);
    if (respond.outcome == Outcome::kOk) {
      ++tally_.good;
      ++tally_.good_by_class.at(of_class);
      return;
    }
    ++(respond.outcome == Outcome::kRefused   ? tally_.refused
       : respond.outcome == Outcome::kDropped ? tally_.dropped
                                              : tally_.late);
    if (retries_) {
      // A client that does not read hints: it comes back after 1 to 400 ms, for ever.
      events_.emplace(now_ + microseconds(1000 + random_() % 399000), of_class);
    }
  }

  const bool retries_;
  std::mt19937 random_{1};
  Subgraph subgraph_;
  Core core_;
  std::shared_ptr<const Plan> plan_;
  std::vector<Instant> lane_free_;
  std::multimap<Instant, std::variant<Event, size_t>> events_;
  std::map<RequestId, size_t> classes_;
  std::vector<Command> commands_;
  RequestId next_request_ = 1;
  Instant now_ = At(microseconds(0));
  Tally tally_;
};

double Rate(size_t count, Clock::duration time) {
  return static_cast<double>(count) / std::chrono::duration<double>(time).count();
}

// The most that is answered in time at any load up to the device's limit.
double PeakGoodput() {
  double peak = 0;
  for (const double load : {0.7, 0.8, 0.9, 1.0, 1.1}) {
    Overload overload(false);
    overload.Run(load * kCapacity, seconds(1));
    peak = std::max(peak, Rate(overload.Run(load * kCapacity, seconds(2)).good, seconds(2)));
  }
  return peak;
}

// Three times as much as the device can do: nine tenths of the peak are answered in time, each
// class has a share, and next to nothing is computed for nothing.
TEST_CASE("Goodput at three times the load stays near its peak") {
  const double peak = PeakGoodput();
  INFO("peak " << peak << " of " << kCapacity);
  CHECK(peak > 0.85 * kCapacity);
  for (const double load : {1.5, 3.0, 10.0}) {
    Overload overload(false);
    overload.Run(load * kCapacity, seconds(1));
    const Tally tally = overload.Run(load * kCapacity, seconds(3));
    INFO("load " << load << ": good " << Rate(tally.good, seconds(3)) << "/s, refused "
                 << tally.refused << ", dropped " << tally.dropped << ", late " << tally.late
                 << " of " << tally.sent << "; by class " << tally.good_by_class[0] << " "
                 << tally.good_by_class[1] << " " << tally.good_by_class[2]);
    CHECK(Rate(tally.good, seconds(3)) > 0.9 * peak);
    CHECK(tally.refused > tally.dropped);
    CHECK(tally.late < tally.good / 20);
    for (const size_t good : tally.good_by_class) {
      CHECK(good > tally.good / 10);
    }
  }
}

// Clients that retry for ever drive the load far beyond the device for six seconds. Goodput holds
// meanwhile; when the new requests become few, it is back to what is asked within a second, though
// every request that was refused still comes again and again until it is served.
TEST_CASE("A retry storm passes without a trace") {
  const double peak = PeakGoodput();
  Overload overload(true);
  overload.Run(1.2 * kCapacity, seconds(1));
  const Tally storm = overload.Run(2 * kCapacity, seconds(5));
  INFO("storm: sent " << storm.sent << " good " << storm.good << " late " << storm.late);
  CHECK(storm.sent > 4 * static_cast<size_t>(5 * kCapacity));
  CHECK(Rate(storm.good, seconds(5)) > 0.9 * peak);
  // Half the capacity comes anew; the other half works the crowd off.
  const Tally after = overload.Run(0.5 * kCapacity, seconds(1));
  CHECK(Rate(after.good, seconds(1)) > 0.9 * peak);
  overload.Run(0.5 * kCapacity, seconds(14));
  const Tally calm = overload.Run(0.5 * kCapacity, seconds(2));
  INFO("calm: sent " << calm.sent << " good " << calm.good);
  CHECK(static_cast<double>(calm.good) > 0.98 * static_cast<double>(calm.sent));
}

}  // namespace
}  // namespace omserve::scheduler
