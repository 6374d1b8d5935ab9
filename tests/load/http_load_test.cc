// SPDX-License-Identifier: Apache-2.0
// omserved under thousands of connections: no request of a healthy client fails, clients that are
// slow but move are served, half-dead ones are closed, and nothing stays behind. The server is a
// process of its own: each has a limit of open files.
//
//   http_load_test            the short form
//   http_load_test '[full]'   10,000 idle, 2,000 active, 100 slow, 150 half-dead, for 60 s
#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/base/clock.h"
#include "server/open_files.h"
#include "tests/load/http_clients.h"
#include "tests/onnx_bytes.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"
#include "tools/omc/compile.h"

namespace omserve::load {
namespace {

using server::ChildDaemon;
using server::Metric;
using testing::Message;

constexpr int64_t kWidth = 16;

void AddIdentity(const server::Repository& repository) {
  Message graph;
  graph.Sub(1, testing::Node("copy", "Identity", {"x"}, "y"))
      .Text(2, "identity")
      .Sub(11, testing::ValueInfo("x", testing::kOnnxFloat, {-1, kWidth}))
      .Sub(12, testing::ValueInfo("y", testing::kOnnxFloat, {-1, kWidth}));
  repository.Write("identity.onnx", testing::OnnxModel(graph));
  repository.Write(
      "models/identity/1/model.om",
      VALUE(omc::Compile({.model_path = repository.path() + "/identity.onnx",
                          .name = "identity",
                          .gears = {.batch_gears = "1,8,32,128"},
                          .ort_library = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1"}))
          .file);
  repository.Write("models/identity/config.yaml", "name: identity\ndynamic_batching: {}\n");
}

size_t OpenFiles(int pid) {
  size_t count = 0;
  std::error_code ignored;
  for (const auto& file :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored)) {
    static_cast<void>(file);
    ++count;
  }
  return count;
}

double ResidentMb(int pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  double all = 0;
  double resident = 0;
  statm >> all >> resident;  // In pages.
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// `http` are lines of the settings' http part.
void Test(Plan plan, const std::string& http) {
  const server::Repository repository;
  AddIdentity(repository);
  repository.Write("omserve.yaml", "model_repository: [" + repository.path() + "/models]\n" +
                                       "scheduler: {max_queue_rows: 8192}\nhttp:\n" + http);
  std::string row = "0";
  for (int i = 1; i < kWidth; ++i) {
    row += "," + std::to_string(i);
  }
  plan.head = "POST /v2/models/identity/infer HTTP/1.1\r\nHost: h\r\n";
  plan.body = R"({"inputs":[{"name":"x","shape":[1,16],"datatype":"FP32","data":[)" + row + "]}]}";
  const size_t clients = plan.idle + plan.active + plan.slow + 3 * plan.dead;
  REQUIRE(server::RaiseOpenFileLimit() > clients + 100);

  const ChildDaemon daemon(repository.path() + "/models",
                           {"--config", repository.path() + "/omserve.yaml"});
  const int pid = daemon.Number("pid");
  const int scrapes = daemon.Number("metrics_port");
  const size_t files_before = OpenFiles(pid);
  const double memory_before = ResidentMb(pid);
  Outcome outcome;
  double memory_with = 0;
  {
    HttpClients load(daemon.http_port(), plan, SteadyClock());
    REQUIRE(load.Connect());
    server::AwaitMetric(scrapes, "omserve_http_connections", static_cast<double>(clients) + 1);
    memory_with = ResidentMb(pid);
    outcome = load.Run();
  }
  server::AwaitMetric(scrapes, "omserve_http_connections", 1);
  server::AwaitMetric(scrapes, "omserve_requests_in_flight", 0);
  fmt::print(
      "clients={} answered={} ({:.0f}/s) failed={} p50_ms={:.1f} p99_ms={:.1f} slow={} dead={} "
      "memory_mb={:.0f} with_connections={:.0f} after={:.0f} files={} after={}\n",
      clients, outcome.answered,
      static_cast<double>(outcome.answered) / std::chrono::duration<double>(plan.duration).count(),
      outcome.failed, outcome.p50_ms, outcome.p99_ms, outcome.slow_answered, outcome.dead_closed,
      memory_before, memory_with, ResidentMb(pid), files_before, OpenFiles(pid));
  INFO(outcome.first_failure);
  CHECK(outcome.failed == 0);
  CHECK(outcome.answered >= plan.active);
  CHECK(outcome.idle_answered == plan.idle);
  CHECK(outcome.slow_answered == plan.slow);
  CHECK(outcome.dead_closed == 3 * plan.dead);
  CHECK(OpenFiles(pid) <= files_before + 1);  // A scrape that is just ending.
  CHECK(Metric(scrapes, "nv_pinned_memory_pool_used_bytes") == 0);
}

TEST_CASE("Load: the short form") {
  Test({.idle = 300,
        .active = 60,
        .slow = 5,
        .dead = 3,
        .duration = std::chrono::milliseconds(3000)},
       "  header_timeout_ms: 1s\n  slow_after_ms: 5s\n  least_bytes_per_second: 100\n");
}

TEST_CASE("Load: the full form", "[.full]") {
  Test({.idle = 10'000,
        .active = 2'000,
        .slow = 100,
        .dead = 50,
        .duration = std::chrono::milliseconds(60'000)},
       "  threads: 1\n");
}

}  // namespace
}  // namespace omserve::load
