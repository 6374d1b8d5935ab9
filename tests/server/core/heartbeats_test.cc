// SPDX-License-Identifier: Apache-2.0
// Loops that answer and loops that do not.
#include "server/core/heartbeats.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/log.h"

namespace omserve::server {
namespace {

// What was told last; Await returns when `holds` of it.
class Told final {
 public:
  void Tell(const std::string& text) {
    const MutexLock lock(mu_);
    texts_.push_back(text);
    told_.NotifyAll();
  }
  std::string Await(size_t count) {
    const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(30);
    const MutexLock lock(mu_);
    while (texts_.size() < count && SteadyClock().WaitUntil(told_, mu_, patience)) {
    }
    return texts_.size() < count ? "nothing was told" : texts_[count - 1];
  }

 private:
  Mutex mu_;
  CondVar told_;
  std::vector<std::string> texts_ ABSL_GUARDED_BY(mu_);
};

// A loop that answers later, when the test lets it.
struct StuckLoop {
  Mutex mu;
  std::function<void()> beat ABSL_GUARDED_BY(mu);

  Heartbeats::Ask Ask() {
    return [this](std::function<void()> asked) {
      const MutexLock lock(mu);
      beat = std::move(asked);
    };
  }
  void Answer() {
    const MutexLock lock(mu);
    beat();
  }
};

TEST_CASE("Heartbeats: stuck loops are named, and those that turn again are not") {
  InitLog({.level = LogLevel::kOff});
  Told told;
  StuckLoop first;
  StuckLoop second;
  Heartbeats heartbeats(
      SteadyClock(),
      {.interval = std::chrono::milliseconds(2), .limit = std::chrono::milliseconds(5)},
      [&told](const std::string& stuck) { told.Tell(stuck); });
  heartbeats.Add("first", first.Ask());
  heartbeats.Add("fine", [](const std::function<void()>& beat) { beat(); });
  heartbeats.Add("second", second.Ask());
  heartbeats.Start();
  CHECK(told.Await(1) == "first and second have not turned for more than 5 ms");
  const std::vector<Heartbeats::Loop> loops = heartbeats.Loops();
  REQUIRE(loops.size() == 3);
  CHECK(loops[0].is_stuck);
  CHECK_FALSE(loops[1].is_stuck);
  CHECK(loops[2].is_stuck);
  second.Answer();
  CHECK(told.Await(2) == "first has not turned for more than 5 ms");
  heartbeats.Stop();
  first.Answer();  // After the end is fine.
}

TEST_CASE("Heartbeats: loops that turn are not told of") {
  bool was_told = false;
  {
    Heartbeats heartbeats(SteadyClock(), {.interval = std::chrono::milliseconds(1)},
                          [&was_told](const std::string&) { was_told = true; });
    int beats = 0;
    Mutex mu;
    CondVar beaten;
    heartbeats.Add("fine", [&](const std::function<void()>& beat) {
      beat();
      const MutexLock lock(mu);
      ++beats;
      beaten.NotifyAll();
    });
    heartbeats.Start();
    const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(30);
    {
      const MutexLock lock(mu);
      while (beats < 5 && SteadyClock().WaitUntil(beaten, mu, patience)) {
      }
      CHECK(beats >= 5);
    }
    heartbeats.Stop();
  }
  CHECK_FALSE(was_told);
}

}  // namespace
}  // namespace omserve::server
