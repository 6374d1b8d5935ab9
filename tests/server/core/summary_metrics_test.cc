// SPDX-License-Identifier: Apache-2.0
#include "server/core/summary_metrics.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>

#include "tests/scheduler/fake_clock.h"

namespace omserve::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<MetricFamily> FamiliesOf(Summaries& summaries, const ModelStatistics& model) {
  std::vector<MetricFamily> families;
  summaries.AddFamilies({model}, {}, families);
  return families;
}

// So many requests, each of so long.
void Add(ModelStatistics& model, int count, milliseconds total) {
  for (int i = 0; i < count; ++i) {
    scheduler::StageTimes times;
    times.total = total;
    times[scheduler::Stage::kQueue] = total / 2;
    model.stages.Record(times);
  }
}

double MedianUs(Summaries& summaries, const ModelStatistics& model) {
  return FamiliesOf(summaries, model).front().metric.front().summary.quantile.front().value;
}

// Names and kinds as Triton has them, each quantile within 5 %, counts and sums exact; families of
// the cache only for models whose answers are kept.
TEST_CASE("Summaries of a model", "[statistics]") {
  FakeClock clock;
  Summaries summaries({0.5, 0.9}, clock);
  ModelStatistics model;
  model.name = "m";
  Add(model, 90, milliseconds(10));
  Add(model, 10, milliseconds(1000));
  const std::vector<MetricFamily> families = FamiliesOf(summaries, model);
  REQUIRE(families.size() == 5);
  CHECK(families[0].name == "nv_inference_request_summary_us");
  CHECK(families[0].type == prometheus::MetricType::Summary);
  const ClientMetric& request = families[0].metric.at(0);
  CHECK(request.summary.sample_count == 100);
  CHECK(request.summary.sample_sum == Approx(90 * 10'000.0 + 10 * 1'000'000.0));
  REQUIRE(request.summary.quantile.size() == 2);
  CHECK(request.summary.quantile[0].quantile == 0.5);
  CHECK(request.summary.quantile[0].value == Approx(10'000).epsilon(0.05));
  CHECK(request.summary.quantile[1].value == Approx(10'000).epsilon(0.05));
  CHECK(families[1].name == "nv_inference_queue_summary_us");
  CHECK(families[1].metric.at(0).summary.quantile[0].value == Approx(5'000).epsilon(0.05));
  CHECK(families[2].metric.at(0).summary.quantile[0].value == 0);
}

// Quantiles forget what is more than a minute old; who asks seldom gets what came since.
TEST_CASE("Summaries of the last minute", "[statistics]") {
  FakeClock clock;
  Summaries summaries({0.5}, clock);
  ModelStatistics model;
  model.name = "m";
  CHECK(std::isnan(MedianUs(summaries, model)));
  Add(model, 100, milliseconds(10));
  clock.Advance(seconds(15));
  CHECK(MedianUs(summaries, model) == Approx(10'000).epsilon(0.05));
  Add(model, 50, milliseconds(1000));
  clock.Advance(seconds(15));
  CHECK(MedianUs(summaries, model) == Approx(10'000).epsilon(0.05));
  clock.Advance(seconds(45));  // The first hundred are a minute old.
  CHECK(MedianUs(summaries, model) == Approx(1'000'000).epsilon(0.05));
  clock.Advance(seconds(60));
  CHECK(std::isnan(MedianUs(summaries, model)));
  Add(model, 1, milliseconds(100));
  clock.Advance(seconds(3600));
  CHECK(MedianUs(summaries, model) == Approx(100'000).epsilon(0.05));
  CHECK(FamiliesOf(summaries, model).front().metric.front().summary.sample_count == 151);
}

// Without quantiles there is nothing.
TEST_CASE("No summaries", "[statistics]") {
  FakeClock clock;
  Summaries summaries({}, clock);
  CHECK(FamiliesOf(summaries, ModelStatistics()).empty());
}

}  // namespace
}  // namespace omserve::server
