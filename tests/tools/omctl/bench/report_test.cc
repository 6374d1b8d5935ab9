// SPDX-License-Identifier: Apache-2.0
// Tables, JSON, CSV and the picture of results that are written out.
#include "tools/omctl/bench/report.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/status_test_util.h"
#include "tools/omctl/bench/axis.h"
#include "tools/omctl/bench/plot.h"

namespace omserve::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations as people write them.
using Catch::Matchers::Contains;

constexpr Clock::time_point kStart{1h};

const Subject kSubject{.model = "m<&>\"", .server = "omserve 1.0", .protocol = "gRPC"};

// `requests` answers after `latency`, each sent `late` after it was due.
PointResult Point(LoadPoint load, int requests, Clock::duration latency,
                  Clock::duration late = 0s) {
  Window window{.length = 1s};
  for (int i = 0; i < requests; ++i) {
    window.Record({.intended = kStart, .sent = kStart + late, .done = kStart + late + latency}, 0s);
  }
  const auto count = static_cast<uint64_t>(requests);
  window.server = {.requests = count,
                   .total_ns = count * 900'000,
                   .queue_ns = count * 200'000,
                   .input_ns = count * 50'000,
                   .compute_ns = count * 500'000,
                   .output_ns = count * 50'000,
                   .overhead_ns = count * 100'000,
                   .rows = 4 * count,
                   .executions = count};
  return {.load = load, .windows = {window, window, window}, .measured = window, .stable = true};
}

// A well-formed document: tags that nest, attributes in quotes, nothing outside the root.
void CheckWellFormed(const std::string& xml) {
  std::vector<std::string> open;
  size_t at = 0;
  bool seen_root = false;
  while (at < xml.size()) {
    const size_t tag = xml.find('<', at);
    const std::string text = xml.substr(at, tag - at);
    CHECK(text.find('>') == std::string::npos);
    for (size_t amp = text.find('&'); amp != std::string::npos; amp = text.find('&', amp + 1)) {
      CHECK(text.find(';', amp) != std::string::npos);
    }
    if (tag == std::string::npos) {
      break;
    }
    REQUIRE((!seen_root || !open.empty()));
    const size_t end = xml.find('>', tag);
    REQUIRE(end != std::string::npos);
    const std::string inside = xml.substr(tag + 1, end - tag - 1);
    CHECK(std::count(inside.begin(), inside.end(), '"') % 2 == 0);
    CHECK(inside.find("nan") == std::string::npos);
    CHECK(inside.find("inf") == std::string::npos);
    if (inside.starts_with('/')) {
      REQUIRE(!open.empty());
      CHECK(open.back() == inside.substr(1));
      open.pop_back();
    } else if (!inside.ends_with('/')) {
      open.push_back(inside.substr(0, inside.find(' ')));
      seen_root = true;
    }
    at = end + 1;
  }
  CHECK(open.empty());
  CHECK(seen_root);
}

// A closed loop: a line a load, the split of the time beside it, and the verdict on the stages.
TEST_CASE("ToTable: a closed loop") {
  const std::vector<PointResult> results = {Point({.concurrency = 1}, 10'000, 1ms),
                                            Point({.concurrency = 2}, 20'000, 1100us)};
  const std::string table = ToTable(kSubject, results);
  CHECK_THAT(table, Contains("CONCURRENCY") && Contains("P99.9") && Contains("NETWORK+CLIENT") &&
                        Contains("20000") && Contains("closed loop"));
  CHECK_THAT(table, Contains("sum to 100.00 % of its time at worst, over 30000 requests: ok"));
  CHECK_THAT(table, !Contains("note:") && !Contains("from sending"));
}

// An open loop whose requests were sent late: both latencies, and why.
TEST_CASE("ToTable: late requests") {
  PointResult point = Point({.rate = 500}, 500, 2ms, 30ms);
  point.measured.failures[absl::StatusCode::kUnavailable] = {3, "Exceeds maximum queue size"};
  point.stable = false;
  const std::string table = ToTable(kSubject, std::vector<PointResult>{point});
  CHECK_THAT(table, Contains("500/s") && Contains("from sending") && Contains("32.0") &&
                        Contains("were sent 30.0") && Contains("do not agree") &&
                        Contains("P99.9 rests on fewer than 10 samples beyond it at 500/s") &&
                        Contains("500/s: 3 x UNAVAILABLE: Exceeds maximum queue size"));
}

// Stages that do not sum, and a client that is too slow, are told.
TEST_CASE("Doubts") {
  PointResult point = Point({.concurrency = 1}, 20'000, 1ms);
  CHECK(Doubts(kSubject, point).empty());
  point.measured.server.queue_ns /= 2;
  point.measured.busiest_thread = 950ms;
  const std::vector<std::string> doubts = Doubts(kSubject, point);
  REQUIRE(doubts.size() == 2);
  CHECK_THAT(doubts[0], Contains("the client is the bottleneck") && Contains("95 %"));
  CHECK_THAT(doubts[1], Contains("-11.11 % off"));
  CHECK_THAT(ToTable(kSubject, std::vector<PointResult>{point}), Contains("NOT OK"));
}

// For programs: every figure under a name.
TEST_CASE("ToJson and ToCsv") {
  const std::vector<PointResult> results = {Point({.rate = 100}, 100, 1ms, 1ms)};
  boost::system::error_code error;
  const boost::json::value json = boost::json::parse(ToJson(kSubject, results), error);
  REQUIRE_FALSE(error);
  CHECK(json.at("subject").at("model").as_string() == "m<&>\"");
  const boost::json::value& measured = json.at("points").at(0).at("measured");
  CHECK(measured.at("ok") == 100);
  CHECK(measured.at("latency_us").at("p50").as_double() == Approx(2000).epsilon(0.002));
  CHECK(measured.at("latency_from_sending_us").at("p99.9").as_double() ==
        Approx(1000).epsilon(0.002));
  CHECK(measured.at("server_us").at("compute").as_double() == Approx(500));
  CHECK(measured.at("server_us").at("stage_sum_ok") == true);
  CHECK(measured.at("network_and_client_us").as_double() == Approx(100));
  CHECK(json.at("points").at(0).at("windows").as_array().size() == 3);
  const std::string csv = ToCsv(results);
  const size_t heading = csv.find('\n');
  REQUIRE(heading != std::string::npos);
  CHECK(std::count(csv.begin(), csv.begin() + static_cast<std::ptrdiff_t>(heading), ',') ==
        std::count(csv.begin() + static_cast<std::ptrdiff_t>(heading), csv.end(), ','));
}

// The picture is XML, whatever the results are: many loads, one, none that succeeded.
TEST_CASE("ToSvg is well-formed") {
  std::vector<PointResult> sweep;
  for (int i = 0; i < 12; ++i) {
    sweep.push_back(Point({.concurrency = 1 << i}, 1000 + i, (100 + 50 * (1 << i)) * 1us));
  }
  CheckWellFormed(ToSvg(kSubject, sweep));
  CHECK_THAT(ToSvg(kSubject, sweep),
             Contains("m&lt;&amp;&gt;&quot;") && Contains("p99.9") && Contains("network + client"));
  Subject with_deadline = kSubject;
  with_deadline.deadline = 5ms;
  CheckWellFormed(ToSvg(with_deadline, std::vector<PointResult>{Point({.rate = 1e5}, 10, 1s)}));
  CheckWellFormed(ToSvg(kSubject, std::vector<PointResult>{{.load = {.concurrency = 1}}}));
}

// Marks of an axis are round, ascend, hold all values, and are few.
TEST_CASE("Axis: marks") {
  const Axis linear = Axis::Linear(43, 100);
  CHECK(linear.marks() == std::vector<double>{0, 10, 20, 30, 40, 50});
  CHECK(linear.At(0) == 0);
  CHECK(linear.At(25) == Approx(50));
  CHECK(linear.At(1000) == 100);
  const Axis log = Axis::Log(0.3, 40, 100);
  CHECK(log.marks() == std::vector<double>{0.2, 0.5, 1, 2, 5, 10, 20, 50});
  CHECK(log.At(0.2) == 0);
  CHECK(log.At(50) == Approx(100));
  for (const double most : {1e-3, 0.7, 9.99, 12345.0, 9.9e8}) {
    for (const Axis& axis : {Axis::Linear(most, 100), Axis::Log(most / 3e4, most, 100)}) {
      CAPTURE(most);
      CHECK(axis.high() >= most * 0.999);
      CHECK(axis.marks().size() <= 8);
      CHECK(axis.marks().size() >= 2);
      CHECK(std::is_sorted(axis.marks().begin(), axis.marks().end()));
    }
  }
  CHECK(MarkText(0.05) == "0.05");
  CHECK(MarkText(12000) == "12k");
  CHECK(MarkText(1.5e6) == "1.5M");
}

}  // namespace
}  // namespace omserve::bench
