// SPDX-License-Identifier: Apache-2.0
// Samples before a model serves: all of them, or a reason why not.
#include "scheduler/warm_up.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

// Each look at it takes this long.
class HastyClock final : public Clock {
 public:
  explicit HastyClock(duration step) : step_(step) {}
  time_point Now() const override { return SteadyClock().Now() + step_ * looks_.fetch_add(1); }
  bool WaitUntil(CondVar& cv, Mutex& mu, time_point deadline) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    return SteadyClock().WaitUntil(cv, mu, deadline);
  }

 private:
  const duration step_;
  mutable std::atomic<int64_t> looks_{0};  // Stands for itself.
};

// A model with what runs its samples.
struct Warmed {
  absl::Status Run(
      const std::vector<WarmUpSample>& samples, Clock& clock,
      const std::function<bool()>& ends = [] { return false; }) {
    return RunSamples(*opened.device, *completions, *model, shape, samples, clock,
                      clock.Now() + kMostSampleTime, ends);
  }

  testing::OpenedDevice opened = testing::OpenDevice();
  std::unique_ptr<acl::CompletionThread> completions =
      VALUE(acl::CompletionThread::Start(*opened.device));
  std::string om = ScaleAdd({1, 4});
  std::shared_ptr<const acl::SharedWeights> weights =
      VALUE(acl::SharedWeights::Allocate(*opened.device, std::as_bytes(std::span(om))));
  std::unique_ptr<acl::Model> model =
      VALUE(acl::Model::Load(*opened.device, std::as_bytes(std::span(om)), weights));
  SubgraphShape shape = VALUE(MakeSubgraphShape(model->info(), /*batched=*/true));
};

WarmUpSample Sample(const std::string& name, int rows, int count) {
  return {.name = name, .rows = rows, .count = count, .inputs = {"", ""}};
}

// Samples that would keep the device for hours fail, with the one that was too much; so many are
// possible as fit, over all samples.
TEST_CASE("Samples have a limit in time") {
  Warmed warmed;
  HastyClock clock(std::chrono::seconds(1));
  REQUIRE_OK(warmed.Run({Sample("few", 10, 2), Sample("one", 1, 1)}, clock));
  for (const WarmUpSample& last : {Sample("many", 1, 1'000'000), Sample("large", 400'000, 1)}) {
    const absl::Status status = warmed.Run({Sample("few", 1, 3), last}, clock);
    CHECK(status.code() == absl::StatusCode::kDeadlineExceeded);
    CHECK(std::string(MessageOf(status)) == "warm-up '" + last.name +
                                                "': the samples of all instances did not run in 60 "
                                                "s; lower its count or batch_size, or "
                                                "those of the samples before it");
  }
}

// Who ends need not wait for them.
TEST_CASE("Samples stop at the end") {
  Warmed warmed;
  int looks = 0;
  const absl::Status status =
      warmed.Run({Sample("many", 1, 1'000'000)}, SteadyClock(), [&looks] { return ++looks > 3; });
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(MessageOf(status)) == "warm-up 'many': the server ends");
  CHECK(looks == 4);
}

}  // namespace
}  // namespace omserve::scheduler
