// SPDX-License-Identifier: Apache-2.0
#include "tests/server/protocol/ending_daemon.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <utility>

#include "runtime/base/file.h"
#include "tests/server/protocol/raw_call.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelInferRequest;
using inference::ModelStreamInferResponse;
using std::chrono::milliseconds;

constexpr milliseconds kPatience{60'000};
constexpr char kTextSets[] = "omserve_output_sets_used{model=\"text\",version=\"1\",device=\"0\"}";
constexpr char kText[] = "{model=\"text\",version=\"1\"";
constexpr int kFullRows = 4;     // Whose answers are small, as 512 rows' are not.
constexpr int kLargeRows = 512;  // 6 MB of answer.
constexpr int kFewBytes = 4096;  // Of an answer, in the memory of its client's system.

End EndOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return End::kAnswered;
    case grpc::StatusCode::CANCELLED:
      return End::kCancelled;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return End::kExpired;
    case grpc::StatusCode::UNAVAILABLE:
      return End::kRefused;
    default:
      return End::kDropped;
  }
}

End EndOf(int code) { return EndOf(grpc::Status(static_cast<grpc::StatusCode>(code), "")); }

// Whose message comes in two halves.
class HalfGrpcCall final : public OneCall {
 public:
  HalfGrpcCall(int port, bool is_stream, milliseconds deadline)
      : is_stream_(is_stream),
        deadline_(deadline),
        message_(RawCall::Framed(TextRequest("text", 1).SerializeAsString())),
        call_(std::in_place, port) {}

  void Start() override {
    start_ = SteadyClock().Now();
    call_->Begin(is_stream_ ? "ModelStreamInfer" : "ModelInfer",
                 std::to_string(deadline_.count()) + "m");
    call_->SendData(message_.substr(0, message_.size() / 2), /*is_last=*/false);
    call_->AwaitRead();
  }
  void SendRest() override {
    call_->SendData(message_.substr(message_.size() / 2), /*is_last=*/true);
  }
  void Cancel() override {
    call_->Cancel();
    call_->AwaitRead();
    is_cancelled_ = true;
  }
  void Disconnect() override {
    const FarEnd daemons = call_->far_end();
    call_->ResetAtEnd();
    call_.reset();
    daemons.AwaitClosed();
  }
  bool HasEnded() const override { return false; }
  End Wait() override {
    if (is_cancelled_) {
      return End::kCancelled;
    }
    if (!call_.has_value()) {
      return End::kDropped;
    }
    const RawCall::Came came = call_->Receive();
    UNSCOPED_INFO(came.kinds << " " << came.status << " " << came.reset << " " << came.data);
    if (is_stream_ && came.status == 0) {  // Errors are in the stream.
      return came.data.find("shutting down") != std::string::npos ? End::kRefused : End::kDropped;
    }
    if (came.reset == RawCall::kCancelled && SteadyClock().Now() >= start_ + deadline_) {
      return End::kExpired;  // gRPC knows it to be late.
    }
    return EndOf(came.status);
  }

 private:
  const bool is_stream_;
  const milliseconds deadline_;
  const std::string message_;
  std::optional<RawCall> call_;
  Clock::time_point start_;
  bool is_cancelled_ = false;
};

class GrpcOneCall final : public OneCall {
 public:
  struct Options {
    int port;
    bool is_stream;
    int rows;
    milliseconds deadline;
    int receive_bytes = 0;  // Of Relay.
  };
  explicit GrpcOneCall(const Options& options)
      : options_(options), relay_(options.port, options.receive_bytes), client_(relay_.port()) {
    REQUIRE(client_.channel->WaitForConnected(std::chrono::system_clock::now() + kPatience));
  }
  ~GrpcOneCall() override {
    relay_.PassAnswers();
    if (thread_.joinable()) {
      context_.TryCancel();
      thread_.join();
    }
  }

  void Start() override {
    Client::SetDeadline(context_, options_.deadline);
    thread_ = std::thread([this] {
      const ModelInferRequest request = TextRequest("text", options_.rows);
      status_ = options_.is_stream ? Stream(request)
                                   : client_.stub->ModelInfer(&context_, request, &response_);
      has_ended_ = true;
    });
  }
  void HoldAnswers() override { relay_.HoldAnswers(); }
  void PassAnswers() override { relay_.PassAnswers(); }
  void Cancel() override { context_.TryCancel(); }
  void Disconnect() override { relay_.Reset(); }
  bool HasEnded() const override { return has_ended_; }
  End Wait() override {
    thread_.join();
    UNSCOPED_INFO(status_.error_code() << " " << status_.error_message());
    // The client's library says UNAVAILABLE too, of a connection that broke.
    return status_.error_code() == grpc::StatusCode::UNAVAILABLE &&
                   status_.error_message().find("shutting down") == std::string::npos
               ? End::kDropped
               : EndOf(status_);
  }

 private:
  grpc::Status Stream(const ModelInferRequest& request) {
    const auto stream = client_.stub->ModelStreamInfer(&context_);
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
    if (answers == 1 && error.empty()) {
      return status;
    }
    // The daemon's word for a deadline may come before the client's own clock has it.
    const bool expired = error.find("deadline") != std::string::npos;
    return {expired ? grpc::StatusCode::DEADLINE_EXCEEDED : grpc::StatusCode::UNKNOWN, error};
  }

  const Options options_;
  Relay relay_;
  Client client_;
  grpc::ClientContext context_;
  inference::ModelInferResponse response_;
  grpc::Status status_;
  std::atomic<bool> has_ended_ = false;  // Last of all that the thread does.
  std::thread thread_;
};

std::string RestRequest(State state, int rows, milliseconds timeout) {
  std::string numbers = "1";
  for (int i = 1; i < rows * 32; ++i) {
    numbers += ",1";
  }
  const std::string input = ",\"shape\":[" + std::to_string(rows) +
                            R"(,32],"datatype":"INT64","data":[)" + numbers + "]}";
  const std::string body =
      R"({"inputs":[{"name":"input_ids")" + input + R"(,{"name":"attention_mask")" + input +
      R"(],"outputs":[{"name":"text_features","parameters":{"binary_data":true}}])"
      R"(,"parameters":{"timeout":)" +
      std::to_string(timeout.count() * 1000) + "}}";
  const std::string expect = state == State::kReceived ? "Expect: 100-continue\r\n" : "";
  return "POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + expect +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

ModelInferRequest VisionRequest(const std::string& model, const std::string& input_name,
                                const std::vector<int64_t>& shape) {
  ModelInferRequest request;
  request.set_model_name(model);
  auto& input = *request.add_inputs();
  input.set_name(input_name);
  input.set_datatype("FP32");
  size_t size_bytes = sizeof(float);
  for (const int64_t dim : shape) {
    input.add_shape(dim);
    size_bytes *= static_cast<size_t>(dim);
  }
  request.add_raw_input_contents(std::string(size_bytes, '\0'));
  return request;
}

// What the daemon says when it reads on.
constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";

class RestOneCall final : public OneCall {
 public:
  RestOneCall(int port, State state, std::string request)
      : state_(state), request_(std::move(request)), peer_(std::in_place, port, kFewBytes) {}

  void Start() override {
    if (state_ != State::kReceived) {
      CHECK(peer_->Send(request_));
      return;
    }
    const size_t body = request_.find("\r\n\r\n") + 4;
    CHECK(peer_->Send(request_.substr(0, body)));
    CHECK(peer_->Receive(kContinue) == kContinue);  // The daemon has begun to read it.
    CHECK(peer_->Send(request_.substr(body, request_.size() - 1 - body)));
  }
  void SendRest() override { CHECK(peer_->Send(request_.substr(request_.size() - 1))); }
  void Cancel() override {
    Close();
    is_cancelled_ = true;
  }
  void Disconnect() override {
    peer_->ResetAtEnd();
    Close();
  }
  bool HasEnded() const override {
    return state_ != State::kAnswering && peer_->HasAnswer(milliseconds(0));
  }
  End Wait() override {
    if (is_cancelled_) {
      return End::kCancelled;
    }
    if (!peer_.has_value()) {
      return End::kDropped;
    }
    const std::string answer = peer_->Receive();
    UNSCOPED_INFO(answer.substr(0, 1000));
    if (!IsWhole(answer)) {
      return End::kDropped;
    }
    if (answer.starts_with("HTTP/1.1 200 ")) {
      return End::kAnswered;
    }
    if (answer.starts_with("HTTP/1.1 504 ") ||
        answer.find("timeout expired") != std::string::npos) {
      return End::kExpired;
    }
    return answer.starts_with("HTTP/1.1 503 ") ? End::kRefused : End::kDropped;
  }

 private:
  static bool IsWhole(const std::string& answer) {
    static constexpr std::string_view kLength = "Content-Length: ";
    const size_t head = answer.find("\r\n\r\n");
    const size_t length = answer.find(kLength);
    return head != std::string::npos && length < head &&
           answer.size() == head + 4 + std::stoul(answer.substr(length + kLength.size()));
  }
  void Close() {
    const FarEnd daemons = peer_->far_end();
    peer_.reset();
    daemons.AwaitClosed();
  }

  const State state_;
  const std::string request_;
  std::optional<Peer> peer_;
  bool is_cancelled_ = false;
};

}  // namespace

EndingDaemon::EndingDaemon(Front front, State state, const Change& change, Size size)
    : front_(front), state_(state), size_(size) {
  repository_.AddModel("text", "text", "", is_large() ? "1,512" : "1,2,4");
  repository_.AddModel("vision_a", "vision_a", "", "1");
  repository_.AddModel("vision_b", "vision_b", "", "1");
  SetHeld(/*text=*/state != State::kReceived, /*vision=*/true);
  REQUIRE_OK(WriteFileAtomically(
      folder_.path() + "/acl.json",
      R"({"hostacl": {"engine": "timed", "timed": {"default_cost_us": 1000, "jitter": 0},
                      "faults_file": ")" +
          folder_.path() + R"(/faults.json"}})"));
  daemon_.emplace(repository_, [this, &change](ServerConfig& config) {
    config.mutable_device()->set_config_file(folder_.path() + "/acl.json");
    config.mutable_scheduler()->set_warm_up_runs(0);     // No request is known to be late.
    config.mutable_scheduler()->set_hang_timeout_ms(0);  // What stands still does not hang.
    if (change) {
      change(config);
    }
  });
}

bool EndingDaemon::is_large() const { return size_ == Size::kLarge || state_ == State::kAnswering; }

int EndingDaemon::rows() const {
  return is_large() ? kLargeRows : state_ == State::kBatched ? kFullRows : 1;
}

void EndingDaemon::SetHeld(bool text, bool vision) {
  const auto rule = [](bool held, const std::string& model) {
    return R"({"task": "execute", "hold": true, "times": 0, "model": ")" +
           (held ? model : "nobody") + "\"}";
  };
  REQUIRE_OK(WriteFileAtomically(folder_.path() + "/faults.json",
                                 "[" + rule(text, "text") + "," + rule(vision, "vision_a") + "]"));
}

std::unique_ptr<OneCall> EndingDaemon::MakeCall(milliseconds deadline) {
  if (front_ == Front::kRest) {
    return std::make_unique<RestOneCall>(daemon_->http_port(), state_,
                                         RestRequest(state_, rows(), deadline));
  }
  const int port = daemon_->daemon().grpc_port();
  const bool is_stream = front_ == Front::kStream;
  if (state_ == State::kReceived) {
    return std::make_unique<HalfGrpcCall>(port, is_stream, deadline);
  }
  return std::make_unique<GrpcOneCall>(
      GrpcOneCall::Options{.port = port,
                           .is_stream = is_stream,
                           .rows = rows(),
                           .deadline = deadline,
                           .receive_bytes = is_large() ? kFewBytes : 0});
}

int EndingDaemon::Block() {
  if (state_ != State::kQueued && state_ != State::kBatched) {
    return 0;
  }
  blocker_ =
      std::make_unique<GrpcOneCall>(GrpcOneCall::Options{.port = daemon_->daemon().grpc_port(),
                                                         .is_stream = false,
                                                         .rows = kFullRows,
                                                         .deadline = kPatience});
  blocker_->Start();
  AwaitMetric(daemon_->http_port(), kTextSets, 1);
  return 1;
}

bool EndingDaemon::Is(State state) const {
  switch (state) {
    case State::kReceived:
      return true;  // The daemon has said so.
    case State::kQueued:
      return Value(std::string("omserve_queue_rows") + kText + "}") == 1;
    case State::kBatched:
      return Value(kTextSets) == 2;
    case State::kLaunched:
      return Value(kTextSets) == 1;
    case State::kAnswering:
      return Count().success == 1;
  }
  return false;
}

bool EndingDaemon::Await(const OneCall& caller, State state) const {
  const Clock::time_point patience = SteadyClock().Now() + kPatience;
  while (SteadyClock().Now() < patience) {
    if (Is(state)) {
      return true;
    }
    if (caller.HasEnded()) {
      return false;
    }
  }
  FAIL("the request did not come to stand still");
  return false;
}

bool EndingDaemon::Bring(OneCall& caller) {
  if (state_ == State::kAnswering) {
    if (!Await(caller, State::kLaunched)) {
      return false;
    }
    caller.HoldAnswers();
    GoOn();
  }
  return Await(caller, state_);
}

void EndingDaemon::GoOn() { SetHeld(/*text=*/false, /*vision=*/true); }

double EndingDaemon::Value(const std::string& metric) const {
  return Metric(daemon_->http_port(), metric).value_or(-1);
}

Counted EndingDaemon::Count() const {
  const auto failures = [this](const char* reason) {
    return Value(std::string("nv_inference_request_failure") + kText + ",reason=\"" + reason +
                 "\"}");
  };
  return {.success = Value(std::string("nv_inference_request_success") + kText + "}"),
          .rejected = failures("REJECTED"),
          .cancelled = failures("CANCELED"),
          .other = failures("BACKEND") + failures("OTHER")};
}

grpc::Status EndingDaemon::InferOther() {
  inference::ModelInferResponse response;
  return daemon_->client().Infer(TextRequest("text", kFullRows), &response);
}

grpc::Status EndingDaemon::InferLarge() {
  inference::ModelInferResponse response;
  return daemon_->client().Infer(TextRequest("text", kLargeRows), &response);
}

grpc::Status EndingDaemon::InferImage() {
  inference::ModelInferResponse response;
  return daemon_->client().Infer(VisionRequest("vision_b", "vision_half", {1, 36, 96}), &response);
}

void EndingDaemon::HoldDrain() {
  anchor_request_ = VisionRequest("vision_a", "image", {1, 3, 48, 48});
  anchor_ = std::jthread([this] {
    inference::ModelInferResponse response;
    daemon_->client().Infer(anchor_request_, &response);
  });
  AwaitMetric(daemon_->http_port(),
              "omserve_output_sets_used{model=\"vision_a\",version=\"1\",device=\"0\"}", 1);
}

void EndingDaemon::BeginStop() {
  stopper_ = std::jthread([this] { stopped_ = daemon_->daemon().Stop(); });
  std::string numbers = "0";
  for (int i = 1; i < 36 * 96; ++i) {
    numbers += ",0";
  }
  const std::string body =
      R"({"inputs":[{"name":"vision_half","shape":[1,36,96],"datatype":"FP32","data":[)" + numbers +
      "]}]}";
  const auto has_begun = [&] {
    const int port = daemon_->http_port();
    if (is_large()) {
      return SendHttp(port, "GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n", "true}")
                 .find("Connection: close") != std::string::npos;
    }
    return HttpPost(port, "/v2/models/vision_b/infer", body).find("DRAINING") != std::string::npos;
  };
  const Clock::time_point patience = SteadyClock().Now() + kPatience;
  while (SteadyClock().Now() < patience) {
    if (has_begun()) {
      return;
    }
  }
  FAIL("the daemon does not drain");
}

absl::Status EndingDaemon::EndStop() {
  SetHeld(/*text=*/false, /*vision=*/false);
  stopper_.join();
  return stopped_;
}

}  // namespace omserve::server
