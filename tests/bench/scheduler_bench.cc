// SPDX-License-Identifier: Apache-2.0
// The scheduler against what the device time allows, on devices of known speed (the timed engine):
//  - timed_efficiency: 8 devices, a vision, a text and a fusion model of unlike cost; the share of
//    the throughput that the busiest lane's device time bounds;
//  - overload: three times the peak rate, with mixed deadlines: what is still answered in time, and
//    how fast the rest is refused;
//  - retry_storm: how long after a storm of clients that retry at once the daemon serves again;
//  - text_beside_images: the latency of text requests with images beside them and without;
//  - derived_delay: what waiting for company as long as it pays brings, against leaving at once.
//
//   build/release/tests/bin/scheduler_bench [--only NAME] [--storm-seconds N]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status_macros.h"
#include "tests/bench/bench_rows.h"
#include "tests/bench/load.h"
#include "tests/bench/scheduler_rig.h"

namespace omserve::bench {
namespace {

using scheduler::Instant;
using std::chrono::milliseconds;
using Seconds = std::chrono::duration<double>;

Instant In(milliseconds time) { return SteadyClock().Now() + time; }

// Asks for `target`, each request with `deadline` from when it is sent.
Sender Asker(SchedulerRig& rig, const SchedulerRig::Target& target, milliseconds deadline) {
  return [&rig, &target, deadline](std::function<void(const absl::Status&)> done) {
    rig.Ask(target, deadline == milliseconds(0) ? Instant::max() : In(deadline), std::move(done));
  };
}

// ---- The bound from device time ----

constexpr int kDevices = 8;
constexpr int kCores = 2;
constexpr int kRows = 8;  // The largest gear.
constexpr int kVisionUs = 20000;
constexpr int kTextUs = 8000;
constexpr int kFusionUs = 6000;

absl::StatusOr<Row> TimedEfficiency() {
  const auto cost = [](int us) {
    return std::map<int, int>{{1, us / 4}, {2, us / 3}, {4, us / 2}, {kRows, us}};
  };
  ASSIGN_OR_RETURN(
      std::unique_ptr<SchedulerRig> rig,
      SchedulerRig::Start(
          {.devices = kDevices,
           .cores = kCores,
           .models = {{.name = "vision", .cost_us = cost(kVisionUs)},
                      {.name = "text", .cost_us = cost(kTextUs)},
                      {.name = "fusion", .inputs = {"a", "b"}, .cost_us = cost(kFusionUs)}}}));
  ASSIGN_OR_RETURN(const SchedulerRig::Target target, rig->VisionText("vision", "text", "fusion"));
  const int batches = 150;
  const int count = kDevices * kRows * batches;
  RunClosedLoop(Asker(*rig, target, milliseconds(0)), kDevices * kRows * 4, kDevices * kRows * 20);
  const double took =
      RunClosedLoop(Asker(*rig, target, milliseconds(0)), kDevices * kRows * 4, count);
  // A device does the vision lane's work one batch after the other, and no more than its cores can.
  const int all_us = kVisionUs + kTextUs + kFusionUs;
  const double bound = batches * std::max<double>(kVisionUs, 1.0 * all_us / kCores) / 1e6;
  return Row{"timed_efficiency",
             {{"timed_efficiency", bound / took},
              {"over_one_at_a_time", batches * (all_us / 1e6) / took},
              {"requests_per_s", count / took},
              {"bound_per_s", count / bound}}};
}

// ---- Overload ----

constexpr int kOverloadRowUs = 500;

absl::StatusOr<std::unique_ptr<SchedulerRig>> StartOverloadRig() {
  std::map<int, int> cost;
  for (const int rows : {1, 2, 4, 8}) {
    cost[rows] = 1000 + rows * kOverloadRowUs;
  }
  return SchedulerRig::Start({.models = {{.name = "m", .cost_us = cost}}});
}

double PeakPerSecond(SchedulerRig& rig, const SchedulerRig::Target& target) {
  constexpr int kCount = 3000;
  const Sender send = Asker(rig, target, milliseconds(0));
  RunClosedLoop(send, 64, kCount / 4);
  return kCount / RunClosedLoop(send, 64, kCount);
}

// Refused: it was told so before it could run. A deadline that passed in the queue is none.
bool IsRefusal(const Sample& sample) {
  return sample.code == absl::StatusCode::kUnavailable ||
         sample.code == absl::StatusCode::kResourceExhausted;
}

absl::StatusOr<Row> Overload() {
  ASSIGN_OR_RETURN(std::unique_ptr<SchedulerRig> rig, StartOverloadRig());
  const SchedulerRig::Target target = rig->Single("m");
  const double peak = PeakPerSecond(*rig, target);
  const Seconds duration(10);
  std::vector<Stream> streams;
  for (const int deadline_ms : {20, 50, 200}) {
    streams.push_back({.kind = deadline_ms,
                       .per_second = peak,  // Three of them.
                       .send = Asker(*rig, target, milliseconds(deadline_ms)),
                       .seed = static_cast<uint64_t>(deadline_ms)});
  }
  const std::vector<Sample> samples = RunOpenLoop(streams, duration);
  std::vector<double> refused_ms;
  size_t in_time = 0;
  size_t expired = 0;
  for (const Sample& sample : samples) {
    in_time += sample.code == absl::StatusCode::kOk && sample.LatencyMs() <= sample.kind ? 1 : 0;
    expired += sample.code == absl::StatusCode::kDeadlineExceeded ? 1 : 0;
    if (IsRefusal(sample)) {
      refused_ms.push_back(sample.LatencyMs());
    }
  }
  const auto all = static_cast<double>(samples.size());
  return Row{"overload_3x",
             {{"goodput_of_peak", static_cast<double>(in_time) / duration.count() / peak},
              {"peak_per_s", peak},
              {"offered_per_s", all / duration.count()},
              {"refused_share", static_cast<double>(refused_ms.size()) / all},
              {"expired_share", static_cast<double>(expired) / all},
              {"refusal_p99_ms", Quantile(refused_ms, 0.99)}}};
}

// ---- A retry storm ----

constexpr int kRetries = 5;
constexpr milliseconds kStormDeadline{50};

// Asks again at once, as badly made clients do, until it is answered or has tried kRetries times.
void AskStubbornly(SchedulerRig& rig, const SchedulerRig::Target& target, int tries_left,
                   const std::function<void(const absl::Status&)>& done) {
  rig.Ask(target, In(kStormDeadline),
          [&rig, &target, tries_left, done](const absl::Status& status) {
            if (status.ok() || tries_left == 0) {
              done(status);
            } else {
              AskStubbornly(rig, target, tries_left - 1, done);
            }
          });
}

absl::StatusOr<Row> RetryStorm(double storm_seconds) {
  ASSIGN_OR_RETURN(std::unique_ptr<SchedulerRig> rig, StartOverloadRig());
  const SchedulerRig::Target target = rig->Single("m");
  const double peak = PeakPerSecond(*rig, target);
  const Sender stubborn = [&](std::function<void(const absl::Status&)> done) {
    AskStubbornly(*rig, target, kRetries, done);
  };
  const std::vector<Sample> storm =
      RunOpenLoop({{.per_second = 3 * peak, .send = stubborn}}, Seconds(storm_seconds));
  const double usual = 0.9 * peak;
  const Instant start = SteadyClock().Now();
  const std::vector<Sample> after =
      RunOpenLoop({{.per_second = usual, .send = stubborn, .seed = 2}}, Seconds(12));
  // The first half second from which on 90 % of what is usual is answered.
  constexpr double kWindow = 0.5;
  std::vector<int> good(24, 0);
  for (const Sample& sample : after) {
    const double at = Seconds(sample.end - start).count() / kWindow;
    if (sample.code == absl::StatusCode::kOk && at < static_cast<double>(good.size())) {
      ++good[static_cast<size_t>(at)];
    }
  }
  const auto back = std::find_if(good.begin(), good.end(),
                                 [&](int answered) { return answered >= 0.9 * usual * kWindow; });
  const auto answered = std::count_if(storm.begin(), storm.end(), [](const Sample& sample) {
    return sample.code == absl::StatusCode::kOk;
  });
  return Row{"retry_storm",
             {{"back_after_s", static_cast<double>(back - good.begin()) * kWindow},
              {"storm_goodput_of_peak", static_cast<double>(answered) / storm_seconds / peak},
              {"storm_s", storm_seconds}}};
}

// ---- Text beside images ----

absl::StatusOr<Row> TextBesideImages() {
  const std::map<int, int> text_cost = {{1, 1000}, {2, 1200}, {4, 1600}, {8, 2400}};
  const std::map<int, int> vision_cost = {{1, 8000}, {2, 12000}, {4, 20000}, {8, 36000}};
  ASSIGN_OR_RETURN(
      std::unique_ptr<SchedulerRig> rig,
      SchedulerRig::Start(
          {.models = {{.name = "vision", .cost_us = vision_cost},
                      {.name = "text", .cost_us = text_cost},
                      {.name = "fusion", .inputs = {"a", "b"}, .cost_us = text_cost}}}));
  const SchedulerRig::Target text = rig->Single("text");
  ASSIGN_OR_RETURN(const SchedulerRig::Target both, rig->VisionText("vision", "text", "fusion"));
  constexpr double kTextPerSecond = 400;
  std::vector<double> alone_p99;
  std::vector<double> beside_p99;
  std::vector<double> ratios;
  for (uint64_t round = 1; round <= 5; ++round) {
    const Stream texts{
        .per_second = kTextPerSecond, .send = Asker(*rig, text, milliseconds(0)), .seed = round};
    const Stream images{.kind = 1,
                        .per_second = kTextPerSecond / 10,
                        .send = Asker(*rig, both, milliseconds(0)),
                        .seed = round + 100};
    const auto p99 = [](const std::vector<Sample>& samples) {
      std::vector<double> latencies;
      for (const Sample& sample : samples) {
        if (sample.kind == 0) {
          latencies.push_back(sample.LatencyMs());
        }
      }
      return Quantile(latencies, 0.99);
    };
    alone_p99.push_back(p99(RunOpenLoop({texts}, Seconds(4))));
    beside_p99.push_back(p99(RunOpenLoop({texts, images}, Seconds(4))));
    ratios.push_back(beside_p99.back() / alone_p99.back());
  }
  return Row{"text_beside_images",
             {{"p99_ratio", Median(ratios)},
              {"alone_p99_ms", Median(alone_p99)},
              {"beside_p99_ms", Median(beside_p99)}}};
}

// ---- Waiting for company ----

// Clients that each send their next request when they have their answer, and did not begin
// together. Requests per second.
double RunApart(const Sender& send, int clients, int each) {
  constexpr std::chrono::microseconds kApart{1300};
  const Instant start = SteadyClock().Now();
  {
    Mutex mu;
    CondVar nobody_notifies;
    std::vector<std::jthread> threads;
    for (int client = 0; client < clients; ++client) {
      threads.emplace_back([&send, each] { RunClosedLoop(send, 1, each); });
      const MutexLock lock(mu);
      while (SteadyClock().WaitUntil(nobody_notifies, mu, start + (client + 1) * kApart)) {
      }
    }
  }
  return clients * each / Seconds(SteadyClock().Now() - start).count();
}

// The same model twice on one device: one waits as long as it pays, the other leaves at once. Eight
// rows take hardly longer than one, where waiting has most to win and to lose.
absl::StatusOr<Row> DerivedDelays() {
  const std::map<int, int> cost = {{1, 4000}, {2, 4200}, {4, 4600}, {8, 5400}};
  const double peak = 8 / 5400e-6;
  ASSIGN_OR_RETURN(
      std::unique_ptr<SchedulerRig> rig,
      SchedulerRig::Start(
          {.models = {{.name = "waits", .cost_us = cost},
                      {.name = "leaves", .cost_us = cost, .policy = {.derives_delay = false}}},
           .engine = {.warm_up_runs = 3}}));
  const SchedulerRig::Target waits = rig->Single("waits");
  const SchedulerRig::Target leaves = rig->Single("leaves");
  Row row{"derived_delay", {}};
  for (const int concurrency : {1, 2, 4, 8, 16, 32}) {
    const auto per_second = [&](const SchedulerRig::Target& target) {
      return RunApart(Asker(*rig, target, milliseconds(0)), concurrency, /*each=*/100);
    };
    std::vector<double> ratios;
    for (int round = 0; round < 5; ++round) {
      const double before = per_second(leaves);
      ratios.push_back(per_second(waits) / before);
    }
    row.figures.emplace_back(fmt::format("throughput_ratio_c{}", concurrency), Median(ratios));
  }
  for (const int load_percent : {10, 30, 60, 90}) {
    std::vector<double> means;
    std::vector<double> p99s;
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      // Side by side and at the same times, so that whatever the machine does happens to both.
      const auto stream = [&](int kind, const SchedulerRig::Target& target) {
        return Stream{.kind = kind,
                      .per_second = peak * load_percent / 100,
                      .send = Asker(*rig, target, milliseconds(0)),
                      .seed = seed};
      };
      std::array<std::vector<double>, 2> latencies;
      for (const Sample& sample : RunOpenLoop({stream(0, leaves), stream(1, waits)}, Seconds(3))) {
        latencies.at(static_cast<size_t>(sample.kind)).push_back(sample.LatencyMs());
      }
      const auto mean = [](const std::vector<double>& all) {
        return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
      };
      means.push_back(mean(latencies[1]) / mean(latencies[0]));
      p99s.push_back(Quantile(latencies[1], 0.99) / Quantile(latencies[0], 0.99));
    }
    row.figures.emplace_back(fmt::format("mean_ratio_load_{}", load_percent), Median(means));
    row.figures.emplace_back(fmt::format("p99_ratio_load_{}", load_percent), Median(p99s));
  }
  return row;
}

int Main(int argc, char** argv) {
  CLI::App app{"The scheduler against what the device time allows."};
  std::string only;
  double storm_seconds = 60;
  std::string format;
  app.add_option("--only", only, "Run the benchmarks whose name contains this.");
  app.add_option("--storm-seconds", storm_seconds, "How long the retry storm lasts.");
  app.add_option("--benchmark_format", format, "Taken as it comes: the output is always JSON.");
  CLI11_PARSE(app, argc, argv);
  const std::vector<std::pair<std::string, std::function<absl::StatusOr<Row>()>>> all = {
      {"timed_efficiency", TimedEfficiency},
      {"overload_3x", Overload},
      {"retry_storm", [=] { return RetryStorm(storm_seconds); }},
      {"text_beside_images", TextBesideImages},
      {"derived_delay", DerivedDelays}};
  std::vector<Row> rows;
  for (const auto& [name, run] : all) {
    if (name.find(only) == std::string::npos) {
      continue;
    }
    fmt::print(stderr, "running {}\n", name);
    const absl::StatusOr<Row> row = run();
    if (!row.ok()) {
      fmt::print(stderr, "{}: {}\n", name, row.status().ToString());
      return 1;
    }
    rows.push_back(*row);
  }
  fmt::print("{}\n", ToJson(rows, fmt::format("{} devices of {} cores", kDevices, kCores)));
  return 0;
}

}  // namespace
}  // namespace omserve::bench

int main(int argc, char** argv) { return omserve::bench::Main(argc, argv); }
