// SPDX-License-Identifier: Apache-2.0
// A daemon whose device hangs and is lost while clients call it, as they and its operators see it.
#include <catch2/catch.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using HealthStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;

// A daemon that serves "text" on a CPU device whose fault rules the test writes while it runs.
class FaultyDaemon final {
 public:
  explicit FaultyDaemon(bool strict_readiness = true) {
    repository_.AddText();
    SetFaults("[]");
    REQUIRE_OK(WriteFileAtomically(
        folder_.path() + "/acl.json",
        R"({"hostacl": {"faults_file": ")" + folder_.path() + R"(/faults.json"}})"));
    daemon_.emplace(repository_, [this, strict_readiness](ServerConfig& config) {
      config.mutable_device()->set_config_file(folder_.path() + "/acl.json");
      config.mutable_health()->set_strict_readiness(strict_readiness);
      config.mutable_scheduler()->set_hang_floor_ms(150);
      config.mutable_scheduler()->set_hang_timeout_ms(300);
    });
  }

  void SetFaults(const std::string& rules) {
    REQUIRE_OK(WriteFileAtomically(folder_.path() + "/faults.json", rules));
  }
  grpc::Status Infer() {
    inference::ModelInferResponse response;
    return daemon_->client().Infer(TextRequest("text", 1), &response);
  }
  // Calls until one fails, as the rules have it by then.
  grpc::Status FirstFailure() {
    const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(30);
    while (SteadyClock().Now() < patience) {
      const grpc::Status status = Infer();
      if (!status.ok()) {
        return status;
      }
    }
    FAIL("no call failed");
    return grpc::Status::OK;
  }
  HealthStatus Health() {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckResponse response;
    REQUIRE(daemon_->client().health->Check(&context, {}, &response).ok());
    return response.status();
  }
  int http_port() const { return daemon_->http_port(); }

 private:
  TempFolder folder_;
  Repository repository_;
  std::optional<TestDaemon> daemon_;
};

// The stream hangs: the caller is told to try again, the daemon stays ready, and the next calls are
// served by a new stream.
TEST_CASE("A hung stream costs its callers one answer") {
  FaultyDaemon daemon;
  REQUIRE(daemon.Infer().ok());
  daemon.SetFaults(R"([{"task": "execute", "hang": true}])");
  const grpc::Status failure = daemon.FirstFailure();
  CHECK(failure.error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK_THAT(failure.error_message(), Catch::Contains("the stream hung"));
  CHECK(daemon.Health() == grpc::health::v1::HealthCheckResponse::SERVING);
  for (int i = 0; i < 5; ++i) {
    CHECK(daemon.Infer().ok());
  }
  AwaitMetric(daemon.http_port(), "omserve_device_lanes_rebuilt_total", 1);
  CHECK(Metric(daemon.http_port(), "omserve_device_lanes_abandoned_total") == 1);
  CHECK(Metric(daemon.http_port(),
               "omserve_device_requests_abandoned_total{device=\"0\",reason=\"hung\"") == 1);
}

// The device is lost: callers are told at once, readiness and health say so while it lasts, live
// stays live; and without a restart all is served again.
TEST_CASE("A lost device is recovered without a restart") {
  FaultyDaemon daemon;
  REQUIRE(daemon.Infer().ok());
  // No model can be loaded for a few attempts, so that the test can look.
  daemon.SetFaults(R"([{"device_lost": 507010, "task": "execute"},
                       {"call": "aclmdlLoadFromMemWithMem", "code": 507899, "times": 3}])");
  const grpc::Status failure = daemon.FirstFailure();
  CHECK(failure.error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK_THAT(failure.error_message(), Catch::Contains("device 0 is being recovered"));
  CHECK_THAT(failure.error_message(), Catch::Contains("507010"));
  CHECK(daemon.Health() == grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  CHECK_THAT(HttpGet(daemon.http_port(), "/v2/health/ready"), Catch::Contains("HTTP/1.1 400"));
  CHECK_THAT(HttpGet(daemon.http_port(), "/v2/health/live"), Catch::Contains("HTTP/1.1 200"));
  CHECK(Metric(daemon.http_port(), "omserve_device_lost") == 1);
  CHECK(daemon.Infer().error_code() == grpc::StatusCode::UNAVAILABLE);
  AwaitMetric(daemon.http_port(), "omserve_device_recoveries_total", 1);
  CHECK(daemon.Infer().ok());
  CHECK(daemon.Health() == grpc::health::v1::HealthCheckResponse::SERVING);
  CHECK(Metric(daemon.http_port(), "omserve_ready") == 1);
  CHECK(Metric(daemon.http_port(), "omserve_device_lost") == 0);
  CHECK(Metric(daemon.http_port(), "omserve_device_recovery_failures_total") == 3);
  CHECK(Metric(daemon.http_port(), "omserve_device_errors_total{device=\"0\",code=\"507010\"") >=
        1);
  CHECK(Metric(daemon.http_port(), "omserve_device_last_recovery_seconds") > 0);
}

// Where readiness is not strict, it is not about devices; what converged means is.
TEST_CASE("A lost device does not count where readiness is not strict", "[1.2]") {
  FaultyDaemon daemon(/*strict_readiness=*/false);
  CHECK_THAT(HttpGet(daemon.http_port(), "/v2/health/converged"), Catch::Contains("HTTP/1.1 200"));
  daemon.SetFaults(R"([{"device_lost": 507010, "task": "execute"},
                       {"call": "aclmdlLoadFromMemWithMem", "code": 507899, "times": 3}])");
  CHECK(daemon.FirstFailure().error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK_THAT(HttpGet(daemon.http_port(), "/v2/health/converged"), Catch::Contains("HTTP/1.1 400"));
  CHECK_THAT(HttpGet(daemon.http_port(), "/v2/health/ready"), Catch::Contains("HTTP/1.1 200"));
  CHECK(daemon.Health() == grpc::health::v1::HealthCheckResponse::SERVING);
  AwaitMetric(daemon.http_port(), "omserve_device_recoveries_total", 1);
}

// A device that stays lost: after the attempts that it was given the daemon ends by itself, so that
// its supervisor can start another.
TEST_CASE("A daemon whose device stays lost ends where it was told to") {
  Repository repository;
  repository.AddText();
  repository.Write("faults.json", "[]");
  repository.Write("acl.json",
                   R"({"hostacl": {"faults_file": ")" + repository.path() + R"(/faults.json"}})");
  repository.Write("omserve.yaml", "device: {config_file: \"" + repository.path() +
                                       "/acl.json\", recovery_attempts: 2, exit_on_lost: true}\n");
  ChildDaemon daemon(repository, {"--config", repository.path() + "/omserve.yaml"});
  Client client(daemon.grpc_port());
  inference::ModelInferResponse response;
  REQUIRE(client.Infer(TextRequest("text", 1), &response).ok());
  REQUIRE_OK(WriteFileAtomically(repository.path() + "/faults.json",
                                 R"([{"device_lost": 507010, "task": "execute"},
                                     {"call": "aclrtSetDevice", "code": 507899, "times": 0}])"));
  const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(30);
  grpc::Status status;
  while (status.ok() && SteadyClock().Now() < patience) {
    status = client.Infer(TextRequest("text", 1), &response);
  }
  CHECK(status.error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(daemon.Wait() == 1);
}

}  // namespace
}  // namespace omserve::server
