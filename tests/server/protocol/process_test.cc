// SPDX-License-Identifier: Apache-2.0
// bin/omserved as whoever starts it sees it: flags, exit statuses, the ready file, signals.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "runtime/base/file.h"
#include "server/device_settings.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

constexpr char kPatientConfig[] =
    "dynamic_batching: {preferred_batch_size: [8], max_queue_delay_microseconds: 60000000}\n";

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The questions that are answered at once, and a command line that is wrong.
TEST_CASE("omserved: help, version, usage", "[protocol]") {
  const ProgramResult help = RunOmserved("--help");
  CHECK(help.status == 0);
  CHECK(Contains(help.output, "Examples:"));
  CHECK(Contains(help.output, "--model-repository"));
  const ProgramResult version = RunOmserved("--version");
  CHECK(version.status == 0);
  CHECK(version.output.find("omserved ") == 0);
  CHECK(RunOmserved("--no-such-flag").status == 2);
  CHECK(RunOmserved("--grpc-port 70000").status == 2);
}

// Settings that are right, wrong, and absent: --check-config prints them or says where they err.
TEST_CASE("omserved: --check-config", "[protocol]") {
  Repository repository;
  repository.AddText();
  const ProgramResult good =
      RunOmserved("--check-config --grpc-port 0 --model-repository '" + repository.path() + "'");
  CHECK(good.status == 0);
  CHECK(Contains(good.output, "\"max_queue_rows\": 1024"));
  CHECK(Contains(good.output, repository.path()));

  TempFolder folder;
  REQUIRE_OK(WriteFileAtomically(folder.path() + "/omserve.yaml", "grpc: {prot: 1}\n"));
  const ProgramResult bad =
      RunOmserved("--check-config --config '" + folder.path() + "/omserve.yaml'");
  CHECK(bad.status == 1);
  CHECK(Contains(bad.output, "omserve.yaml:1:8: key 'prot': unknown; did you mean 'port'?"));

  const ProgramResult none = RunOmserved("--check-config");
  CHECK(none.status == 1);
  CHECK(Contains(none.output, "model_repository"));

  repository.Write("text/config.yaml", "max_batch_sise: 4\n");
  const ProgramResult model =
      RunOmserved("--check-config --model-repository '" + repository.path() + "'");
  CHECK(model.status == 1);
  CHECK(Contains(model.output, "did you mean 'max_batch_size'?"));
}

// Flags of what there is several of, and of metrics.
TEST_CASE("omserved: devices and metrics", "[protocol]") {
  Repository repository;
  repository.AddText();
  TempFolder folder;
  REQUIRE_OK(WriteFileAtomically(
      folder.path() + "/omserve.yaml",
      "device: {ids: [0, 1]}\nmodel_repository: [" + repository.path() + "]\n"));
  const ProgramResult good = RunOmserved(
      "--check-config --allow-metrics=false --metrics-port 9 --metrics-address ::1 "
      "--config '" +
      folder.path() + "/omserve.yaml'");
  CHECK(good.status == 0);
  CHECK(Contains(good.output, "\"allow\": false"));
  CHECK(Contains(good.output, "\"port\": 9"));
  CHECK(Contains(good.output, "\"address\": \"::1\""));
  const ProgramResult same =
      RunOmserved("--check-config --grpc-port 8002 --model-repository '" + repository.path() + "'");
  CHECK(same.status == 1);
  CHECK(Contains(same.output, "metrics.port"));
}

// Starts that fail, each with one line that names the cause: no repository, a broken model, a
// library that is none.
TEST_CASE("omserved: failed starts", "[protocol]") {
  const std::string ports =
      " --grpc-port 0 --http-port 0 --metrics-port 0 --grpc-address 127.0.0.1 ";
  const ProgramResult missing = RunOmserved("--model-repository /no/such/folder" + ports);
  CHECK(missing.status == 1);
  CHECK(Contains(missing.output, "/no/such/folder"));
  Repository repository;
  repository.Write("broken/1/model.om", "no model at all");
  const ProgramResult broken =
      RunOmserved("--model-repository '" + repository.path() + "'" + ports);
  CHECK(broken.status == 1);
  CHECK(Contains(broken.output, "could not be loaded (broken;"));
  const ProgramResult library = RunOmserved("--model-repository '" + repository.path() + "'" +
                                            ports + "--device-library /no/such/libascendcl.so");
  CHECK(library.status == 1);
  CHECK(Contains(library.output, "/no/such/libascendcl.so"));
}

// A broken model beside a right one, and the wish to serve all the same: the right one is served.
TEST_CASE("omserved: --exit-on-error=false", "[protocol]") {
  Repository repository;
  repository.AddText();
  repository.Write("broken/1/model.om", "no model at all");
  ChildDaemon child(repository, {"--exit-on-error=false"});
  CHECK(child.Number("models") == 1);
  Client client(child.grpc_port());
  inference::ModelInferResponse response;
  CHECK(client.Infer(TextRequest("text", 1), &response).ok());
  child.Signal(SIGTERM);
  CHECK(child.Wait() == 0);
}

// A taken port: said, with the flag that helps.
TEST_CASE("omserved: a taken port", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const ProgramResult taken = RunOmserved(
      "--model-repository '" + repository.path() + "' --http-port 0 --metrics-port 0 --grpc-port " +
      std::to_string(daemon.daemon().grpc_port()) + " --grpc-address 127.0.0.1");
  CHECK(taken.status == 1);
  CHECK(Contains(taken.output, "--grpc-port"));
}

// SIGTERM with a request under way: it is answered, readiness goes first, the ready file too, and
// the status is 0.
TEST_CASE("omserved: SIGTERM drains", "[protocol]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  ChildDaemon child(repository, {});
  CHECK(child.Number("models") == 1);
  CHECK(Contains(child.ready_json(), "\"device\":\"OmserveHost\""));
  Client client(child.grpc_port());
  grpc::Status answered;
  std::jthread request([&] {
    inference::ModelInferResponse response;
    answered = client.Infer(TextRequest("patient", 1), &response);
  });
  AwaitMetric(child.http_port(), "omserve_queue_rows{model=\"patient\",version=\"1\"}", 1);
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  const auto watch = client.health->Watch(&context, {});
  grpc::health::v1::HealthCheckResponse health;
  REQUIRE(watch->Read(&health));
  CHECK(health.status() == grpc::health::v1::HealthCheckResponse::SERVING);
  child.Signal(SIGTERM);
  REQUIRE(watch->Read(&health));
  CHECK(health.status() == grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  request.join();
  CHECK(answered.ok());
  CHECK(child.Wait() == 0);
  CHECK_FALSE(child.ready_file_exists());
}

// A second signal while the first is still obeyed: the end at once, with status 1.
TEST_CASE("omserved: a second signal", "[protocol]") {
  Repository repository;
  repository.AddText();
  TempFolder folder;
  const std::string config = folder.path() + "/omserve.yaml";
  REQUIRE_OK(WriteFileAtomically(config, "shutdown: {drain_delay_ms: 600000}\n"));
  ChildDaemon child(repository, {"--config", config});
  child.Signal(SIGINT);
  AwaitMetric(child.http_port(), "omserve_ready", 0);
  // Not ready, and still serving: that is what the delay is for.
  Client client(child.grpc_port());
  inference::ModelInferResponse response;
  CHECK(client.Infer(TextRequest("text", 1), &response).ok());
  CHECK(HttpGet(child.http_port(), "/v2/health/ready").find("HTTP/1.1 400 ") == 0);
  child.Signal(SIGTERM);
  CHECK(child.Wait() == 1);
}

// Settings of the CPU device reach it: two devices are seen when two are asked for.
TEST_CASE("OpenRuntime: settings of the CPU device", "[protocol]") {
  DeviceConfig config;
  config.set_library(OMSERVE_BINARY_DIR "/lib/libascendcl.so");
  CHECK(HostDeviceJson(config.host()).empty());
  config.mutable_host()->set_device_count(2);
  config.mutable_host()->set_cores(3);
  CHECK(HostDeviceJson(config.host()) == R"({"hostacl":{"device_count":2,"cores":3}})");
  CHECK(VALUE(OpenRuntime(config))->device_count() == 2);
  config.set_config_file("/some/acl.json");
  const absl::Status both = OpenRuntime(config).status();
  CHECK(both.code() == absl::StatusCode::kInvalidArgument);
  CHECK(Contains(std::string(MessageOf(both)), "device.config_file is '/some/acl.json'"));
}

// A script that starts tritonserver: what means the same is followed, the rest is taken with a
// warning, and what would make a difference that is not built is refused.
TEST_CASE("Triton's flags", "[2]") {
  Repository repository;
  repository.AddText();
  const std::string base = "--check-config --model-repository '" + repository.path() + "' ";
  const ProgramResult followed = RunOmserved(
      base +
      "--id=triton --exit-timeout-secs=7 --http-max-input-size 1000000 --http-thread-count=3 "
      "--cache-config local,size=5000 --pinned-memory-pool-byte-size=1048576 --rate-limit "
      "execution_count "
      "--rate-limit-resource R1:4 --rate-limit-resource=R2:2:0 --log-verbose=1 "
      "--log-info=false --log-warning true --log-format=default --strict-readiness=false "
      "--model-control-mode=explicit --load-model=text "
      "--repository-poll-secs 7 --strict-model-config=false --backend-config=onnxruntime,a=b "
      "--backend-config default-max-batch-size=4 --allow-http=true "
      "--grpc-restricted-protocol=model-repository,trace:admin-key=a=b "
      "--grpc-restricted-protocol inference:infer-key=c --http-restricted-api=health:x-key=d");
  INFO(followed.output);
  CHECK(followed.status == 0);
  for (const char* expected :
       {"\"server_id\": \"triton\"", "\"drain_timeout_ms\": 7000",
        "\"max_body_bytes\": \"1000000\"", "\"threads\": 3", "\"response_bytes\": \"5000\"",
        "\"pinned_pool_bytes\": \"1048576\"", "\"name\": \"R1\"", "\"verbose_level\": 1",
        "\"info\": false", "\"strict_readiness\": false", "\"warning\": true",
        "\"format\": \"default\"", "\"control_mode\": \"explicit\"", "\"poll_seconds\": 7",
        "--strict-model-config is accepted and ignored: ",
        "--backend-config is accepted and ignored: ", "\"key\": \"admin-key\"",
        "\"value\": \"***\"", "\"key\": \"x-key\""}) {
    CHECK_THAT(followed.output, Catch::Contains(expected));
  }
  CHECK_THAT(followed.output, !Catch::Contains("a=b\""));  // A secret.
  const std::pair<const char*, const char*> refused[] = {
      {"--cache-config=redis,host=a", "expected local,size=BYTES, got 'redis,host=a'"},
      {"--rate-limit-resource=R1", "expected NAME:COUNT or NAME:COUNT:DEVICE, got 'R1'"},
      {"--model-control-mode=often", "expected none, poll or explicit, got \"often\""},
      {"--log-format=short", "expected ISO8601 or default, got \"short\""},
      {"--load-model=a", "expected control_mode explicit beside it"},
      {"--model-control-mode=explicit --load-model=a --load-model=*", "expected \"*\" alone"},
      {"--grpc-use-ssl=true", "expected --grpc-server-cert and --grpc-server-key"},
      {"--grpc-use-ssl-mutual=1 --grpc-server-cert a --grpc-server-key b",
       "expected --grpc-root-cert"},
      {"--allow-grpc=false", "gRPC is always served"},
      {"--grpc-restricted-protocol=inference", "expected GROUP[,GROUP...]:KEY=VALUE"},
      {"--grpc-restricted-protocol=infer:k=v", "got \"infer\""},
      {"--grpc-restricted-protocol=trace:k=v --grpc-restricted-protocol=trace,health:j=v",
       "\"trace\" is restricted twice"},
      {"--http-restricted-api=health:X-Key=v", "expected a header's name in lower case"},
  };
  for (const auto& [flag, text] : refused) {
    const ProgramResult result = RunOmserved(base + flag);
    CHECK(result.status == 1);
    CHECK_THAT(result.output, Catch::Contains(text));
  }
  const ProgramResult help = RunOmserved("--help");
  CHECK_THAT(help.output, Catch::Contains("As tritonserver has them"));
}

}  // namespace
}  // namespace omserve::server
