// SPDX-License-Identifier: Apache-2.0
// Loads and unloads without end, a third of them failing, each in its own way: memory is what it
// was. Few by default; `server_repository_cycles_test '[.full]'` does a thousand.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/status_test_util.h"
#include "tools/omc/sign.h"

namespace omserve::server {
namespace {

constexpr char kUsed[] = "omserve_device_memory_used_bytes";

struct Broken {
  std::string model;
  std::string told;
};

const std::vector<Broken>& AllBroken() {
  static const std::vector<Broken> broken = {
      {"truncated", "model 'truncated' version 1"},
      {"tampered", "file '1/model.om'"},
      {"unsigned", "it is not signed"},
      {"big", "it needs "},
      {"foreign", "Ascend310P3"},
      {"cold", "ids"},
  };
  return broken;
}

std::string OfOtherChip(std::string om) {
  const std::string host = "OmserveHost";
  const std::string chip = "Ascend310P3";
  for (size_t at = om.find(host); at != std::string::npos; at = om.find(host, at)) {
    om.replace(at, host.size(), chip);
  }
  return om;
}

void Fill(const Repository& repository, const std::string& key) {
  repository.AddText("good");
  const std::string om = VALUE(ReadFile(repository.path() + "/good/1/model.om"));
  repository.Write("truncated/1/model.om", om.substr(0, om.size() / 2));
  repository.Write("tampered/1/model.om", om);
  repository.Write("unsigned/1/model.om", om);
  repository.AddText("big", "instance_group: [{count: 20000}]\n");
  repository.Write("foreign/1/model.om", OfOtherChip(om));
  repository.AddText("cold",
                     "model_warmup: [{name: first, batch_size: 1, inputs: {input_ids: {data_type: "
                     "TYPE_INT64, dims: [32], input_data_file: ids}, attention_mask: {data_type: "
                     "TYPE_INT64, dims: [32], zero_data: true}}}]\n");
  for (const char* model : {"good", "truncated", "tampered", "big", "foreign", "cold"}) {
    REQUIRE_OK(omc::SignFolder(
                   {.model_folder = repository.path() + "/" + model, .version = 1, .key_path = key})
                   .status());
  }
  std::string tampered = om;
  tampered[om.size() - 100] ^= 1;
  repository.Write("tampered/1/model.om", tampered);
}

size_t ResidentBytes() {
  size_t pages = 0;
  size_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void RunCycles(int cycles, size_t most_growth) {
  const TempFolder keys;
  const std::string key = keys.path() + "/key.pem";
  REQUIRE(std::system(("openssl ecparam -name prime256v1 -genkey -noout -out " + key +  // NOLINT
                       " && openssl pkey -in " + key + " -pubout -out " + key + ".pub")
                          .c_str()) == 0);
  Repository repository;
  Fill(repository, key);
  TestDaemon daemon(repository, [&](ServerConfig& config) {
    Explicit({})(config);
    config.mutable_device()->set_health_interval_ms(100);
    SignaturePolicyConfig* policy = config.mutable_repository()->add_signatures();
    policy->set_mode("require");
    policy->set_public_keys_file(key + ".pub");
  });
  Client& client = daemon.client();
  const int port = daemon.http_port();
  AwaitMetric(port, "omserve_device_pool_used_bytes", 0);
  const double used = Metric(port, kUsed).value_or(-1);
  size_t resident = 0;
  for (int cycle = 0; cycle < cycles; ++cycle) {
    if (cycle == cycles / 5) {
      resident = ResidentBytes();  // Once everything has its size.
    }
    if (cycle % 3 == 2) {
      const Broken& broken = AllBroken()[static_cast<size_t>(cycle / 3) % AllBroken().size()];
      const grpc::Status failed = Load(client, broken.model);
      INFO(broken.model);
      REQUIRE(failed.error_code() == grpc::StatusCode::INTERNAL);
      REQUIRE_THAT(failed.error_message(), Catch::Contains(broken.told));
      continue;
    }
    REQUIRE(Load(client, "good").ok());
    REQUIRE(Answers(client, "good"));
    REQUIRE(Unload(client, "good").ok());
  }
  AwaitMetric(port, "omserve_model_loads_to_free", 0);
  AwaitMetric(port, kUsed, used);
  AwaitMetric(port, "omserve_device_pool_used_bytes", 0);
  AwaitMetric(port, "omserve_pinned_pool_used_bytes", 0);
  const size_t after = ResidentBytes();
  INFO("resident " << resident << " then " << after);
  CHECK(after < resident + most_growth);
}

}  // namespace

TEST_CASE("Repository: loads and unloads", "[1.12/reload]") {
  RunCycles(36, size_t{1} << 30);  // Too few to say anything of the operating system's figure.
}

TEST_CASE("Repository: a thousand loads and unloads", "[.full]") {
  RunCycles(1000, size_t{16} << 20);
}

}  // namespace omserve::server
