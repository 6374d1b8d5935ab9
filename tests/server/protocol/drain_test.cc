// SPDX-License-Identifier: Apache-2.0
// How clients are sent away when the daemon ends, seen by clients whose bytes are written by hand.
#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/peer.h"
#include "tests/server/protocol/raw_call.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

// A request waits until the drain sends it on alone, and then runs for a while.
constexpr char kPatientConfig[] =
    "dynamic_batching: {preferred_batch_size: [8], max_queue_delay_microseconds: 60000000}\n";

std::function<void(ServerConfig&)> Slowly(const Repository& repository) {
  // A file beside the models is no model.
  repository.Write("acl.json", R"({"hostacl": {"faults": [{"task": "execute", "slow": 2000.0}]}})");
  return [&repository](ServerConfig& config) {
    config.mutable_device()->set_config_file(repository.path() + "/acl.json");
  };
}

// gRPC's clients learn that they are to go elsewhere before what was accepted is answered, and not
// after.
TEST_CASE("Drain: gRPC sends clients away first", "[protocol]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository, Slowly(repository));
  RawCall call(daemon.daemon().grpc_port());
  call.Begin("ModelInfer");
  call.SendMessage(TextRequest("patient", 1).SerializeAsString());
  AwaitMetric(daemon.http_port(), "omserve_queue_rows{model=\"patient\",version=\"1\"}", 1);
  absl::Status stopped;
  std::jthread stopper([&] { stopped = daemon.daemon().Stop(); });
  const RawCall::Came came = call.Receive();
  const std::string& kinds = came.kinds;
  stopper.join();
  CHECK(stopped.ok());
  CAPTURE(kinds);
  const size_t away = kinds.find('G');
  const size_t answer = kinds.find('D');
  REQUIRE(away != std::string::npos);
  REQUIRE(answer != std::string::npos);
  CHECK(away < answer);
  CHECK(came.status == 0);
}

// HTTP answers of a drain end their connection; until then they do not.
TEST_CASE("Drain: HTTP answers are the last of their connection", "[protocol]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository);
  const Peer peer(daemon.http_port());
  REQUIRE(peer.Send("GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK_THAT(peer.Receive("true}"), !Contains("Connection: close"));
  std::string data = "1";
  for (int i = 1; i < 32; ++i) {
    data += ",1";
  }
  std::string body = R"({"inputs":[)";
  for (const char* name : {"input_ids", "attention_mask"}) {
    body += std::string(body.back() == '[' ? "" : ",") + R"({"name":")" + name +
            R"(","datatype":"INT64","shape":[1,32],"data":[)" + data + "]}";
  }
  body += "]}";
  REQUIRE(peer.Send("POST /v2/models/patient/infer HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body));
  AwaitMetric(daemon.daemon().metrics_port(), "omserve_queue_rows{model=\"patient\",version=\"1\"}",
              1);
  REQUIRE_OK(daemon.daemon().Stop());
  CHECK_THAT(peer.Receive(), StartsWith("HTTP/1.1 200 ") && Contains("Connection: close\r\n"));
}

// During the delay the daemon is not ready, and clients are neither refused nor sent away.
TEST_CASE("Drain: the delay before it", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, [](ServerConfig& config) {
    config.mutable_shutdown()->set_drain_delay_ms(6000);
  });
  const int port = daemon.http_port();
  absl::Status stopped;
  std::jthread stopper([&] { stopped = daemon.daemon().Stop(); });
  const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(30);
  std::string ready;
  while (ready.find("{\"ready\":false}") == std::string::npos && SteadyClock().Now() < patience) {
    ready = HttpGet(port, "/v2/health/ready");
  }
  const Peer peer(port);
  REQUIRE(peer.Send("GET /v2/health/ready HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK_THAT(peer.Receive("false}"), StartsWith("HTTP/1.1 400 ") && !Contains("Connection: close"));
  inference::ModelInferResponse response;
  CHECK(daemon.client().Infer(TextRequest("text", 1), &response).ok());
  stopper.join();
  CHECK(stopped.ok());
}

}  // namespace
}  // namespace omserve::server
