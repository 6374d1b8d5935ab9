// SPDX-License-Identifier: Apache-2.0
// How a request can end, wherever it is: each state of it with each event, through each front end.
// Whatever happens, it is answered once and counted once, and its memory comes back.
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/peer.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelStreamInferResponse;
using std::chrono::milliseconds;

enum class Front { kGrpc, kStream, kRest };
enum class State { kReceived, kQueued, kLaunched };
enum class Event { kCancel, kDeadline, kShutdown };

// How it ended for the client.
enum class End { kAnswered, kCancelled, kExpired, kRefused };

constexpr milliseconds kDeadline{60};
constexpr milliseconds kPatience{60'000};

const char* Name(Front front) {
  return front == Front::kGrpc ? "gRPC" : front == Front::kStream ? "stream" : "REST";
}

// A text model whose batches take 300 ms; in kQueued its requests wait for company that does not
// come.
class SlowDaemon final {
 public:
  explicit SlowDaemon(State state) {
    repository_.AddText("text", state == State::kQueued
                                    ? "dynamic_batching: {preferred_batch_size: [8], "
                                      "max_queue_delay_microseconds: 600000000}\n"
                                    : "");
    REQUIRE_OK(WriteFileAtomically(
        folder_.path() + "/acl.json",
        R"({"hostacl": {"engine": "timed", "timed": {"default_cost_us": 300000, "jitter": 0}}})"));
    daemon_.emplace(repository_, [this](ServerConfig& config) {
      config.mutable_device()->set_config_file(folder_.path() + "/acl.json");
      config.mutable_scheduler()->set_warm_up_runs(0);  // No request is known to be late.
    });
  }

  TestDaemon& operator*() { return *daemon_; }
  void Stop() { CHECK(daemon_->daemon().Stop().ok()); }
  double Value(const std::string& metric) const {
    return Metric(daemon_->http_port(), metric).value_or(-1);
  }
  // Until the request is where it is wanted.
  void Await(State state) const {
    if (state == State::kQueued) {
      AwaitMetric(daemon_->http_port(), "omserve_queue_rows{model=\"text\",version=\"1\"}", 1);
    } else if (state == State::kLaunched) {
      AwaitMetric(daemon_->http_port(),
                  "omserve_output_sets_used{model=\"text\",version=\"1\",device=\"0\"}", 1);
    }
  }

 private:
  TempFolder folder_;
  Repository repository_;
  std::optional<TestDaemon> daemon_;
};

End EndOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return End::kAnswered;
    case grpc::StatusCode::CANCELLED:
      return End::kCancelled;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return End::kExpired;
    default:
      UNSCOPED_INFO(status.error_message());
      return End::kRefused;
  }
}

// A client with one request, which it sends at once and waits for on a thread of its own.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual void Cancel() = 0;
  virtual End Wait() = 0;
};

class GrpcCaller final : public Caller {
 public:
  GrpcCaller(TestDaemon& daemon, bool is_stream, milliseconds deadline) {
    Client::SetDeadline(context_, deadline);
    thread_ = std::thread([this, &daemon, is_stream] {
      const inference::ModelInferRequest request = TextRequest("text", 1);
      status_ = is_stream ? Stream(daemon, request)
                          : daemon.client().stub->ModelInfer(&context_, request, &response_);
    });
  }
  ~GrpcCaller() override {
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  void Cancel() override { context_.TryCancel(); }
  End Wait() override {
    thread_.join();
    return EndOf(status_);
  }

 private:
  grpc::Status Stream(TestDaemon& daemon, const inference::ModelInferRequest& request) {
    const auto stream = daemon.client().stub->ModelStreamInfer(&context_);
    stream->Write(request);
    stream->WritesDone();
    int answers = 0;
    std::string error;
    ModelStreamInferResponse response;
    while (stream->Read(&response)) {
      ++answers;
      error += response.error_message();
    }
    const grpc::Status status = stream->Finish();
    if (!status.ok()) {
      return status;
    }
    return answers == 1 && error.empty() ? status : grpc::Status(grpc::StatusCode::UNKNOWN, error);
  }

  grpc::ClientContext context_;
  inference::ModelInferResponse response_;
  grpc::Status status_;
  std::thread thread_;
};

class RestCaller final : public Caller {
 public:
  // Without `whole` the last byte of the request is kept back.
  RestCaller(TestDaemon& daemon, milliseconds deadline, bool whole)
      : peer_(std::in_place, daemon.http_port()) {
    std::string numbers = "1";
    for (int i = 1; i < 32; ++i) {
      numbers += ",0";
    }
    const std::string input = R"(,"shape":[1,32],"datatype":"INT64","data":[)" + numbers + "]}";
    std::string body = R"({"inputs":[{"name":"input_ids")" + input +
                       R"(,{"name":"attention_mask")" + input +
                       R"(],"outputs":[{"name":"text_features","parameters":{"binary_data":true}}])"
                       R"(,"parameters":{"timeout":)" +
                       std::to_string(deadline.count() * 1000) + "}}";
    std::string request =
        "POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    if (!whole) {
      request.pop_back();
    }
    CHECK(peer_->Send(request));
  }
  void Cancel() override { peer_.reset(); }
  End Wait() override {
    if (!peer_.has_value()) {
      return End::kCancelled;
    }
    const std::string answer = peer_->Receive();
    if (answer.starts_with("HTTP/1.1 200 ")) {
      return End::kAnswered;
    }
    UNSCOPED_INFO(answer);
    return answer.find("timeout expired") != std::string::npos ||
                   answer.starts_with("HTTP/1.1 504 ")
               ? End::kExpired
               : End::kRefused;
  }

 private:
  std::optional<Peer> peer_;
};

std::unique_ptr<Caller> Call(Front front, TestDaemon& daemon, milliseconds deadline) {
  if (front == Front::kRest) {
    return std::make_unique<RestCaller>(daemon, deadline, /*whole=*/true);
  }
  return std::make_unique<GrpcCaller>(daemon, front == Front::kStream, deadline);
}

// What may become of it. What runs when the event comes may be answered before it is felt.
std::set<End> Expected(State state, Event event) {
  std::set<End> ends;
  if (state == State::kLaunched || event == Event::kShutdown) {
    ends.insert(End::kAnswered);
  }
  if (event == Event::kCancel) {
    ends.insert(End::kCancelled);
  } else if (event == Event::kDeadline) {
    ends.insert(End::kExpired);
  }
  return ends;
}

void CheckCounted(const SlowDaemon& daemon) {
  const std::string model = "{model=\"text\",version=\"1\"";
  double counted = daemon.Value("nv_inference_request_success" + model + "}");
  for (const char* reason : {"REJECTED", "CANCELED", "BACKEND", "OTHER"}) {
    counted += daemon.Value("nv_inference_request_failure" + model + ",reason=\"" + reason + "\"}");
  }
  CHECK(counted == 1);
}

void CheckCell(Front front, State state, Event event) {
  CAPTURE(Name(front), static_cast<int>(state), static_cast<int>(event));
  SlowDaemon daemon(state);
  const std::unique_ptr<Caller> caller =
      Call(front, *daemon, event == Event::kDeadline ? kDeadline : kPatience);
  if (event != Event::kDeadline) {  // Which may come before the request is seen anywhere.
    daemon.Await(state);
  }
  if (event == Event::kCancel) {
    caller->Cancel();
  } else if (event == Event::kShutdown) {
    daemon.Stop();
  }
  CHECK(Expected(state, event).contains(caller->Wait()));
  if (event != Event::kShutdown) {
    AwaitMetric((*daemon).http_port(), "nv_pinned_memory_pool_used_bytes", 0);
    AwaitMetric((*daemon).http_port(), "omserve_requests_in_flight{device=\"0\"}", 0);
    CheckCounted(daemon);
  }
}

// 18 cells: three front ends, a request that waits or runs, and three events.
TEST_CASE("A request that waits or runs ends once", "[1.14][1.15]") {
  for (const Front front : {Front::kGrpc, Front::kStream, Front::kRest}) {
    for (const State state : {State::kQueued, State::kLaunched}) {
      for (const Event event : {Event::kCancel, Event::kDeadline, Event::kShutdown}) {
        CheckCell(front, state, event);
      }
    }
  }
}

// What has not come whole is no request yet: nothing is counted, and nothing holds up the daemon's
// end.
TEST_CASE("A request that is being received ends without a trace") {
  for (const Event event : {Event::kCancel, Event::kShutdown}) {
    CAPTURE(static_cast<int>(event));
    SlowDaemon daemon(State::kReceived);
    RestCaller caller(*daemon, kPatience, /*whole=*/false);
    AwaitMetric((*daemon).http_port(), "omserve_http_connections", 2);  // And who asks.
    if (event == Event::kCancel) {
      caller.Cancel();
      AwaitMetric((*daemon).http_port(), "omserve_http_connections", 1);
      CHECK(daemon.Value("nv_inference_request_success{model=\"text\",version=\"1\"}") == 0);
      CHECK(daemon.Value("nv_pinned_memory_pool_used_bytes") == 0);
    } else {
      daemon.Stop();
      CHECK(caller.Wait() == End::kRefused);
    }
  }
}

// It is answered, and its client has not looked: one that ends then holds no memory, and one that
// looks when the daemon has ended finds it. Answers that no socket holds: http_limits_test.
TEST_CASE("An answer that was not read yet") {
  for (const Event event : {Event::kCancel, Event::kShutdown}) {
    CAPTURE(static_cast<int>(event));
    SlowDaemon daemon(State::kReceived);
    RestCaller caller(*daemon, kPatience, /*whole=*/true);
    AwaitMetric((*daemon).http_port(), "nv_inference_request_success{model=\"text\",version=\"1\"}",
                1);
    if (event == Event::kCancel) {
      caller.Cancel();
      AwaitMetric((*daemon).http_port(), "nv_pinned_memory_pool_used_bytes", 0);
    } else {
      daemon.Stop();
      CHECK(caller.Wait() == End::kAnswered);
    }
  }
}

}  // namespace
}  // namespace omserve::server
