// SPDX-License-Identifier: Apache-2.0
// Models that run samples before they serve (model_warmup), as their operators see it.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <thread>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

// A sample of `batch` rows that runs `count` times.
std::string Sample(int batch, int count) {
  return fmt::format(
      "model_warmup: [{{name: first, batch_size: {}, count: {}, inputs: {{input_ids: {{data_type: "
      "TYPE_INT64, dims: [32], random_data: true}}, attention_mask: {{data_type: TYPE_INT64, dims: "
      "[32], zero_data: true}}}}}}]\n",
      batch, count);
}

// A daemon over "text" with this configuration, whose device fails one execution.
class FaultyDaemon final {
 public:
  FaultyDaemon(const std::string& config, int failing_execution) {
    repository_.AddText("text", config);
    repository_.Write("acl.json", fmt::format(R"({{"hostacl": {{"faults": [{{"task": "execute", )"
                                              R"("nth": {}, "code": 507011}}]}}}})",
                                              failing_execution));
    daemon_.emplace(
        repository_,
        [this](ServerConfig& settings) {
          settings.mutable_device()->set_config_file(repository_.path() + "/acl.json");
        },
        /*exit_on_error=*/false);
  }
  Client& client() { return daemon_->client(); }

 private:
  Repository repository_;
  std::optional<TestDaemon> daemon_;
};

// Two instances run a sample three times each: the sixth execution fails, the model is not served
// and says why. If it is the seventh that fails, that is the first client's.
TEST_CASE("Warm-up: every instance runs every sample", "[protocol]") {
  const std::string config = "instance_group: [{count: 2}]\n" + Sample(2, 3);
  {
    FaultyDaemon failed(config, 6);
    CHECK_THAT(Index(failed.client())["text:1"],
               Catch::StartsWith("UNAVAILABLE model 'text' version 1: device 0 failed while model "
                                 "'text' was loaded: warm-up 'first': "));
    CHECK_FALSE(Answers(failed.client(), "text"));
  }
  FaultyDaemon served(config, 7);
  CHECK(Index(served.client())["text:1"] == "READY");
  CHECK_FALSE(Answers(served.client(), "text"));
  CHECK(Answers(served.client(), "text"));
  // What warmed it up was no request.
  const inference::ModelStatistics statistics = served.client().Statistics("text");
  CHECK(statistics.inference_stats().success().count() == 1);
  CHECK(statistics.inference_count() == 1);
}

// Rows beyond the largest compiled batch run in parts, as those of requests do.
TEST_CASE("Warm-up: a sample larger than a batch", "[protocol]") {
  {
    FaultyDaemon failed("max_batch_size: 16\n" + Sample(12, 1), 2);
    CHECK_THAT(Index(failed.client())["text:1"],
               Catch::StartsWith("UNAVAILABLE ") && Catch::Contains("warm-up 'first': "));
  }
  FaultyDaemon served("max_batch_size: 16\n" + Sample(12, 1), 3);
  CHECK(Index(served.client())["text:1"] == "READY");
}

// A sample from a file, in Triton's own format; and one whose file has another size, which is told
// without the server's path.
TEST_CASE("Warm-up: samples from files", "[protocol]") {
  constexpr char kConfig[] = R"(
model_warmup [ {
  name: "recorded"
  batch_size: 2
  inputs { key: "input_ids"
           value { data_type: TYPE_INT64 dims: [ 32 ] input_data_file: "ids" } }
  inputs { key: "attention_mask"
           value { data_type: TYPE_INT64 dims: [ 32 ] zero_data: true } }
} ]
)";
  Repository repository;
  for (const char* model : {"right", "wrong", "none"}) {
    repository.AddText(model);
    repository.Write(std::string(model) + "/config.pbtxt", kConfig);
  }
  repository.Write("right/warmup/ids", std::string(256, '\0'));
  repository.Write("wrong/warmup/ids", std::string(255, '\0'));
  TestDaemon daemon(repository, nullptr, /*exit_on_error=*/false);
  auto index = Index(daemon.client());
  CHECK(index["right:1"] == "READY");
  CHECK(index["wrong:1"] ==
        "UNAVAILABLE model 'wrong' version 1: model_warmup[0] 'recorded': input 'input_ids': "
        "wrong/warmup/ids has 255 bytes, expected 256, those of one row, or 512, those of 2 rows");
  CHECK(index["none:1"].find("none/warmup/ids") != std::string::npos);
}

// A load whose samples do not fit changes nothing: what served goes on. While the right one, of a
// new version, warms up, the version before it answers; then the new one does.
TEST_CASE("Warm-up: a model that is loaded again", "[protocol]") {
  Repository repository;
  repository.AddText();
  repository.Write("acl.json", R"({"hostacl": {"engine": "timed", "cores": 2, "timed":
                                   {"cost_us": {"text": 200000}}}})");
  TestDaemon daemon(repository, [&repository](ServerConfig& config) {
    Explicit({"text"})(config);
    config.mutable_device()->set_config_file(repository.path() + "/acl.json");
  });
  Client& client = daemon.client();
  const grpc::Status refused =
      Load(client, "text", R"({"model_warmup": [{"name": "w", "batch_size": 1}]})");
  CHECK(refused.error_message().find("model_warmup[0] 'w': input 'input_ids' is missing; add it "
                                     "to inputs") != std::string::npos);
  CHECK(Answers(client, "text"));
  repository.AddModel("text", "text", "", "1,2,4,8", 2);
  grpc::Status loaded;
  std::jthread loads([&] {
    loaded = Load(client, "text",
                  R"({"model_warmup": [{"name": "w", "batch_size": 1, "count": 15, "inputs": {
            "input_ids": {"zero_data": true}, "attention_mask": {"zero_data": true}}}]})");
  });
  CHECK(AwaitLine(client, "text:2", "LOADING loading") == "LOADING loading");
  const std::string answered_by = VersionOf(client, "text");
  // Else the load was over before the answer, and either could have given it.
  if (Index(client)["text:2"] == "LOADING loading") {
    CHECK(answered_by == "1");
  }
  loads.join();
  INFO(loaded.error_message());
  CHECK(loaded.ok());
  CHECK(VersionOf(client, "text") == "2");
}

}  // namespace
}  // namespace omserve::server
