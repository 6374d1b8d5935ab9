// SPDX-License-Identifier: Apache-2.0
#include "runtime/health/health_monitor.h"

#include <catch2/catch.hpp>
#include <semaphore>

#include "tests/scheduler/fake_clock.h"
#include "tests/status_test_util.h"

namespace omserve::health {
namespace {

using std::chrono::milliseconds;

// A driver that answers when a test lets it.
class SteppedSource final : public HealthSource {
 public:
  struct Steps {
    std::counting_semaphore<> asked{0};
    std::counting_semaphore<> answers{0};
  };
  explicit SteppedSource(Steps& steps) : steps_(steps) {}

  HealthReport Read() override {
    steps_.asked.release();
    steps_.answers.acquire();
    HealthReport report;
    report.devices.push_back({.device = 0, .temperature_celsius = 40.0 + readings_++});
    return report;
  }

 private:
  Steps& steps_;
  int readings_ = 0;
};

// The temperature that readings begin with is 40.
std::optional<double> Temperature(const HealthMonitor& monitor) {
  const std::optional<HealthReport> report = monitor.latest();
  return report.has_value() ? report->devices.at(0).temperature_celsius : std::nullopt;
}

// Waits until the monitor has published `celsius`.
void AwaitTemperature(const HealthMonitor& monitor, double celsius) {
  Mutex mu;
  CondVar nobody_notifies;
  const MutexLock lock(mu);
  for (int i = 0; i < 5000 && Temperature(monitor) != celsius; ++i) {
    SteadyClock().WaitUntil(nobody_notifies, mu, SteadyClock().Now() + milliseconds(1));
  }
  REQUIRE(Temperature(monitor) == celsius);
}

// The first reading begins at once, the next an interval after it has ended.
TEST_CASE("The monitor reads at once and then every interval") {
  FakeClock clock;
  SteppedSource::Steps steps;
  const std::unique_ptr<HealthMonitor> monitor =
      HealthMonitor::Start(std::make_unique<SteppedSource>(steps), milliseconds(5000), clock);
  steps.asked.acquire();
  CHECK_FALSE(monitor->latest().has_value());
  steps.answers.release();
  AwaitTemperature(*monitor, 40);
  for (int reading = 1; reading < 4; ++reading) {
    // The thread may not wait yet; then it finds the time passed.
    while (!steps.asked.try_acquire_for(milliseconds(1))) {
      clock.Advance(milliseconds(5000));
    }
    steps.answers.release();
    AwaitTemperature(*monitor, 40 + reading);
  }
  CHECK_FALSE(steps.asked.try_acquire());
  REQUIRE_OK(monitor->Stop(Clock::time_point::max()));
}

// A driver hangs in the second reading: the first is still there for whoever asks, and stopping
// gives up at its deadline instead of waiting.
TEST_CASE("A driver that hangs blocks neither readers nor the end") {
  FakeClock clock;
  SteppedSource::Steps steps;
  const std::unique_ptr<HealthMonitor> monitor =
      HealthMonitor::Start(std::make_unique<SteppedSource>(steps), milliseconds(100), clock);
  steps.answers.release();
  AwaitTemperature(*monitor, 40);
  steps.asked.acquire();
  while (!steps.asked.try_acquire_for(milliseconds(1))) {
    clock.Advance(milliseconds(100));
  }
  CHECK(Temperature(*monitor) == 40);
  const absl::Status stopped = monitor->Stop(clock.Now());
  CHECK(stopped.code() == absl::StatusCode::kInternal);
  steps.answers.release();
  REQUIRE_OK(monitor->Stop(Clock::time_point::max()));
  CHECK(Temperature(*monitor) == 41);
  REQUIRE_OK(monitor->Stop(clock.Now()));
}

}  // namespace
}  // namespace omserve::health
