// SPDX-License-Identifier: Apache-2.0
// A daemon is live while its loops turn.
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "runtime/base/log.h"
#include "server/core/heartbeats.h"
#include "server/http/http_server.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/peer.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using HealthCheckRequest = grpc::health::v1::HealthCheckRequest;
using HealthCheckResponse = grpc::health::v1::HealthCheckResponse;

// A loop that answers once it is let.
class PlantedLoop final {
 public:
  Heartbeats::Ask Ask() {
    return [this](std::function<void()> beat) {
      const MutexLock lock(mu_);
      if (turns_) {
        beat();
      } else {
        beat_ = std::move(beat);
      }
    };
  }
  void Turn() {
    const MutexLock lock(mu_);
    turns_ = true;
    if (beat_) {
      beat_();
    }
  }

 private:
  Mutex mu_;
  bool turns_ ABSL_GUARDED_BY(mu_) = false;
  std::function<void()> beat_ ABSL_GUARDED_BY(mu_);
};

std::string Await(const std::function<std::string()>& ask, const std::string& wanted) {
  const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(30);
  std::string answer = ask();
  while (answer.find(wanted) == std::string::npos && SteadyClock().Now() < patience) {
    Pause(std::chrono::milliseconds(10));
    answer = ask();
  }
  return answer;
}

// Over every protocol a stuck loop is told, with its name over HTTP, and Watch tells of it and of
// its end. A daemon that is not live takes no new clients either.
TEST_CASE("Liveness: a stuck loop", "[protocol]") {
  InitLog({.level = LogLevel::kOff});
  Repository repository;
  repository.AddText();
  ServerConfig config = TestConfig(repository);
  config.mutable_health()->set_loop_timeout_ms(3000);
  PlantedLoop planted;
  const std::unique_ptr<Daemon> daemon = VALUE(Daemon::Start(
      {.config = config,
       .version = "1",
       .add_loops =
           [&planted](Heartbeats& heartbeats) { heartbeats.Add("planted", planted.Ask()); }},
      SteadyClock()));
  const auto live = [&daemon] { return HttpGet(daemon->http_port(), "/v2/health/live"); };
  CHECK_THAT(
      Await(live, "HTTP/1.1 400 "),
      StartsWith("HTTP/1.1 400 ") &&
          Contains(R"({"live":false,"reason":"planted has not turned for more than 3000 ms"})"));
  CHECK_THAT(HttpGet(daemon->http_port(), "/v2/health/ready"), StartsWith("HTTP/1.1 400 "));
  CHECK(Metric(daemon->http_port(), "omserve_loop_stuck{loop=\"planted\"}") == 1);
  for (const char* loop :
       {"http-0", "metrics-0", "grpc-0", "admin.http-0", "admin.grpc-0", "device-0"}) {
    CAPTURE(loop);
    CHECK(Metric(daemon->http_port(), std::string("omserve_loop_stuck{loop=\"") + loop + "\"}") ==
          0);
  }
  Client client(daemon->grpc_port());
  inference::ServerLiveResponse over_grpc;
  REQUIRE(client
              .Call(&inference::GRPCInferenceService::Stub::ServerLive,
                    inference::ServerLiveRequest(), &over_grpc)
              .ok());
  CHECK_FALSE(over_grpc.live());
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  HealthCheckRequest request;
  request.set_service("omserve/live");
  const auto watch = client.health->Watch(&context, request);
  HealthCheckResponse response;
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::NOT_SERVING);
  planted.Turn();
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::SERVING);
  CHECK_THAT(Await(live, "HTTP/1.1 200 "), Contains(R"({"live":true})"));
  context.TryCancel();
  REQUIRE_OK(daemon->Stop());
}

// The loop of an HTTP port's thread, with a handler that does not return.
TEST_CASE("Liveness: a handler that does not return", "[protocol]") {
  InitLog({.level = LogLevel::kOff});
  Mutex mu;
  CondVar changed;
  bool is_let_go = false;
  std::string stuck;
  std::vector<Route> routes;
  routes.push_back(
      {.verb = "GET", .pattern = "/stay", .handler = AtOnce([&](const HttpRequest& /*request*/) {
                                            const MutexLock lock(mu);
                                            while (!is_let_go) {
                                              changed.Wait(mu);
                                            }
                                            return HttpReply{.body = "gone"};
                                          })});
  HttpCounters counters;
  const std::unique_ptr<HttpServer> server =
      VALUE(HttpServer::Start({.name = "stay", .address = "127.0.0.1", .port = 0},
                              std::move(routes), SteadyClock(), counters));
  Heartbeats heartbeats(
      SteadyClock(),
      {.interval = std::chrono::milliseconds(5), .limit = std::chrono::milliseconds(100)},
      [&](const std::string& text) {
        const MutexLock lock(mu);
        stuck = text;
        changed.NotifyAll();
      });
  server->AddLoops(heartbeats);
  heartbeats.Start();
  const Peer peer(server->port());
  REQUIRE(peer.Send("GET /stay HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  {
    const MutexLock lock(mu);
    while (stuck.empty()) {
      changed.Wait(mu);
    }
    CHECK(stuck == "stay-0 has not turned for more than 100 ms");
    is_let_go = true;
    changed.NotifyAll();
    while (!stuck.empty()) {
      changed.Wait(mu);
    }
  }
  CHECK_THAT(peer.Receive(), Contains("gone"));
  heartbeats.Stop();
}

}  // namespace
}  // namespace omserve::server
