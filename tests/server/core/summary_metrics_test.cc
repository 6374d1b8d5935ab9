// SPDX-License-Identifier: Apache-2.0
#include "server/core/summary_metrics.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "config/metrics_check.h"
#include "tests/scheduler/fake_clock.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using std::chrono::milliseconds;
using std::chrono::seconds;

// `served`: the model is, with its answers kept or not.
std::vector<MetricFamily> FamiliesOf(Summaries& summaries, const ModelStatistics& statistics,
                                     bool served = true, bool keeps_answers = false) {
  std::vector<CatalogEntry> entries;
  if (served) {
    auto model = std::make_shared<Model>();
    model->config.mutable_response_cache()->set_enable(keeps_answers);
    entries.push_back(
        {.name = statistics.name, .version = statistics.version, .model = std::move(model)});
  }
  std::vector<MetricFamily> families;
  summaries.AddFamilies({statistics}, entries, families);
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

TEST_CASE("Summaries of a cache", "[statistics]") {
  FakeClock clock;
  Summaries summaries({0.5}, clock);
  ModelStatistics model;
  model.name = "m";
  for (const auto& [times, count, time] :
       {std::tuple(&model.cache_hit_times, &model.cache_hit, milliseconds(1)),
        std::tuple(&model.cache_miss_times, &model.cache_miss, milliseconds(100))}) {
    times->Record(time);
    *count = {.count = 1, .ns = static_cast<uint64_t>(std::chrono::nanoseconds(time).count())};
  }
  const std::vector<MetricFamily> families =
      FamiliesOf(summaries, model, /*served=*/true, /*keeps_answers=*/true);
  REQUIRE(families.size() == 7);
  CHECK(families[5].name == "nv_cache_hit_summary_per_model");
  CHECK(families[5].metric.at(0).summary.quantile[0].value == Approx(1000).epsilon(0.05));
  CHECK(families[5].metric.at(0).summary.sample_sum == Approx(1000));
  CHECK(families[6].name == "nv_cache_miss_summary_per_model");
  CHECK(families[6].metric.at(0).summary.quantile[0].value == Approx(100'000).epsilon(0.05));
}

TEST_CASE("No summaries of a model that is not served", "[statistics]") {
  FakeClock clock;
  Summaries summaries({0.5}, clock);
  ModelStatistics model;
  model.name = "m";
  Add(model, 1, milliseconds(10));
  CHECK(FamiliesOf(summaries, model, /*served=*/false).empty());
}

TEST_CASE("Quantiles as Triton's flag has them", "[statistics]") {
  const auto read = [](const char* text) { return config::ReadQuantiles(text); };
  CHECK(VALUE(read("0.5:0.05,0.9,1:0")) == std::vector<double>{0.5, 0.9, 1});
  for (const char* text : {"", "x", "2", "-1", "0.5:", "0.5:0.1:0.2", "0.5:x", "0.5,"}) {
    INFO(text);
    CHECK_THAT(std::string(read(text).status().message()), Catch::Contains("QUANTILE:ERROR"));
  }
  CHECK_THAT(std::string(read("0.5,0.5:0.01").status().message()), Catch::Contains("once"));
  std::string many = "0";
  for (int i = 1; i <= 16; ++i) {
    many += ",0." + std::to_string(10 + i);
  }
  CHECK_THAT(std::string(read(many.c_str()).status().message()),
             Catch::Contains("at most 16 quantiles"));
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
