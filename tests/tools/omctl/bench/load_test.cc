// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/load.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "tests/status_test_util.h"

namespace omserve::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations as people write them.

// Every form of a sweep.
TEST_CASE("ParseSweep: forms") {
  CHECK(VALUE(ParseSweep("8")) == std::vector<double>{8});
  CHECK(VALUE(ParseSweep("1,2,8")) == std::vector<double>{1, 2, 8});
  CHECK(VALUE(ParseSweep("1:32:x2")) == std::vector<double>{1, 2, 4, 8, 16, 32});
  CHECK(VALUE(ParseSweep("1:20:x3")) == std::vector<double>{1, 3, 9});
  CHECK(VALUE(ParseSweep("500:2000:500")) == std::vector<double>{500, 1000, 1500, 2000});
  CHECK(VALUE(ParseSweep("2:4")) == std::vector<double>{2, 3, 4});
  CHECK(VALUE(ParseSweep("0.1:0.3:0.1")).size() == 3);
  CHECK(VALUE(ParseSweep("1,4:8:4,100")) == std::vector<double>{1, 4, 8, 100});
  CHECK(VALUE(ParseCountSweep("1:8:x2")) == std::vector<int>{1, 2, 4, 8});
}

// What is no sweep is refused with the text in the message.
TEST_CASE("ParseSweep: refusals") {
  for (const char* text : {"", "a", "0", "-1", "1,", "1:", "8:1", "1:8:0", "1:8:x1", "1:8:x",
                           "1:2:3:4", "inf", "1:8:-1", "1e400", "4 "}) {
    INFO(text);
    const auto sweep = ParseSweep(text);
    REQUIRE(sweep.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(MessageOf(sweep.status())).find("'" + std::string(text) + "'") == 0);
  }
  CHECK_FALSE(ParseSweep("1:100000").ok());
  CHECK_FALSE(ParseCountSweep("1.5").ok());
  CHECK_FALSE(ParseCountSweep("2000000").ok());
}

// Times with their units, and what is none.
TEST_CASE("ParseDuration") {
  CHECK(VALUE(ParseDuration("250us")) == 250us);
  CHECK(VALUE(ParseDuration("1.5ms")) == 1500us);
  CHECK(VALUE(ParseDuration("2s")) == 2s);
  CHECK(VALUE(ParseDuration("1m")) == 1min);
  CHECK(VALUE(ParseDuration("7ns")) == 7ns);
  for (const char* text : {"", "5", "ms", "-1s", "1h", "0s", "1 s", "1.2.3s", "2000m", "1e3s"}) {
    INFO(text);
    CHECK_FALSE(ParseDuration(text).ok());
  }
}

// A constant rate: exactly so often, however long it runs.
TEST_CASE("ArrivalSchedule: constant") {
  ArrivalSchedule schedule(3, Arrivals::kConstant, 1);
  CHECK(schedule.Next() == 0ns);
  for (int i = 1; i < 3'000'000; ++i) {
    schedule.Next();
  }
  CHECK(schedule.Next() == 1'000'000s);
}

// Poisson arrivals: the rate, the spread of an exponential law, and the same again from the seed.
TEST_CASE("ArrivalSchedule: Poisson") {
  ArrivalSchedule schedule(1000, Arrivals::kPoisson, 7);
  ArrivalSchedule again(1000, Arrivals::kPoisson, 7);
  ArrivalSchedule other(1000, Arrivals::kPoisson, 8);
  constexpr int kCount = 100'000;
  Clock::duration last{0};
  double square = 0;
  bool differs = false;
  for (int i = 0; i < kCount; ++i) {
    const Clock::duration at = schedule.Next();
    REQUIRE(at >= last);
    REQUIRE(at == again.Next());
    differs = differs || at != other.Next();
    const double gap = std::chrono::duration<double>(at - last).count();
    square += gap * gap;
    last = at;
  }
  CHECK(differs);
  const double mean = std::chrono::duration<double>(last).count() / kCount;
  CHECK(mean == Approx(0.001).epsilon(0.02));
  // The deviation of an exponential law is its mean.
  CHECK(std::sqrt(square / kCount - mean * mean) == Approx(0.001).epsilon(0.03));
}

}  // namespace
}  // namespace omserve::bench
