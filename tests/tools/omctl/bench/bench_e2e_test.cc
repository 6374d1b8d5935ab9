// SPDX-License-Identifier: Apache-2.0
// The real omctl against the real omserved, whose model takes 2 ms on one lane: what the benchmark
// says of it can be held against arithmetic. Only bounds that no slow machine can break are
// checked.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/tools/omctl/omctl_run.h"

namespace omserve::bench {
namespace {

using Catch::Matchers::Contains;
using testing::CheckFails;
using testing::Outcome;
using testing::RunOmctl;

constexpr double kCostUs = 2000;
constexpr double kMostPerSecond = 1e6 / kCostUs;

// A daemon with the model `text` of one gear, one row.
class TimedDaemon final {
 public:
  TimedDaemon() {
    repository_.AddModel("text", "text", "", "1");
    settings_.Write("acl.json",
                    R"({"hostacl": {"engine": "timed", "timed": {"default_cost_us": 2000}}})");
    settings_.Write("omserve.yaml", "device:\n  config_file: " + settings_.path() + "/acl.json\n");
    daemon_ = std::make_unique<server::ChildDaemon>(
        repository_, std::vector<std::string>{"--config", settings_.path() + "/omserve.yaml"});
  }

  Outcome Run(const std::string& arguments) const {
    return RunOmctl("bench --url 127.0.0.1:" + std::to_string(daemon_->grpc_port()) +
                    " --rest-url 127.0.0.1:" + std::to_string(daemon_->http_port()) + " " +
                    arguments);
  }
  boost::json::value RunForJson(const std::string& arguments) const {
    const Outcome outcome = Run("text --json --quiet " + arguments);
    INFO(outcome.err);
    REQUIRE(outcome.exit_code == 0);
    CHECK(outcome.err.empty());
    boost::system::error_code error;
    boost::json::value value = boost::json::parse(outcome.out, error);
    REQUIRE_FALSE(error);
    return value;
  }

 private:
  server::Repository repository_;
  server::Repository settings_;  // A folder that goes with the test.
  std::unique_ptr<server::ChildDaemon> daemon_;
};

double Number(const boost::json::value& value) { return value.to_number<double>(); }

// What holds of every run on one lane that takes 2 ms for a request.
void CheckArithmetic(const boost::json::value& measured) {
  INFO(boost::json::serialize(measured));
  CHECK(Number(measured.at("ok")) > 0);
  CHECK(Number(measured.at("failed")) == 0);
  // A request that ends in a window may have run before it, on either of the lane's two slots.
  CHECK(Number(measured.at("ok")) <= kMostPerSecond * Number(measured.at("seconds")) + 3);
  const boost::json::value& latency = measured.at("latency_us");
  CHECK(Number(latency.at("p50")) >= kCostUs);
  CHECK(Number(latency.at("p90")) >= Number(latency.at("p50")));
  CHECK(Number(latency.at("p99")) >= Number(latency.at("p90")));
  CHECK(Number(latency.at("p99.9")) >= Number(latency.at("p99")));
  CHECK(Number(latency.at("max")) >= Number(latency.at("p99.9")));
  const boost::json::value& server = measured.at("server_us");
  CHECK(Number(server.at("requests")) > 0);
  CHECK(Number(server.at("compute")) >= kCostUs - 1);
  CHECK(server.at("stage_sum_ok") == true);
  CHECK(std::abs(Number(server.at("stage_sum_error"))) <= 0.01);
}

// A closed loop, over each protocol: the cost is in every latency, and more requests in flight only
// make a longer queue.
TEST_CASE("omctl bench: a closed loop", "[protocol]") {
  const TimedDaemon daemon;
  for (const char* protocol : {"grpc", "rest", "rest-json"}) {
    CAPTURE(protocol);
    const boost::json::value json = daemon.RunForJson(
        "--concurrency 1,4 --warmup 100ms --duration 400ms --protocol " + std::string(protocol));
    REQUIRE(json.at("points").as_array().size() == 2);
    const boost::json::value& one = json.at("points").at(0).at("measured");
    const boost::json::value& four = json.at("points").at(1).at("measured");
    CheckArithmetic(one);
    CheckArithmetic(four);
    CHECK(Number(four.at("server_us").at("queue")) > Number(one.at("server_us").at("queue")));
    CHECK(Number(four.at("latency_us").at("mean")) > kCostUs);
  }
}

// Twice as many requests as the server can do: it does what it can, and the latency from when
// requests were due grows from window to window, while the latency from sending is bounded by the
// number in flight.
TEST_CASE("omctl bench: an open loop beyond the capacity", "[protocol]") {
  const TimedDaemon daemon;
  for (const char* protocol : {"grpc", "rest"}) {
    CAPTURE(protocol);
    const boost::json::value json = daemon.RunForJson(
        "--rate 1000 --arrivals constant --max-in-flight 32 --warmup 0 --window 400ms "
        "--duration 1200ms --protocol " +
        std::string(protocol));
    const boost::json::value& point = json.at("points").at(0);
    CheckArithmetic(point.at("measured"));
    const boost::json::array& windows = point.at("windows").as_array();
    REQUIRE(windows.size() == 3);
    double last = 0;
    for (const boost::json::value& window : windows) {
      const double p50 = Number(window.at("latency_us").at("p50"));
      CHECK(p50 > last);
      CHECK(p50 >= Number(window.at("latency_from_sending_us").at("p50")));
      last = p50;
    }
    const boost::json::value& measured = point.at("measured");
    CHECK(Number(measured.at("latency_us").at("p99")) >
          Number(measured.at("latency_from_sending_us").at("p99")));
    CHECK(Number(point.at("unanswered")) > 0);
  }
}

// A deadline that is far: every answer is good. One that no answer can meet: that is an error, and
// its code is told.
TEST_CASE("omctl bench: deadlines and goodput", "[protocol]") {
  const TimedDaemon daemon;
  const boost::json::value json =
      daemon.RunForJson("--concurrency 4 --deadline 30s --warmup 100ms --duration 300ms");
  const boost::json::value& measured = json.at("points").at(0).at("measured");
  INFO(boost::json::serialize(measured));
  CHECK(Number(measured.at("good")) > 0);
  CHECK(Number(measured.at("good")) == Number(measured.at("ok")));
  CheckFails(
      daemon.Run("text --quiet --concurrency 4 --deadline 1ms --warmup 50ms --duration 200ms"),
      "DEADLINE_EXCEEDED");
}

// The table for people, the files beside it, and progress on the other stream.
TEST_CASE("omctl bench: table, plot and CSV", "[protocol]") {
  const TimedDaemon daemon;
  const Outcome outcome = daemon.Run(
      "text --concurrency 1:2 --warmup 50ms --window 100ms --max-windows 3 --batch 1 --data zero "
      "--plot out.svg --csv out.csv");
  INFO(outcome.err);
  CHECK(outcome.exit_code == 0);
  CHECK_THAT(outcome.out, Contains("text on omserve") && Contains("CONCURRENCY") &&
                              Contains("NETWORK+CLIENT") && Contains(": ok (within 1 %)"));
  CHECK_THAT(outcome.err, Contains("concurrency 1 (1 of 2): window 1: ") &&
                              Contains("concurrency 2 (2 of 2): window 3: "));
  CHECK(VALUE(ReadFile("out.svg")).starts_with("<svg "));
  const std::string csv = VALUE(ReadFile("out.csv"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 3);
}

// What cannot be measured is one line that says why.
TEST_CASE("omctl bench: failures", "[protocol]") {
  const TimedDaemon daemon;
  CheckFails(daemon.Run("nobody"), "NOT_FOUND");
  CheckFails(daemon.Run("text --concurrency 0"), "INVALID_ARGUMENT");
  CheckFails(daemon.Run("text --rate 100 --arrivals often"), "INVALID_ARGUMENT");
  CheckFails(daemon.Run("text --window 5"), "INVALID_ARGUMENT");
  CheckFails(daemon.Run("text --data no_such.json"), "NOT_FOUND");
  CheckFails(daemon.Run("text --batch 3"), "INVALID_ARGUMENT");
  const Outcome refused = daemon.Run("text --quiet --output nobody --warmup 0 --window 100ms");
  CheckFails(refused, "INVALID_ARGUMENT");
  CHECK_THAT(refused.err, Contains("not one of "));
  CheckFails(RunOmctl("bench text --url 127.0.0.1:1"), "UNAVAILABLE");
  CHECK(RunOmctl("bench text --rate 1 --concurrency 1").exit_code == 2);
  CHECK(RunOmctl("bench").exit_code == 2);
  const Outcome help = RunOmctl("bench --help");
  CHECK(help.exit_code == 0);
  CHECK_THAT(help.out, Contains("Examples:") && Contains("--rate") && Contains("Closed loop"));
}

}  // namespace
}  // namespace omserve::bench
