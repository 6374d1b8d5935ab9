// SPDX-License-Identifier: Apache-2.0
#include "scheduler/rate_limiter.h"

#include <catch2/catch.hpp>

#include "tests/status_test_util.h"

namespace omserve::scheduler {
namespace {

using Clients = std::vector<RateLimiter::Client>;

Clients Ask(RateLimiter& limiter, RateLimiter::Client client) {
  Clients granted;
  limiter.Ask(client, &granted);
  return granted;
}

Clients Return(RateLimiter& limiter, RateLimiter::Client client, bool used = true) {
  Clients granted;
  limiter.Return(client, used, &granted);
  return granted;
}

uint32_t TotalOf(const RateLimiter& limiter, const std::string& name, std::optional<int> device) {
  for (const RateLimiter::Usage& usage : limiter.usage()) {
    if (usage.name == name && usage.device == device) {
      return usage.total;
    }
  }
  return 0;
}

// Triton's example: without settings there is of each resource what the neediest asks for.
TEST_CASE("A resource has as many copies as the neediest instance wants") {
  RateLimiter limiter({});
  VALUE(limiter.AddClient(0, {{"R1", 4}, {"R2", 4}}, 1));
  VALUE(limiter.AddClient(0, {{"R2", 5}, {"R3", 10}, {"R4", 5}}, 1));
  VALUE(limiter.AddClient(0, {{"R1", 1}, {"R3", 7}, {"R4", 2}}, 1));
  CHECK(TotalOf(limiter, "R1", 0) == 4);
  CHECK(TotalOf(limiter, "R2", 0) == 5);
  CHECK(TotalOf(limiter, "R3", 0) == 10);
  CHECK(TotalOf(limiter, "R4", 0) == 5);
}

// Triton's example of --rate-limit-resource on two devices, R3 being global.
TEST_CASE("Settings are for all devices, for one, or for all together") {
  RateLimiter limiter({{"R1", 10, {}}, {"R2", 5, 0}, {"R2", 8, 1}, {"R3", 2, {}}});
  for (const int device : {0, 1}) {
    VALUE(limiter.AddClient(device, {{"R1", 1}, {"R2", 1}, {"R3", 1, true}}, 1));
  }
  CHECK(TotalOf(limiter, "R1", 0) == 10);
  CHECK(TotalOf(limiter, "R1", 1) == 10);
  CHECK(TotalOf(limiter, "R2", 0) == 5);
  CHECK(TotalOf(limiter, "R2", 1) == 8);
  CHECK(TotalOf(limiter, "R3", {}) == 2);
}

TEST_CASE("An instance that could never execute is refused") {
  RateLimiter limiter({{"R", 2, {}}});
  CHECK_THAT(std::string(MessageOf(limiter.AddClient(1, {{"R", 3}}, 1).status())),
             Catch::Contains("device 1 needs 3") && Catch::Contains("there are 2"));
  VALUE(limiter.AddClient(0, {{"R", 1}}, 1));
  CHECK_FALSE(limiter.AddClient(0, {{"R", 1, true}}, 1).ok());
  CHECK_FALSE(limiter.AddClient(0, {{"S", 1}, {"S", 1}}, 1).ok());
}

// Who cannot have all takes nothing, and gets it when it is free.
TEST_CASE("All resources are taken at once or none") {
  RateLimiter limiter({{"A", 1, {}}, {"B", 1, {}}});
  const auto a = VALUE(limiter.AddClient(0, {{"A"}}, 1));
  const auto both = VALUE(limiter.AddClient(0, {{"A"}, {"B"}}, 1));
  const auto b = VALUE(limiter.AddClient(0, {{"B"}}, 1));
  CHECK(Ask(limiter, b) == Clients{b});
  CHECK(Return(limiter, b).empty());
  CHECK(Ask(limiter, a) == Clients{a});
  CHECK(Ask(limiter, both).empty());
  CHECK(limiter.usage()[1].held == 0);
  CHECK(Return(limiter, a) == Clients{both});
}

// Small needs do not keep a large one waiting for ever; what it does not need is free to others.
TEST_CASE("Nobody is passed over by who comes later") {
  RateLimiter limiter({{"R", 2, {}}, {"S", 1, {}}});
  const auto first = VALUE(limiter.AddClient(0, {{"R", 1}}, 1));
  const auto second = VALUE(limiter.AddClient(0, {{"R", 1}}, 1));
  const auto large = VALUE(limiter.AddClient(0, {{"R", 2}}, 1));
  const auto other = VALUE(limiter.AddClient(0, {{"S", 1}}, 1));
  CHECK(Ask(limiter, first) == Clients{first});
  CHECK(Ask(limiter, large).empty());
  CHECK(Ask(limiter, second).empty());  // One is free, and large comes before.
  CHECK(Ask(limiter, other) == Clients{other});
  CHECK(Return(limiter, first) == Clients{large});
  CHECK(Return(limiter, large) == Clients{second});
}

TEST_CASE("Devices do not share what is not global") {
  RateLimiter limiter({});
  const auto on0 = VALUE(limiter.AddClient(0, {{"R"}, {"G", 1, true}}, 1));
  const auto on1 = VALUE(limiter.AddClient(1, {{"R"}}, 1));
  const auto global1 = VALUE(limiter.AddClient(1, {{"G", 1, true}}, 1));
  CHECK(Ask(limiter, on0) == Clients{on0});
  CHECK(Ask(limiter, on1) == Clients{on1});
  CHECK(Ask(limiter, global1).empty());
  CHECK(Return(limiter, on0) == Clients{global1});
}

// Instances that always want to execute: priority 2 has half the turns of priority 1.
TEST_CASE("Priorities share out the turns") {
  RateLimiter limiter({});
  const auto one = VALUE(limiter.AddClient(0, {{"R"}}, 1));
  const auto two = VALUE(limiter.AddClient(0, {{"R"}}, 2));
  const auto four = VALUE(limiter.AddClient(0, {{"R"}}, 4));
  std::vector<int> turns(3, 0);
  Clients granted;
  for (const auto client : {four, two, one}) {
    limiter.Ask(client, &granted);
  }
  for (int i = 0; i < 700; ++i) {
    REQUIRE(granted.size() == 1);
    const RateLimiter::Client client = granted.front();
    granted.clear();
    ++turns[client];
    limiter.Renew(client, &granted);
  }
  CHECK(std::abs(turns[one] - 400) <= 2);
  CHECK(std::abs(turns[two] - 200) <= 2);
  CHECK(std::abs(turns[four] - 100) <= 2);
}

// One that was idle for long has not saved up turns; one that gave its turn back unused has not
// lost one.
TEST_CASE("A pause saves nothing up") {
  RateLimiter limiter({});
  const auto busy = VALUE(limiter.AddClient(0, {{"R"}}, 1));
  const auto late = VALUE(limiter.AddClient(0, {{"R"}}, 1));
  for (int i = 0; i < 100; ++i) {
    CHECK(Ask(limiter, busy) == Clients{busy});
    Return(limiter, busy);
  }
  Ask(limiter, busy);
  CHECK(Ask(limiter, late).empty());
  CHECK(Return(limiter, busy) == Clients{late});
  CHECK(Ask(limiter, busy).empty());
  CHECK(Return(limiter, late) == Clients{busy});
  CHECK(Ask(limiter, late).empty());
  CHECK(Return(limiter, late).empty());  // Wants it no longer.
  CHECK(Ask(limiter, late).empty());
  CHECK(Return(limiter, busy, /*used=*/false) == Clients{late});
}

// Who is gone needs nothing: what others need is all that is left, its name may mean another thing,
// and its number is another's.
TEST_CASE("What instances that are gone needed is forgotten") {
  RateLimiter limiter({});
  const RateLimiter::Client large = VALUE(limiter.AddClient(0, {{"R", 4}}, 1));
  const RateLimiter::Client one = VALUE(limiter.AddClient(0, {{"R", 2}}, 1));
  const RateLimiter::Client two = VALUE(limiter.AddClient(0, {{"R", 2}}, 1));
  CHECK(Ask(limiter, one) == Clients{one});
  CHECK(Ask(limiter, two) == Clients{two});
  limiter.RemoveClient(large);
  CHECK(TotalOf(limiter, "R", 0) == 4);  // All of it is held.
  CHECK(Return(limiter, one).empty());
  CHECK(TotalOf(limiter, "R", 0) == 2);
  CHECK(Ask(limiter, one).empty());  // From now on one at a time.
  CHECK(Return(limiter, two) == Clients{one});
  CHECK(Return(limiter, one).empty());
  limiter.RemoveClient(one);
  limiter.RemoveClient(two);
  CHECK(limiter.usage().empty());
  CHECK(VALUE(limiter.AddClient(0, {{"R", 1, /*global=*/true}}, 1)) == large);
  CHECK(TotalOf(limiter, "R", {}) == 1);
}

}  // namespace
}  // namespace omserve::scheduler
