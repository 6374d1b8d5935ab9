// SPDX-License-Identifier: Apache-2.0
// generate and generate_stream of a daemon, asked by curl, and answers in pieces of a port alone.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "server/http/http_server.h"
#include "tests/server/protocol/curl.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/peer.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;

constexpr char kJson[] = "Content-Type: application/json\r\n";

void AddModels(const Repository& repository) {
  repository.AddWords();
  repository.AddText("patient",
                     "dynamic_batching: {preferred_batch_size: [2, 8], "
                     "max_queue_delay_microseconds: 60000000}\n");
}

std::string TextBody(const std::string& more = "") {
  std::string ids;
  std::string mask;
  for (int i = 0; i < 32; ++i) {
    ids += (i > 0 ? "," : "") + std::to_string(i < 5 ? i + 1 : 0);
    mask += (i > 0 ? "," : "") + std::to_string(i < 5 ? 1 : 0);
  }
  return R"({"input_ids":[)" + ids + R"(],"attention_mask":[)" + mask + "]" + more + "}";
}

std::string RawFloats(const boost::json::value& numbers) {
  std::string raw;
  for (const boost::json::value& number : numbers.as_array()) {
    const auto value = number.to_number<float>();
    raw.append(static_cast<const char*>(static_cast<const void*>(&value)), sizeof(value));
  }
  return raw;
}

// The same values as over gRPC, as one object and as the one event of a stream.
TEST_CASE("HTTP generate: a model and a pipeline",
          "[1.2/generate][1.2/generate-stream][1.10/scalar][1.10/array][1.10/parameters]"
          "[1.10/id][1.10/answer][1.10/events][1.10/text-input]") {
  Repository repository;
  AddModels(repository);
  TestDaemon daemon(repository);
  inference::ModelInferResponse expected;
  REQUIRE(daemon.client().Infer(TextRequest("text", 1), &expected).ok());
  for (const char* path : {"/v2/models/text/", "/v2/models/text/versions/1/"}) {
    const CurlAnswer answer =
        Post(daemon.http_port(), path + std::string("generate"),
             TextBody(R"(,"id":"q7","parameters":{"temperature":0.5},"timeout":20000000)"));
    INFO(answer.body.substr(0, 300));
    REQUIRE(answer.status == 200);
    CHECK_THAT(answer.header, Contains(kJson));
    const boost::json::value json = boost::json::parse(answer.body);
    CHECK(json.at("id").as_string() == "q7");
    CHECK(json.at("model_name").as_string() == "text");
    CHECK(json.at("model_version").as_string() == "1");
    CHECK(RawFloats(json.at("text_features")) == expected.raw_output_contents(0));

    const CurlAnswer stream = Post(daemon.http_port(), path + std::string("generate_stream"),
                                   TextBody(R"(,"id":"q7")"), "-N --compressed");
    REQUIRE(stream.status == 200);
    CHECK_THAT(stream.header, Contains("Content-Type: text/event-stream; charset=utf-8\r\n") &&
                                  Contains("Transfer-Encoding: chunked\r\n"));
    CHECK(stream.body == "data: " + answer.body + "\n\n");
  }
  const CurlAnswer words = Post(daemon.http_port(), "/v2/models/words/generate",
                                R"({"text_input":"count the objects"})");
  INFO(words.body.substr(0, 300));
  REQUIRE(words.status == 200);
  const boost::json::value json = boost::json::parse(words.body);
  CHECK(json.at("features").as_array().size() == 32 * 96);
  CHECK_FALSE(json.as_object().contains("id"));
}

// Errors before the first event are what they are without a stream.
TEST_CASE("HTTP generate: errors", "[1.8/reserved][1.10/error-before]") {
  Repository repository;
  AddModels(repository);
  TestDaemon daemon(repository);
  const auto check = [&](const std::string& model, const std::string& body, int status,
                         const std::string& text) {
    for (const char* verb : {"/generate", "/generate_stream"}) {
      const CurlAnswer answer = Post(daemon.http_port(), "/v2/models/" + model + verb, body);
      INFO(answer.body);
      CHECK(answer.status == status);
      CHECK_THAT(answer.header, Contains(kJson));
      CHECK_THAT(answer.body, StartsWith(R"({"error":")") && Contains(text));
    }
  };
  check("nobody", "{}", 404, "Request for unknown model");
  check("text", "{", 400, "not a JSON object");
  check("text", R"({"input_ids":1})", 400, "got 1 elements, expected 32");
  check("words", "{}", 400, "expected 1 inputs but got 0 inputs");
  check("words", R"({"text_input":5})", 400, "text_input");
  check("words", R"({"text_input":"a","triton_x":1})", 400, "triton_x");
  check("patient", TextBody(R"(,"timeout":1)"), 504, "deadline");
}

// A client that goes away cancels what it asked for.
TEST_CASE("HTTP generate: a client that goes away", "[1.10/disconnect][1.14/disconnect]") {
  Repository repository;
  AddModels(repository);
  TestDaemon daemon(repository);
  CHECK(Post(daemon.http_port(), "/v2/models/patient/generate_stream", TextBody(), "--max-time 0.3")
            .exit_code == 28);  // curl's own timeout.
  AwaitMetric(daemon.http_port(),
              "nv_inference_request_failure{model=\"patient\",version=\"1\",reason=\"CANCELED\"}",
              1);
  AwaitMetric(daemon.http_port(), "omserve_requests_in_flight", 0);
}

// A port with a route that gives its exchange to the test.
class StreamingPort final {
 public:
  StreamingPort() {
    HttpLimits limits;
    limits.max_body_bytes = 1 << 20;
    std::vector<Route> routes;
    routes.push_back(
        {.verb = "POST",
         .pattern = "/stream",
         .handler = [this](const HttpRequest&, const std::shared_ptr<HttpExchange>& exchange) {
           exchange->OnGone([this] {
             const MutexLock lock(mu_);
             gone_ = true;
             changed_.NotifyAll();
           });
           const MutexLock lock(mu_);
           exchange_ = exchange;
           changed_.NotifyAll();
         }});
    server_ = VALUE(HttpServer::Start({.address = "127.0.0.1", .port = 0, .limits = limits},
                                      std::move(routes), SteadyClock(), counters_));
  }

  int port() const { return server_->port(); }
  std::shared_ptr<HttpExchange> Await() {
    const MutexLock lock(mu_);
    while (exchange_ == nullptr) {
      changed_.Wait(mu_);
    }
    return std::exchange(exchange_, nullptr);
  }
  void AwaitGone() {
    const MutexLock lock(mu_);
    while (!gone_) {
      changed_.Wait(mu_);
    }
  }
  // Sends `request` and gives what comes back until `until`.
  std::string Ask(const std::string& request, const std::string& until,
                  const std::function<void(HttpExchange&)>& answer) {
    std::string received;
    std::thread client([&] { received = SendHttp(port(), request, until); });
    answer(*Await());
    client.join();
    return received;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::shared_ptr<HttpExchange> exchange_ ABSL_GUARDED_BY(mu_);
  bool gone_ ABSL_GUARDED_BY(mu_) = false;
  HttpCounters counters_;
  std::unique_ptr<HttpServer> server_;
};

// Pieces are chunks of HTTP/1.1, after which the connection goes on, and are as they are for 1.0.
TEST_CASE("HTTP: an answer in pieces", "[1.10/events]") {
  StreamingPort port;
  const auto answer = [](HttpExchange& exchange) {
    exchange.Begin({.content_type = "text/event-stream"});
    exchange.Send("first");
    exchange.Send("");
    exchange.Send(std::string(300'000, 'x'));
    exchange.Send("last");
    exchange.End();
  };
  const std::string received = port.Ask(
      "POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
      "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n",
      "Not Found", answer);
  CHECK_THAT(received,
             StartsWith("HTTP/1.1 200 OK\r\n") &&
                 Contains("Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n493e0\r\nxx") &&
                 Contains("xx\r\n4\r\nlast\r\n0\r\n\r\nHTTP/1.1 404 "));
  const std::string old =
      port.Ask("POST /stream HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
               "last", answer);
  CHECK_THAT(old, StartsWith("HTTP/1.0 200 OK\r\n") && Contains("Connection: close\r\n") &&
                      !Contains("chunked") && Contains("\r\n\r\nfirstxx") && EndsWith("xxlast"));
}

// The handler learns that the client is gone also after the beginning of its answer; what it still
// says does no harm. One who takes nothing has gone when too much waits for him.
TEST_CASE("HTTP: an answer in pieces to nobody", "[1.10/disconnect]") {
  const std::string request = "POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
  {
    StreamingPort port;
    auto peer = std::make_unique<Peer>(port.port());
    REQUIRE(peer->Send(request));
    const std::shared_ptr<HttpExchange> exchange = port.Await();
    exchange->Begin({});
    exchange->Send("first");
    CHECK_THAT(peer->Receive("first"), Contains("first"));
    peer.reset();
    port.AwaitGone();
    exchange->Send("second");
    exchange->End();
  }
  StreamingPort port;
  const Peer peer(port.port(), 4096);
  REQUIRE(peer.Send(request));
  const std::shared_ptr<HttpExchange> exchange = port.Await();
  exchange->Begin({});
  for (int i = 0; i < 16; ++i) {  // More than every buffer on the way holds.
    exchange->Send(std::string(4 << 20, 'x'));
  }
  port.AwaitGone();
  exchange->End();
}

}  // namespace
}  // namespace omserve::server
