// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <utility>

#include "tools/client/table.h"

namespace omserve::bench {
namespace {

namespace json = boost::json;
using Row = std::vector<std::string>;

double Us(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

// Milliseconds with the digits that mean something: 0.0853, 1.27, 103.
std::string Ms(double us) {
  const double ms = us / 1e3;
  return ms < 1     ? fmt::format("{:.4f}", ms)
         : ms < 10  ? fmt::format("{:.3f}", ms)
         : ms < 100 ? fmt::format("{:.2f}", ms)
                    : fmt::format("{:.1f}", ms);
}

std::string Rate(double per_second) {
  return per_second < 100 ? fmt::format("{:.1f}", per_second) : fmt::format("{:.0f}", per_second);
}

struct NamedStage {
  const char* name;
  uint64_t ServerStages::*ns;
};
constexpr std::array<NamedStage, 5> kStages = {{{"queue", &ServerStages::queue_ns},
                                                {"input", &ServerStages::input_ns},
                                                {"compute", &ServerStages::compute_ns},
                                                {"output", &ServerStages::output_ns},
                                                {"overhead", &ServerStages::overhead_ns}}};

// A request's mean of a sum over requests, microseconds.
double MeanUs(const ServerStages& server, uint64_t ns) {
  return server.requests == 0
             ? 0
             : static_cast<double>(ns) / static_cast<double>(server.requests) / 1e3;
}

double BusyShare(const Window& window) {
  return window.length > Clock::duration::zero() ? Us(window.busiest_thread) / Us(window.length)
                                                 : 0;
}

double CpuPerRequestUs(const Window& window) {
  const uint64_t ended = window.ok() + window.failed();
  return ended == 0 ? 0 : Us(window.client_cpu) / static_cast<double>(ended);
}

// The two ways to measure differ where requests were sent late.
bool Differ(const Window& window) {
  const double service = Us(window.service.Percentile(99));
  return Us(window.corrected.Percentile(99)) > service * 1.01 + 1;
}

void AddLatencies(const Histogram& histogram, Row& row) {
  row.push_back(Ms(Us(histogram.mean())));
  for (const double percent : kPercentiles) {
    row.push_back(Ms(Us(histogram.Percentile(percent))));
  }
  row.push_back(Ms(Us(histogram.max())));
}

std::string LatencyTable(const Subject& subject, std::span<const PointResult> results) {
  const bool has_deadline = subject.deadline > Clock::duration::zero();
  const bool open = results.front().load.open();
  std::vector<Row> table = {{open ? "RATE" : "CONCURRENCY", "REQ/S"}};
  if (has_deadline) {
    table[0].push_back("GOOD/S");
  }
  for (const char* title : {"FAILED", "MEAN MS", "P50", "P90", "P99", "P99.9", "MAX"}) {
    table[0].push_back(title);
  }
  for (const PointResult& result : results) {
    const Window& window = result.measured;
    Row row = {LoadName(result.load), Rate(window.PerSecond(window.ok()))};
    if (has_deadline) {
      row.push_back(Rate(window.PerSecond(window.good)));
    }
    row.push_back(std::to_string(window.failed()));
    AddLatencies(window.corrected, row);
    table.push_back(std::move(row));
    if (open && Differ(window)) {
      Row uncorrected = {"  from sending", "-"};
      uncorrected.resize(has_deadline ? 4 : 3, "-");
      AddLatencies(window.service, uncorrected);
      table.push_back(std::move(uncorrected));
    }
  }
  return client::FormatTable(table);
}

std::string StageTable(std::span<const PointResult> results) {
  std::vector<Row> table = {{results.front().load.open() ? "RATE" : "CONCURRENCY", "CLIENT MS",
                             "= NETWORK+CLIENT", "+ SERVER", "= QUEUE", "+ INPUT", "+ COMPUTE",
                             "+ OUTPUT", "+ OVERHEAD", "ROWS/BATCH"}};
  for (const PointResult& result : results) {
    const Window& window = result.measured;
    const ServerStages& server = window.server;
    const double client_us = Us(window.service.mean());
    const double server_us = MeanUs(server, server.total_ns);
    Row row = {LoadName(result.load), Ms(client_us), Ms(std::max(0.0, client_us - server_us)),
               Ms(server_us)};
    for (const NamedStage& stage : kStages) {
      row.push_back(Ms(MeanUs(server, server.*stage.ns)));
    }
    row.push_back(server.executions == 0
                      ? "-"
                      : fmt::format("{:.2f}", static_cast<double>(server.rows) /
                                                  static_cast<double>(server.executions)));
    table.push_back(std::move(row));
  }
  return client::FormatTable(table);
}

json::object LatencyJson(const Histogram& histogram) {
  json::object object{{"count", histogram.count()}, {"mean", Us(histogram.mean())}};
  for (const double percent : kPercentiles) {
    object[fmt::format("p{}", percent)] = Us(histogram.Percentile(percent));
  }
  object["max"] = Us(histogram.max());
  return object;
}

json::object ServerJson(const ServerStages& server) {
  json::object object{{"requests", server.requests}, {"total", MeanUs(server, server.total_ns)}};
  for (const NamedStage& stage : kStages) {
    object[stage.name] = MeanUs(server, server.*stage.ns);
  }
  object["stage_sum_error"] = server.Error();
  object["stage_sum_ok"] = std::abs(server.Error()) <= kStageTolerance;
  object["rows"] = server.rows;
  object["executions"] = server.executions;
  return object;
}

json::object WindowJson(const Window& window) {
  json::object failures;
  for (const auto& [code, failure] : window.failures) {
    failures[absl::StatusCodeToString(code)] =
        json::object{{"count", failure.count}, {"first", failure.first_message}};
  }
  const double server_us = MeanUs(window.server, window.server.total_ns);
  return {{"seconds", std::chrono::duration<double>(window.length).count()},
          {"ok", window.ok()},
          {"failed", window.failed()},
          {"good", window.good},
          {"ok_per_second", window.PerSecond(window.ok())},
          {"good_per_second", window.PerSecond(window.good)},
          {"latency_us", LatencyJson(window.corrected)},
          {"latency_from_sending_us", LatencyJson(window.service)},
          {"sent_late_us", LatencyJson(window.late)},
          {"failures", std::move(failures)},
          {"server_us", ServerJson(window.server)},
          {"network_and_client_us", std::max(0.0, Us(window.service.mean()) - server_us)},
          {"client_cpu_us_per_request", CpuPerRequestUs(window)},
          {"client_busiest_thread", BusyShare(window)}};
}

json::object LoadJson(const LoadPoint& load) {
  if (!load.open()) {
    return {{"concurrency", load.concurrency}};
  }
  return {{"rate", load.rate},
          {"arrivals", load.arrivals == Arrivals::kPoisson ? "poisson" : "constant"},
          {"seed", load.seed},
          {"max_in_flight", load.max_in_flight}};
}

std::string FailureLines(std::span<const PointResult> results) {
  std::string lines;
  for (const PointResult& result : results) {
    for (const auto& [code, failure] : result.measured.failures) {
      lines += fmt::format("{}: {} x {}: {}\n", LoadName(result.load), failure.count,
                           absl::StatusCodeToString(code), failure.first_message);
    }
  }
  return lines.empty() ? "" : "\n" + lines;
}

// The loads whose last percentile is little more than their largest values.
std::string FewSamples(std::span<const PointResult> results) {
  constexpr uint64_t kFewest = 10;
  std::string loads;
  for (const PointResult& result : results) {
    if (result.measured.ok() < kFewest * 1000) {
      loads += (loads.empty() ? "" : ", ") + LoadName(result.load);
    }
  }
  return loads.empty() ? ""
                       : fmt::format("note: P99.9 rests on fewer than {} samples beyond it at {}\n",
                                     kFewest, loads);
}

std::string StageVerdict(std::span<const PointResult> results) {
  double worst = 0;
  uint64_t requests = 0;
  for (const PointResult& result : results) {
    requests += result.measured.server.requests;
    const double error = result.measured.server.Error();
    worst = std::abs(error) > std::abs(worst) ? error : worst;
  }
  if (requests == 0) {
    return "The server does not split its time into stages.\n";
  }
  return fmt::format(
      "The server's stages sum to {:.2f} % of its time{} over {} requests: {} (within 1 %).\n",
      100 * (1 + worst), results.size() > 1 ? " at worst," : "", requests,
      std::abs(worst) <= kStageTolerance ? "ok" : "NOT OK");
}

std::string ClientLine(std::span<const PointResult> results) {
  const auto busiest = std::ranges::max_element(
      results, {}, [](const PointResult& result) { return BusyShare(result.measured); });
  const Window& window = busiest->measured;
  return fmt::format(
      "The client took {:.1f} us of CPU a request at {}; its busiest thread was busy for {:.0f} % "
      "of the time.\n",
      CpuPerRequestUs(window), LoadName(busiest->load), 100 * BusyShare(window));
}

}  // namespace

std::string LoadName(const LoadPoint& load) {
  return load.open() ? fmt::format("{}/s", load.rate) : std::to_string(load.concurrency);
}

std::vector<std::string> Doubts(const Subject& subject, const PointResult& result) {
  constexpr double kBusy = 0.9;
  std::vector<std::string> doubts;
  const Window& window = result.measured;
  if (BusyShare(window) >= kBusy) {
    doubts.push_back(fmt::format(
        "the client is the bottleneck: a thread of it is busy for {:.0f} % of the time; "
        "give it --threads {}, or a processor of its own",
        100 * BusyShare(window), 2 * subject.client_threads));
  }
  const Clock::duration late = window.late.Percentile(99);
  if (result.load.open() && late > std::chrono::milliseconds(1) &&
      late > window.service.Percentile(50) / 2) {
    doubts.push_back(fmt::format(
        "1 % of the requests were sent {} ms late or later, because the client was slow or {} were "
        "in flight; the corrected latency has that, the uncorrected has not",
        Ms(Us(late)), result.load.max_in_flight));
  }
  if (!result.stable) {
    doubts.push_back(fmt::format("the last {} windows do not agree within 10 %: {}", kStableWindows,
                                 result.windows.size() < kStableWindows
                                     ? "there are not so many"
                                     : "measure for longer, or look for what disturbs"));
  }
  if (std::abs(window.server.Error()) > kStageTolerance) {
    doubts.push_back(
        fmt::format("the server's stages are {:+.2f} % off its time", 100 * window.server.Error()));
  }
  return doubts;
}

std::string ToTable(const Subject& subject, std::span<const PointResult> results) {
  std::string text = fmt::format(
      "{}{} on {} over {}, {} row{} a request, {}\n\n", subject.model,
      subject.version.empty() ? "" : " version " + subject.version, subject.server,
      subject.protocol, subject.batch, subject.batch == 1 ? "" : "s",
      results.front().load.open()
          ? fmt::format(
                "open loop, {} arrivals",
                results.front().load.arrivals == Arrivals::kPoisson ? "Poisson" : "constant")
          : "closed loop");
  text += LatencyTable(subject, results);
  if (results.front().load.open()) {
    text += "Latency counts from when a request was due, not from when it could be sent.\n";
  }
  text += "\n" + StageTable(results) + StageVerdict(results) + ClientLine(results);
  text += FailureLines(results);
  std::string doubts;
  for (const PointResult& result : results) {
    for (const std::string& doubt : Doubts(subject, result)) {
      doubts += fmt::format("note: {}: {}\n", LoadName(result.load), doubt);
    }
    if (result.unanswered > 0 && result.load.open() &&
        result.unanswered >= result.load.max_in_flight) {
      doubts += fmt::format("note: {}: {} requests were still unanswered at the end\n",
                            LoadName(result.load), result.unanswered);
    }
  }
  doubts += FewSamples(results);
  return doubts.empty() ? text : text + "\n" + doubts;
}

std::string ToJson(const Subject& subject, std::span<const PointResult> results) {
  json::array points;
  for (const PointResult& result : results) {
    json::object point{{"load", LoadJson(result.load)},
                       {"stable", result.stable},
                       {"unanswered", result.unanswered},
                       {"measured", WindowJson(result.measured)}};
    json::array windows;
    for (const Window& window : result.windows) {
      windows.push_back(WindowJson(window));
    }
    point["windows"] = std::move(windows);
    json::array doubts;
    for (const std::string& doubt : Doubts(subject, result)) {
      doubts.emplace_back(doubt);
    }
    point["doubts"] = std::move(doubts);
    points.push_back(std::move(point));
  }
  return json::serialize(json::object{{"subject",
                                       {{"model", subject.model},
                                        {"version", subject.version},
                                        {"server", subject.server},
                                        {"protocol", subject.protocol},
                                        {"batch", subject.batch},
                                        {"deadline_us", Us(subject.deadline)},
                                        {"client_threads", subject.client_threads},
                                        {"processors", subject.processors}}},
                                      {"points", std::move(points)}});
}

std::string ToCsv(std::span<const PointResult> results) {
  std::string text =
      "concurrency,rate,ok_per_second,good_per_second,ok,failed,mean_us,p50_us,p90_us,p99_us,"
      "p99.9_us,max_us,from_sending_p50_us,from_sending_p99_us,server_us,queue_us,input_us,"
      "compute_us,output_us,overhead_us,client_cpu_us_per_request\n";
  for (const PointResult& result : results) {
    const Window& window = result.measured;
    text += fmt::format("{},{},{:.2f},{:.2f},{},{}", result.load.concurrency, result.load.rate,
                        window.PerSecond(window.ok()), window.PerSecond(window.good), window.ok(),
                        window.failed());
    text += fmt::format(",{:.2f}", Us(window.corrected.mean()));
    for (const double percent : kPercentiles) {
      text += fmt::format(",{:.2f}", Us(window.corrected.Percentile(percent)));
    }
    text += fmt::format(",{:.2f},{:.2f},{:.2f},{:.2f}", Us(window.corrected.max()),
                        Us(window.service.Percentile(50)), Us(window.service.Percentile(99)),
                        MeanUs(window.server, window.server.total_ns));
    for (const NamedStage& stage : kStages) {
      text += fmt::format(",{:.2f}", MeanUs(window.server, window.server.*stage.ns));
    }
    text += fmt::format(",{:.2f}\n", CpuPerRequestUs(window));
  }
  return text;
}

}  // namespace omserve::bench
