// SPDX-License-Identifier: Apache-2.0
// The rate limiter under random instances that ask, execute, give up and give back: its invariants
// after every step, and nothing is held or owed when all is over.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "scheduler/rate_limiter.h"
#include "tests/status_test_util.h"

namespace omserve::scheduler {
namespace {

class Schedule final {
 public:
  explicit Schedule(uint64_t seed) : random_(seed), limiter_({{"G", 2, {}}}) {
    for (int c = 0; c < 8; ++c) {
      std::vector<ResourceNeed> needs;
      for (const char* name : {"A", "B", "G"}) {
        if (random_() % 2 == 0) {
          needs.push_back({name, 1 + static_cast<uint32_t>(random_() % 2), *name == 'G'});
        }
      }
      const int device = static_cast<int>(random_() % 2);
      VALUE(limiter_.AddClient(device, needs, static_cast<uint32_t>(random_() % 4)));
      needs_.push_back({device, needs});
    }
    state_.resize(needs_.size(), State::kIdle);
  }

  void Run() {
    for (int step = 0; step < 300; ++step) {
      const size_t client = random_() % state_.size();
      std::vector<RateLimiter::Client> granted;
      if (state_[client] == State::kIdle) {
        state_[client] = State::kWaits;
        limiter_.Ask(client, &granted);
      } else if (state_[client] == State::kHolds && random_() % 2 == 0) {
        state_[client] = State::kWaits;
        limiter_.Renew(client, &granted);
      } else {
        state_[client] = State::kIdle;
        limiter_.Return(client, random_() % 3 != 0, &granted);
      }
      Grant(granted);
      Check();
    }
    for (size_t client = 0; client < state_.size(); ++client) {
      std::vector<RateLimiter::Client> granted;
      state_[client] = State::kIdle;
      limiter_.Return(client, true, &granted);
      Grant(granted);
    }
    // Whoever was granted by a later one's return gives back too.
    for (size_t client = 0; client < state_.size(); ++client) {
      std::vector<RateLimiter::Client> granted;
      limiter_.Return(client, true, &granted);
      REQUIRE(granted.empty());
    }
    for (const RateLimiter::Usage& usage : limiter_.usage()) {
      REQUIRE(usage.held == 0);
    }
  }

 private:
  enum class State { kIdle, kWaits, kHolds };

  void Grant(const std::vector<RateLimiter::Client>& granted) {
    for (const RateLimiter::Client client : granted) {
      REQUIRE(state_[client] == State::kWaits);  // Once, and only who waits.
      state_[client] = State::kHolds;
    }
  }

  // What is held is what the holders need, and never more than there is; who waits lacks something
  // or stands behind one who does.
  void Check() {
    bool anyone_waits = false;
    bool anyone_holds = false;
    for (const RateLimiter::Usage& usage : limiter_.usage()) {
      uint32_t held = 0;
      for (size_t client = 0; client < state_.size(); ++client) {
        for (const ResourceNeed& need : needs_[client].second) {
          const bool is_it =
              need.name == usage.name && (need.global || needs_[client].first == usage.device);
          held += is_it && state_[client] == State::kHolds ? need.count : 0;
        }
      }
      REQUIRE(usage.held == held);
      REQUIRE(usage.held <= usage.total);
    }
    for (size_t client = 0; client < state_.size(); ++client) {
      REQUIRE(limiter_.waits(client) == (state_[client] == State::kWaits));
      REQUIRE(limiter_.holds(client) == (state_[client] == State::kHolds));
      anyone_waits = anyone_waits || state_[client] == State::kWaits;
      anyone_holds = anyone_holds || state_[client] == State::kHolds;
    }
    REQUIRE((!anyone_waits || anyone_holds));  // Else they would wait for ever.
  }

  std::mt19937_64 random_;
  RateLimiter limiter_;
  std::vector<std::pair<int, std::vector<ResourceNeed>>> needs_;
  std::vector<State> state_;
};

TEST_CASE("Random instances keep the rate limiter's invariants") {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    INFO("seed " << seed);
    Schedule(seed).Run();
  }
}

}  // namespace
}  // namespace omserve::scheduler
