// SPDX-License-Identifier: Apache-2.0
// Models that share resources with each other and over devices, as clients and operators see it.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

constexpr std::chrono::milliseconds kExecution{1};

// Two devices on which an execution takes 1 ms.
void TwoDevices(const TempFolder& folder, ServerConfig& config) {
  const std::string file = folder.path() + "/acl.json";
  REQUIRE_OK(WriteFileAtomically(file, R"({"hostacl": {"engine": "timed", "device_count": 2,
    "cores": 2, "timed": {"default_cost_us": 1000}}})"));
  config.mutable_device()->set_config_file(file);
}

void AddResource(ServerConfig& config, const std::string& name, int count) {
  RateLimitConfig::Resource* resource = config.mutable_rate_limit()->add_resources();
  resource->set_name(name);
  resource->set_count(count);
}

// Calls each model from threads of its own.
void CallAll(Client& client, const std::vector<std::string>& models, int threads, int calls) {
  std::vector<std::jthread> callers;
  for (int t = 0; t < threads; ++t) {
    for (const std::string& model : models) {
      callers.emplace_back([&client, &model, calls] {
        for (int i = 0; i < calls; ++i) {
          inference::ModelInferResponse response;
          const grpc::Status status = client.Infer(TextRequest(model, 1), &response);
          CHECK(status.error_message().empty());
        }
      });
    }
  }
}

std::string OfModel(const std::string& metric, const std::string& model) {
  return metric + "{model=\"" + model + "\",version=\"1\"";
}

std::string OfResource(const std::string& metric, const std::string& name,
                       const std::string& device) {
  return metric + "{resource=\"" + name + "\",device=\"" + device + "\"}";
}

// Two models on two devices that share one copy of a resource: of four instances one computes at a
// time; a model beside them is not held up. Metrics say how often and how long who waited.
TEST_CASE("Models share a global resource over devices", "[protocol]") {
  Repository repository;
  const std::string limited =
      "instance_group: [{rate_limiter: {resources: [{name: bus, global: true}]}}]\n";
  repository.AddText("first", limited);
  repository.AddText("second", limited);
  repository.AddText("free");
  const TempFolder folder;
  TestDaemon daemon(repository, [&folder](ServerConfig& config) { TwoDevices(folder, config); });
  const Clock::time_point start = SteadyClock().Now();
  CallAll(daemon.client(), {"first", "second", "free"}, 4, 15);
  const Clock::duration took = SteadyClock().Now() - start;
  const uint64_t executions = daemon.client().Statistics("first").execution_count() +
                              daemon.client().Statistics("second").execution_count();
  CHECK(executions >= 30);
  CHECK(took >= executions * kExecution);  // One after the other.
  const int port = daemon.http_port();
  for (const char* model : {"first", "second"}) {
    CAPTURE(model);
    CHECK(Metric(port, OfModel("omserve_turns_total", model)) ==
          daemon.client().Statistics(model).execution_count());
    CHECK(Metric(port, OfModel("omserve_turns_waited_total", model)) > 0);
    CHECK(Metric(port, OfModel("omserve_turn_wait_seconds_total", model)) > 0.001);
    CHECK(Metric(port, OfModel("omserve_batches_released_total", model) + ",reason=\"turn\"}") > 0);
  }
  CHECK(Metric(port, OfModel("omserve_turns_total", "free")) == 0);
  CHECK(Metric(port, OfResource("omserve_rate_limit_resources", "bus", "all")) == 1);
  AwaitMetric(port, OfResource("omserve_rate_limit_resources_held", "bus", "all"), 0);
}

// What the settings give holds, for each device where the resource is not global; a model that
// needs more is refused with the numbers, and the others are served.
TEST_CASE("Settings say how many copies there are", "[protocol]") {
  Repository repository;
  repository.AddText("one", "instance_group: [{rate_limiter: {resources: [{name: core}]}}]\n");
  repository.AddText("both",
                     "instance_group: [{rate_limiter: {resources: [{name: core, count: 2}]}}]\n");
  repository.AddText("greedy",
                     "instance_group: [{rate_limiter: {resources: [{name: core, count: 3}]}}]\n");
  repository.AddText(
      "unlike", "instance_group: [{rate_limiter: {resources: [{name: core, global: true}]}}]\n");
  const TempFolder folder;
  TestDaemon daemon(
      repository,
      [&folder](ServerConfig& config) {
        TwoDevices(folder, config);
        AddResource(config, "core", 2);
      },
      /*exit_on_error=*/false);
  inference::ModelInferResponse response;
  CHECK_THAT(daemon.client().Infer(TextRequest("greedy", 1), &response).error_message(),
             Catch::Contains("instance_group[0].rate_limiter") &&
                 Catch::Contains("needs 3 of rate limiter resource 'core', of which there are 2"));
  CHECK_THAT(daemon.client().Infer(TextRequest("unlike", 1), &response).error_message(),
             Catch::Contains("'core' is global here"));
  CallAll(daemon.client(), {"one", "both"}, 4, 5);
  for (const char* device : {"0", "1"}) {
    CHECK(Metric(daemon.http_port(), OfResource("omserve_rate_limit_resources", "core", device)) ==
          2);
  }
}

// A resource that is given to a device that is not there is a slip of the pen.
TEST_CASE("A resource of a device that is not served on is refused", "[protocol]") {
  Repository repository;
  repository.AddText("one");
  ServerConfig config = TestConfig(repository);
  AddResource(config, "core", 2);
  config.mutable_rate_limit()->mutable_resources(0)->set_device(9);
  CHECK_THAT(std::string(MessageOf(
                 Daemon::Start({.config = config, .version = "test"}, SteadyClock()).status())),
             Catch::Contains("'core' is given to device 9"));
}

}  // namespace
}  // namespace omserve::server
