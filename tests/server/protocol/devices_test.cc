// SPDX-License-Identifier: Apache-2.0
// A daemon over four devices, as clients and operators see it.
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

void FourDevices(ServerConfig& config) {
  config.mutable_device()->mutable_host()->set_device_count(4);
  config.mutable_device()->mutable_host()->set_cores(2);
}

std::string OnDevice(const std::string& metric, int device) {
  return metric + "{device=\"" + std::to_string(device) + "\"";
}

std::string Instances(const std::string& model, int device) {
  return "omserve_model_instances{model=\"" + model + "\",version=\"1\",device=\"" +
         std::to_string(device) + "\"";
}

// Devices that the statistics name for the memory of a model.
std::set<int64_t> MemoryDevices(Client& client, const std::string& model) {
  std::set<int64_t> devices;
  const inference::ModelStatistics statistics = client.Statistics(model);
  for (const inference::MemoryUsage& usage : statistics.memory_usage()) {
    devices.insert(usage.id());
  }
  return devices;
}

// Calls from several threads at once; all must succeed.
void CallMany(Client& client, const std::string& model, int threads, int calls) {
  std::vector<std::jthread> callers;
  for (int t = 0; t < threads; ++t) {
    callers.emplace_back([&client, &model, calls] {
      for (int i = 0; i < calls; ++i) {
        inference::ModelInferResponse response;
        const grpc::Status status = client.Infer(TextRequest(model, 1), &response);
        CHECK(status.error_message().empty());
      }
    });
  }
}

// Without device.ids the daemon serves on every device, with instances on each.
TEST_CASE("All devices of the library are served on", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, FourDevices);
  CallMany(daemon.client(), "text", 8, 25);
  CHECK(MemoryDevices(daemon.client(), "text") == std::set<int64_t>{0, 1, 2, 3});
  for (int device = 0; device < 4; ++device) {
    CAPTURE(device);
    CHECK(Metric(daemon.http_port(), Instances("text", device)) == 1);
    CHECK(Metric(daemon.http_port(), OnDevice("omserve_device_pool_peak_bytes", device)) > 0);
    CHECK(Metric(daemon.http_port(), OnDevice("omserve_device_lost", device)) == 0);
  }
  const inference::ModelStatistics statistics = daemon.client().Statistics("text");
  CHECK(statistics.inference_count() == 200);
  CHECK(statistics.inference_stats().success().count() == 200);
}

TEST_CASE("Only the devices that are named are served on", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, [](ServerConfig& config) {
    FourDevices(config);
    config.mutable_device()->add_ids(3);
    config.mutable_device()->add_ids(1);
  });
  CallMany(daemon.client(), "text", 2, 5);
  CHECK(MemoryDevices(daemon.client(), "text") == std::set<int64_t>{1, 3});
  CHECK(Metric(daemon.http_port(), OnDevice("omserve_device_lost", 0)) == std::nullopt);
}

// Counts are for each device of a group, and groups add up.
TEST_CASE("Instance groups say how many instances are where", "[protocol]") {
  Repository repository;
  repository.AddText("few", "instance_group: [{count: 2, gpus: [1]}, {gpus: [1, 3]}]\n");
  repository.AddText("lost", "instance_group: [{gpus: [7]}]\n");
  TestDaemon daemon(repository, FourDevices, /*exit_on_error=*/false);
  CallMany(daemon.client(), "few", 2, 5);
  CHECK(MemoryDevices(daemon.client(), "few") == std::set<int64_t>{1, 3});
  CHECK(Metric(daemon.http_port(), Instances("few", 1)) == 3);
  CHECK(Metric(daemon.http_port(), Instances("few", 3)) == 1);
  inference::ModelInferResponse response;
  CHECK_THAT(daemon.client().Infer(TextRequest("lost", 1), &response).error_message(),
             Catch::Contains("device 7 is not among those that are served on (0, 1, 2, 3)"));
}

// A pipeline runs where all of its steps are; where there is no such device it says so.
TEST_CASE("A pipeline needs a device that has all of its steps", "[protocol]") {
  Repository repository;
  const std::string steps =
      "input: [{name: input_ids, data_type: TYPE_INT64, dims: [32]},\n"
      "        {name: attention_mask, data_type: TYPE_INT64, dims: [32]}]\n"
      "output: [{name: one, data_type: TYPE_FP32, dims: [-1, -1]},\n"
      "         {name: two, data_type: TYPE_FP32, dims: [-1, -1]}]\n"
      "pipeline:\n"
      "  step:\n"
      "    - {name: a, model_name: left, input_map: {input_ids: input_ids, attention_mask: "
      "attention_mask}, output_map: {text_features: one}}\n"
      "    - {name: b, model_name: right, input_map: {input_ids: input_ids, attention_mask: "
      "attention_mask}, output_map: {text_features: two}}\n";
  repository.AddText("left", "instance_group: [{gpus: [0, 1]}]\n");
  repository.AddText("right", "instance_group: [{gpus: [1, 2]}]\n");
  repository.AddText("far", "instance_group: [{gpus: [3]}]\n");
  repository.Write("both/config.yaml", steps);
  std::string apart = steps;
  apart.replace(apart.find("right"), 5, "far");
  repository.Write("apart/config.yaml", apart);
  TestDaemon daemon(repository, FourDevices, /*exit_on_error=*/false);
  CallMany(daemon.client(), "both", 2, 5);
  inference::ModelInferResponse response;
  CHECK_THAT(daemon.client().Infer(TextRequest("apart", 1), &response).error_message(),
             Catch::Contains("step 'a' (model 'left') on 0, 1") &&
                 Catch::Contains("step 'b' (model 'far') on 3"));
}

// One of four devices is lost: the daemon stays ready and answers while it is away, and only a
// model that has no other device is not ready; when it is back, so is that model.
TEST_CASE("A daemon stays ready while each model has a device", "[protocol]") {
  Repository repository;
  repository.AddText("everywhere");
  repository.AddText("alone", "instance_group: [{gpus: [2]}]\n");
  const TempFolder folder;
  const std::string faults = folder.path() + "/faults.json";
  REQUIRE_OK(WriteFileAtomically(faults, "[]"));
  REQUIRE_OK(WriteFileAtomically(
      folder.path() + "/acl.json",
      R"({"hostacl": {"device_count": 4, "cores": 2, "faults_file": ")" + faults + R"("}})"));
  TestDaemon daemon(repository, [&folder](ServerConfig& config) {
    config.mutable_device()->set_config_file(folder.path() + "/acl.json");
  });
  const auto is_ready = [&daemon](const std::string& path) {
    return HttpGet(daemon.http_port(), path).find("HTTP/1.1 200") == 0;
  };
  const auto lose = [&](int device) {
    REQUIRE_OK(WriteFileAtomically(faults, R"([{"device_lost": 507010, "device": )" +
                                               std::to_string(device) +
                                               R"(, "task": "execute"},
                    {"call": "aclmdlLoadFromMemWithMem", "code": 507899, "times": 4}])"));
    const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(30);
    while (Metric(daemon.http_port(), OnDevice("omserve_device_lost", device)) != 1) {
      REQUIRE(SteadyClock().Now() < patience);
      std::vector<std::jthread> callers;  // Enough at once for every device to be called.
      for (int i = 0; i < 8; ++i) {
        callers.emplace_back([&daemon, device] {
          inference::ModelInferResponse response;
          static_cast<void>(daemon.client().Infer(
              TextRequest(device == 2 ? "alone" : "everywhere", 1), &response));
        });
      }
    }
  };
  lose(0);
  CHECK(is_ready("/v2/health/ready"));
  CallMany(daemon.client(), "everywhere", 4, 5);
  AwaitMetric(daemon.http_port(), OnDevice("omserve_device_recoveries_total", 0), 1);
  lose(2);
  CHECK_FALSE(is_ready("/v2/health/ready"));
  CHECK_FALSE(is_ready("/v2/models/alone/ready"));
  CHECK(is_ready("/v2/models/everywhere/ready"));
  CallMany(daemon.client(), "everywhere", 4, 5);
  inference::ModelInferResponse response;
  CHECK(daemon.client().Infer(TextRequest("alone", 1), &response).error_code() ==
        grpc::StatusCode::UNAVAILABLE);
  AwaitMetric(daemon.http_port(), OnDevice("omserve_device_recoveries_total", 2), 1);
  AwaitMetric(daemon.http_port(), "omserve_ready", 1);
  CHECK(is_ready("/v2/models/alone/ready"));
  CHECK(daemon.client().Infer(TextRequest("alone", 1), &response).ok());
}

}  // namespace
}  // namespace omserve::server
