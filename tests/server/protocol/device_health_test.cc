// SPDX-License-Identifier: Apache-2.0
// Device health through a daemon's /metrics: on the CPU device, and on a driver's libdcmi.so that
// answers from the file dcmi.txt (tests/runtime/health/fake_dcmi.cc).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <functional>

#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

void Script(const std::string& lines) { REQUIRE_OK(WriteFileAtomically("dcmi.txt", lines)); }

// Readings every 100 ms, from the driver that answers from a file.
void UseFakeDcmi(ServerConfig& config) {
  config.mutable_device()->set_dcmi_library(OMSERVE_FAKE_DCMI);
  config.mutable_device()->set_health_interval_ms(100);
}

constexpr char kAge[] = "omserve_device_health_age_seconds{device=\"0\"}";

// Asks until the values of device 0 are that old, or that young again.
void AwaitAge(int port, const std::function<bool(double)>& is_enough) {
  for (int asked = 0; !is_enough(Metric(port, kAge).value_or(0)); ++asked) {
    REQUIRE(asked < 1500);  // Half a minute.
    Pause(std::chrono::milliseconds(20));
  }
}

// A daemon whose driver hangs, after one good reading, until somebody opens dcmi.fifo for writing.
constexpr char kGoodDriver[] = "logical 0 0 0 0\ntemperature 0 0 57\n";
void MakeDriverHang(int port) {
  unlink("dcmi.fifo");
  REQUIRE(mkfifo("dcmi.fifo", 0600) == 0);
  AwaitMetric(port, "omserve_device_temperature_celsius{device=\"0\"}", 57);
  Script(std::string(kGoodDriver) + "wait 0 0 dcmi.fifo\n");
  AwaitAge(port, [](double age) { return age > 0.5; });  // Five intervals.
}

// The CPU device: what it knows is there, names of chips and values that it cannot have are not.
TEST_CASE("device health: the CPU device", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const int port = daemon.http_port();
  AwaitMetric(port, "omserve_device_normal{device=\"0\"}", 1);
  CHECK(Metric(port, "omserve_device_memory_total_bytes{device=\"0\",kind=\"acl\"}") ==
        4294967296.0);
  // The daemon's pools are in use.
  CHECK(Metric(port, "omserve_device_memory_used_bytes{device=\"0\",kind=\"acl\"}").value_or(0) >=
        64 << 20);
  CHECK(Metric(port, "omserve_device_utilization_ratio{device=\"0\",unit=\"cube\"}").has_value());
  CHECK(Metric(port, kAge).has_value());
  const std::string text = HttpGet(port, "/metrics");
  for (const char* absent :
       {"npu_chip_info", "machine_npu_nums", "omserve_device_health{", "omserve_device_faults",
        "omserve_device_voltage", "unit=\"ai_core\"", "kind=\"hbm\""}) {
    INFO(absent);
    CHECK(text.find(absent) == std::string::npos);
  }
}

// Readings are off: no family of them is there.
TEST_CASE("device health: off", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(
      repository, [](ServerConfig& config) { config.mutable_device()->set_health_interval_ms(0); });
  const std::string text = HttpGet(daemon.http_port(), "/metrics");
  CHECK(text.find("omserve_device_health") == std::string::npos);
  CHECK(text.find("omserve_device_memory") == std::string::npos);
  CHECK(text.find("omserve_device_pool_size_bytes") != std::string::npos);
}

// A chip behind ASCEND_RT_VISIBLE_DEVICES falls ill while the daemon serves.
TEST_CASE("device health: a driver's values", "[protocol]") {
  Script(
      "cards 0 0 0 1\nchips 0 0 1\nchips 1 0 1\nlogical 1 0 1 0\ntemperature 0 0 20\n"
      "temperature 1 0 57\nhealth 1 0 0\nhbm_size 1 0 100\nhbm_used 1 0 25\n");
  Repository repository;
  repository.AddText();
  // The daemon looks at it while it starts, on this thread; nothing else in the program does.
  setenv("ASCEND_RT_VISIBLE_DEVICES", "1", 1);  // NOLINT(concurrency-mt-unsafe)
  TestDaemon daemon(repository, [](ServerConfig& config) {
    UseFakeDcmi(config);
    config.mutable_device()->mutable_host()->set_device_count(2);
  });
  unsetenv("ASCEND_RT_VISIBLE_DEVICES");  // NOLINT(concurrency-mt-unsafe)
  const int port = daemon.http_port();
  AwaitMetric(port, "omserve_device_health{device=\"0\"}", 0);
  CHECK(Metric(port, "machine_npu_nums") == 2);
  CHECK(Metric(port, "omserve_device_temperature_celsius{device=\"0\"}") == 57);
  CHECK(Metric(port, "npu_chip_info_temperature{id=\"1\"}") == 57);
  CHECK(Metric(port, "npu_chip_info_hbm_used_memory{id=\"1\"}") == 25);
  CHECK_FALSE(Metric(port, "npu_chip_info_power").has_value());
  CHECK_FALSE(Metric(port, "omserve_device_faults").has_value());
  Script("temperature 1 0 94\nhealth 1 0 2\nerrors 1 0 2162169857\n");
  AwaitMetric(port, "omserve_device_health{device=\"0\"}", 2);
  CHECK(Metric(port, "omserve_device_faults{device=\"0\",code=\"0x80E01801\"}") == 1);
  CHECK(Metric(port, "npu_chip_info_health_status{id=\"1\"}") == 0);
  CHECK_FALSE(Metric(port, "npu_chip_info_hbm_used_memory").has_value());
}

// The driver hangs in its second reading: scrapes and requests go on, the values stay, and their
// age tells.
TEST_CASE("device health: a driver that hangs", "[protocol]") {
  Script(kGoodDriver);
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, &UseFakeDcmi);
  const int port = daemon.http_port();
  MakeDriverHang(port);
  inference::ModelInferResponse response;
  CHECK(daemon.client().Infer(TextRequest("text", 3), &response).ok());
  CHECK(Metric(port, "omserve_device_temperature_celsius{device=\"0\"}") == 57);
  CHECK(Metric(port, "npu_chip_info_temperature{id=\"0\"}") == 57);
  const int fifo = open("dcmi.fifo", O_WRONLY | O_CLOEXEC);
  Script(kGoodDriver);
  close(fifo);
  AwaitAge(port, [](double age) { return age < 0.4; });
}

// The driver never comes back: the daemon still ends, in a moment, and says that it had to.
TEST_CASE("device health: the end beside a driver that hangs", "[protocol]") {
  Script(kGoodDriver);
  Repository repository;
  repository.AddText();
  repository.Write("omserve.yaml", "device: {health_interval_ms: 100, dcmi_library: \"" +
                                       std::string(OMSERVE_FAKE_DCMI) + "\"}\n");
  ChildDaemon daemon(repository, {"--config", repository.path() + "/omserve.yaml"});
  MakeDriverHang(daemon.http_port());
  daemon.Signal(SIGTERM);
  CHECK(daemon.Wait() == 1);
}

}  // namespace
}  // namespace omserve::server
