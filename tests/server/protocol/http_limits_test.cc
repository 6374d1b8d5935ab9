// SPDX-License-Identifier: Apache-2.0
// Too many connections, clients that are slow and clients that are half dead, and Unix sockets.
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/clock.h"
#include "tests/server/protocol/curl.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/peer.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using std::chrono::milliseconds;

constexpr char kClosed[] = "omserve_http_closed_connections_total{reason=\"";

// Beyond the limit a connection is told so, and a place that becomes free is taken.
TEST_CASE("HTTP limits: connections", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository,
                    [](ServerConfig& config) { config.mutable_http()->set_max_connections(2); });
  const std::string live = "GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n";
  {
    const Peer first(daemon.http_port());
    const Peer second(daemon.http_port());
    REQUIRE(first.Send(live));
    CHECK_THAT(first.Receive("true}"), StartsWith("HTTP/1.1 200 "));
    REQUIRE(second.Send(live));
    CHECK_THAT(second.Receive("true}"), StartsWith("HTTP/1.1 200 "));
    const Peer third(daemon.http_port());
    third.Send(live);
    CHECK_THAT(third.Receive(), StartsWith("HTTP/1.1 503 ") && Contains("Retry-After: 1\r\n") &&
                                    Contains("Connection: close\r\n") &&
                                    Contains(R"({"error":"too many connections"})"));
    AwaitMetric(daemon.daemon().metrics_port(), std::string(kClosed) + "connections\"}", 1);
  }
  AwaitMetric(daemon.daemon().metrics_port(), "omserve_http_connections", 1);  // The scrape's.
  CHECK_THAT(HttpGet(daemon.http_port(), "/v2/health/live"), StartsWith("HTTP/1.1 200 "));
}

// Clients that say nothing, stop in a header, stop in a body, and do not read: each is closed, told
// why where it can be, and counted.
TEST_CASE("HTTP limits: half-dead clients", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, [](ServerConfig& config) {
    config.mutable_http()->set_idle_timeout_ms(3000);
    config.mutable_http()->set_header_timeout_ms(1000);
    config.mutable_http()->set_slow_after_ms(1000);
    config.mutable_http()->set_threads(2);
  });
  const int port = daemon.http_port();
  const Peer idle(port);
  const Peer header(port);
  REQUIRE(header.Send("GET /v2/health/live HTTP/1.1\r\nHo"));
  const Peer body(port);
  REQUIRE(
      body.Send("POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n"
                "\r\n{\"inputs\":"));
  const Peer chunked(port);
  REQUIRE(
      chunked.Send("POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"inp"));
  std::string many;  // Of which the answers fill every buffer on the way.
  for (int i = 0; i < 2000; ++i) {
    many += "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  const Peer reader(port, 4096);
  reader.Send(many);
  CHECK(idle.Receive().empty());
  CHECK_THAT(header.Receive(), StartsWith("HTTP/1.1 408 ") && Contains("the header took too long"));
  CHECK_THAT(body.Receive(), StartsWith("HTTP/1.1 408 ") && Contains("comes too slowly"));
  CHECK_THAT(chunked.Receive(), StartsWith("HTTP/1.1 408 ") && Contains("comes too slowly"));
  const int scrapes = daemon.daemon().metrics_port();
  AwaitMetric(scrapes, std::string(kClosed) + "slow_answer\"}", 1);
  AwaitMetric(scrapes, std::string(kClosed) + "slow_body\"}", 2);
  AwaitMetric(scrapes, std::string(kClosed) + "slow_header\"}", 1);
  AwaitMetric(scrapes, "omserve_http_connections", 1);  // The scrape's own.
}

// An answer that fills every buffer on the way, to a client that reads it when the daemon ends.
TEST_CASE("HTTP: the end of the daemon cuts no answer", "[protocol]") {
  Repository repository;
  repository.AddText("text", "max_batch_size: 512\n");
  TestDaemon daemon(repository);
  inference::ModelInferRequest request = TextRequest("text", 512);
  std::string body = R"({"inputs":[)";
  for (int i = 0; i < 2; ++i) {
    body += fmt::format(R"({}{{"name":"{}","datatype":"INT64","shape":[512,32],"data":[)",
                        i == 0 ? "" : ",", request.inputs(i).name());
    for (int value = 0; value < 512 * 32; ++value) {
      body += value == 0 ? "1" : ",1";
    }
    body += "]}";
  }
  body += "]}";
  const Peer peer(daemon.http_port(), 64 * 1024);
  REQUIRE(
      peer.Send(fmt::format("POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\n"
                            "Content-Length: {}\r\n\r\n{}",
                            body.size(), body)));
  AwaitMetric(daemon.daemon().metrics_port(), "nv_inference_count{model=\"text\",version=\"1\"}",
              512);
  absl::Status stopped;
  std::jthread stopper([&] { stopped = daemon.daemon().Stop(); });
  const std::string answer = peer.Receive();
  stopper.join();
  CHECK(stopped.ok());
  REQUIRE_THAT(answer, StartsWith("HTTP/1.1 200 "));
  CHECK(answer.ends_with("]}]}"));
}

// What the parser waits for the end of has to end: an extension of a chunk, and a trailer.
TEST_CASE("HTTP limits: chunks without an end", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  for (const char* begin : {"1;", "0\r\nX: "}) {
    const Peer peer(daemon.http_port());
    REQUIRE(peer.Send(std::string("POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n") +
                      begin + std::string(64 * 1024, 'a')));
    CHECK_THAT(peer.Receive(), StartsWith("HTTP/1.1 400 ") && Contains("not a chunked body"));
  }
}

// Wherever the network cuts a chunked body: also between the last chunk's size and its end.
TEST_CASE("HTTP: chunks that come byte by byte", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const std::map<std::string, std::string> bodies = {
      {"0\r\n\r\n", "JSON"},
      {"2\r\n{}\r\n0\r\n\r\n", "expected 2 inputs"},
      {"2;a=b\r\n{}\r\n00\r\nX: y\r\n\r\n", "expected 2 inputs"}};
  for (const auto& [body, why] : bodies) {
    const Peer peer(daemon.http_port());
    REQUIRE(
        peer.Send("POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n"));
    for (const char byte : body) {
      REQUIRE_FALSE(peer.HasAnswer(milliseconds(5)));
      REQUIRE(peer.Send(std::string(1, byte)));
    }
    CHECK_THAT(peer.Receive("}"), StartsWith("HTTP/1.1 400 ") && Contains(why));
  }
}

// A body that takes several times the window and moves in each is served.
TEST_CASE("HTTP limits: a slow client that moves", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, [](ServerConfig& config) {
    config.mutable_http()->set_slow_after_ms(3000);
    config.mutable_http()->set_least_bytes_per_second(1);
  });
  const Peer peer(daemon.http_port());
  REQUIRE(
      peer.Send("POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 1000002\r\n"
                "\r\n"));
  const Clock::time_point until = SteadyClock().Now() + milliseconds(7000);
  size_t sent = 0;
  while (SteadyClock().Now() < until) {
    REQUIRE_FALSE(peer.HasAnswer(milliseconds(50)));
    REQUIRE(peer.Send("    "));
    sent += 4;
  }
  REQUIRE(peer.Send(std::string(1'000'000 - sent, ' ') + "{}"));
  CHECK_THAT(peer.Receive("}"), StartsWith("HTTP/1.1 400 ") && Contains("expected 2 inputs"));
}

// Several threads: each connection is served, whichever has it.
TEST_CASE("HTTP limits: threads", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository,
                    [](ServerConfig& config) { config.mutable_http()->set_threads(3); });
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 10; ++i) {
    peers.push_back(std::make_unique<Peer>(daemon.http_port()));
    REQUIRE(peers.back()->Send("GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n"));
  }
  for (const auto& peer : peers) {
    CHECK_THAT(peer->Receive("true}"), StartsWith("HTTP/1.1 200 "));
  }
}

// A Unix socket in place of the port: one that was left behind is replaced, one that is in use is
// not, and it goes with the daemon.
TEST_CASE("HTTP: a Unix socket", "[protocol]") {
  Repository repository;
  repository.AddText();
  const TempFolder folder;
  const std::string path = folder.path() + "/http.socket";
  const auto use_socket = [&path](ServerConfig& config) {
    config.mutable_http()->set_unix_socket(path);
  };
  {
    const int abandoned = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.copy(address.sun_path, sizeof(address.sun_path) - 1) == path.size());
    REQUIRE(bind(abandoned, static_cast<sockaddr*>(static_cast<void*>(&address)),
                 sizeof(address)) == 0);
    close(abandoned);
    REQUIRE(std::filesystem::exists(path));
  }
  {
    TestDaemon daemon(repository, use_socket);
    CHECK(daemon.http_port() == 0);
    const std::string curl = "--unix-socket '" + path + "' http://localhost";
    CHECK(Curl(curl + "/v2/health/ready").body == R"({"ready":true})");
    HttpCounters counters;
    const absl::Status taken =
        HttpServer::Start({.unix_socket = path}, {}, SteadyClock(), counters).status();
    CHECK(taken.code() == absl::StatusCode::kUnavailable);
    CHECK_THAT(std::string(MessageOf(taken)), Contains("http.unix_socket"));
    CHECK(Curl(curl + "/v2/health/ready").status == 200);
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace omserve::server
