// SPDX-License-Identifier: Apache-2.0
#include "scheduler/shared_rate_limiter.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "tests/status_test_util.h"

namespace omserve::scheduler {
namespace {

// Notes what it is told.
class Told final : public TurnSink {
 public:
  void OnTurnGranted(const TurnGranted& granted) override {
    const MutexLock lock(mu_);
    granted_.push_back(granted);
    told_.NotifyAll();
  }
  std::vector<TurnGranted> all() const {
    const MutexLock lock(mu_);
    return granted_;
  }
  TurnGranted Await() {
    const MutexLock lock(mu_);
    while (granted_.empty()) {
      told_.Wait(mu_);
    }
    const TurnGranted first = granted_.front();
    granted_.erase(granted_.begin());
    return first;
  }

 private:
  mutable Mutex mu_;
  CondVar told_;
  std::vector<TurnGranted> granted_ ABSL_GUARDED_BY(mu_);
};

const InstanceLimit kOneOfAll{.needs = {{.name = "R", .global = true}}};

// What is free is granted at once, to who asked; what is given back goes to who waits, with the
// ticket of its newest question, and through its own sink.
TEST_CASE("A turn that one engine gives back is told to another") {
  SharedRateLimiter limiter({});
  Told first;
  Told second;
  const auto a = VALUE(limiter.AddLane(0, kOneOfAll, 3, 1, first));
  const auto b = VALUE(limiter.AddLane(1, kOneOfAll, 4, 2, second));
  std::vector<TurnGranted> own;
  limiter.Ask(a, 10, /*renews=*/false, &own);
  REQUIRE(own.size() == 1);
  CHECK(own[0].subgraph == 3);
  CHECK(own[0].lane == 1);
  CHECK(own[0].ticket == 10);
  CHECK_FALSE(own[0].waited);
  own.clear();
  limiter.Ask(b, 20, /*renews=*/false, &own);
  limiter.Return(b, /*used=*/false, &own);
  limiter.Ask(b, 21, /*renews=*/false, &own);
  CHECK(own.empty());
  limiter.Return(a, /*used=*/true, &own);
  CHECK(own.empty());
  CHECK(first.all().empty());
  REQUIRE(second.all().size() == 1);
  CHECK(second.all()[0].subgraph == 4);
  CHECK(second.all()[0].ticket == 21);
  CHECK(second.all()[0].waited);
}

// Lanes of one engine tell each other without a message.
TEST_CASE("A turn of the same engine comes back with the call") {
  SharedRateLimiter limiter({});
  Told sink;
  const auto a = VALUE(limiter.AddLane(0, kOneOfAll, 0, 0, sink));
  const auto b = VALUE(limiter.AddLane(0, kOneOfAll, 0, 1, sink));
  std::vector<TurnGranted> own;
  limiter.Ask(a, 1, /*renews=*/false, &own);
  limiter.Ask(b, 2, /*renews=*/false, &own);
  own.clear();
  limiter.Ask(a, 3, /*renews=*/true, &own);
  REQUIRE(own.size() == 1);
  CHECK(own[0].lane == 1);
  CHECK(own[0].waited);
  CHECK(sink.all().empty());
}

TEST_CASE("What could never execute is refused before it is added") {
  const SharedRateLimiter limiter({{"R", 2, {}}, {"S", 1, 0}});
  CHECK_THAT(std::string(MessageOf(limiter.Check(0, {.needs = {{"R", 3}}}))),
             Catch::Contains("device 0 needs 3") && Catch::Contains("there are 2"));
  CHECK_THAT(std::string(MessageOf(limiter.Check(1, {.needs = {{"S", 1, true}}}))),
             Catch::Contains("'S' is global here"));
  CHECK(limiter.Check(1, {.needs = {{"R", 2}}}).ok());
}

// Threads of several engines ask and give back; the one that holds is alone, and all get turns.
TEST_CASE("Engines on several threads never hold one copy at once") {
  SharedRateLimiter limiter({});
  constexpr int kEngines = 4;
  constexpr uint64_t kTurns = 2000;
  std::vector<Told> sinks(kEngines);
  std::vector<SharedRateLimiter::Client> clients;
  for (int i = 0; i < kEngines; ++i) {
    clients.push_back(VALUE(limiter.AddLane(i, kOneOfAll, 0, 0, sinks[static_cast<size_t>(i)])));
  }
  std::atomic<int> holders{0};  // Sequentially consistent: it is what is tested.
  std::atomic<int> at_once{0};
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < kEngines; ++i) {
      threads.emplace_back([&, i] {
        std::vector<TurnGranted> own;
        for (uint64_t ticket = 1; ticket <= kTurns; ++ticket) {
          const bool renews = ticket > 1 && ticket % 3 == 0;
          if (!renews && ticket > 1) {
            limiter.Return(clients[i], /*used=*/true, &own);
          }
          limiter.Ask(clients[i], ticket, renews, &own);
          const TurnGranted granted = own.empty() ? sinks[i].Await() : own.front();
          own.clear();
          at_once += granted.ticket != ticket || ++holders != 1 ? 1 : 0;
          --holders;
        }
        limiter.Return(clients[i], /*used=*/true, &own);
      });
    }
  }
  CHECK(at_once == 0);
  CHECK(limiter.usage().front().held == 0);
}

}  // namespace
}  // namespace omserve::scheduler
