// SPDX-License-Identifier: Apache-2.0
// Requests that meet: shared batches, cancellation, deadlines, a drain with requests under way.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "proto/rpc/error_details.pb.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;

// Batches wait longer than any test for company: only something else releases them.
constexpr char kPatientConfig[] =
    "dynamic_batching: {preferred_batch_size: [2, 8], max_queue_delay_microseconds: 60000000}\n";
constexpr char kQueueRows[] = "omserve_queue_rows{model=\"patient\",version=\"1\"}";

// A request under way in a thread of its own.
class Pending final {
 public:
  Pending(Client& client, ModelInferRequest request,
          std::chrono::milliseconds deadline = std::chrono::seconds(30))
      : request_(std::move(request)) {
    Client::SetDeadline(context_, deadline);
    thread_ = std::jthread(
        [this, &client] { status_ = client.stub->ModelInfer(&context_, request_, &response_); });
  }
  void Cancel() { context_.TryCancel(); }
  const grpc::Status& Wait() {
    if (thread_.joinable()) {
      thread_.join();
    }
    return status_;
  }

 private:
  ModelInferRequest request_;
  grpc::ClientContext context_;
  ModelInferResponse response_;
  grpc::Status status_;
  std::jthread thread_;
};

// What a client reads of a refusal in grpc-status-details-bin.
struct Details {
  rpc::Status status;
  std::string reason;
  double retry_ms = 0;  // 0: no RetryInfo.
};

Details DetailsOf(const grpc::Status& status) {
  Details details;
  REQUIRE(details.status.ParseFromString(status.error_details()));
  for (const google::protobuf::Any& any : details.status.details()) {
    if (any.type_url() == "type.googleapis.com/google.rpc.ErrorInfo") {
      rpc::ErrorInfo info;
      REQUIRE(info.ParseFromString(any.value()));
      CHECK(info.domain() == "omserve");
      details.reason = info.reason();
    } else if (any.type_url() == "type.googleapis.com/google.rpc.RetryInfo") {
      rpc::RetryInfo retry;
      REQUIRE(retry.ParseFromString(any.value()));
      details.retry_ms = static_cast<double>(retry.retry_delay().seconds()) * 1e3 +
                         static_cast<double>(retry.retry_delay().nanos()) / 1e6;
    }
  }
  return details;
}

std::string Refused(const std::string& reason) {
  return "omserve_refused_requests_total{model=\"patient\",version=\"1\",reason=\"" + reason +
         "\"}";
}

// Two requests sent one after the other to a model that waits for a second row: one execution.
TEST_CASE("Requests share a batch", "[protocol]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository);
  Pending first(daemon.client(), TextRequest("patient", 1));
  Pending second(daemon.client(), TextRequest("patient", 1));
  CHECK(first.Wait().ok());
  CHECK(second.Wait().ok());
  const inference::ModelStatistics statistics = daemon.client().Statistics("patient");
  CHECK(statistics.execution_count() == 1);
  CHECK(statistics.inference_count() == 2);
  CHECK(statistics.inference_stats().success().count() == 2);
  REQUIRE(statistics.batch_stats_size() == 1);
  CHECK(statistics.batch_stats(0).batch_size() == 2);
  CHECK(Metric(daemon.http_port(),
               "omserve_batches_released_total{model=\"patient\",version=\"1\",reason=\"full\"}") ==
        1);
}

// A trace tells why the batch of each step left.
TEST_CASE("A trace tells the release reason", "[protocol]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  repository.AddText("prompt");
  TestDaemon daemon(repository);
  for (const auto& [model, rows, reason] : std::vector<std::tuple<std::string, int, std::string>>{
           {"patient", 2, "full"}, {"prompt", 1, "idle"}}) {
    ModelInferRequest request = TextRequest(model, rows);
    (*request.mutable_parameters())["omserve_trace"].set_bool_param(true);
    ModelInferResponse response;
    REQUIRE(daemon.client().Infer(request, &response).ok());
    CHECK(response.parameters()
              .at("omserve_trace")
              .string_param()
              .find("\"reason\":\"" + reason + "\"") != std::string::npos);
  }
}

// A client that gives up on a request which waits for company: the row leaves its queue, nothing is
// executed, and it is counted as cancelled.
TEST_CASE("A cancelled request leaves its queue", "[protocol][1.14/cancel][1.15/cancelled]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository);
  Pending pending(daemon.client(), TextRequest("patient", 1));
  AwaitMetric(daemon.http_port(), kQueueRows, 1);
  pending.Cancel();
  CHECK(pending.Wait().error_code() == grpc::StatusCode::CANCELLED);
  AwaitMetric(daemon.http_port(),
              "nv_inference_request_failure{model=\"patient\",version=\"1\",reason=\"CANCELED\"}",
              1);
  AwaitMetric(daemon.http_port(), kQueueRows, 0);
  CHECK(daemon.client().Statistics("patient").execution_count() == 0);
}

// A deadline that is nearer than the batch's company: the batch leaves in time for it.
TEST_CASE("A short deadline releases its batch", "[protocol]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository);
  Pending pending(daemon.client(), TextRequest("patient", 1), std::chrono::seconds(3));
  CHECK(pending.Wait().ok());
  CHECK(Metric(daemon.http_port(),
               "omserve_batches_released_total{model=\"patient\",version=\"1\",reason="
               "\"deadline\"}") == 1);
}

// A timeout that is over before anything can run: refused by the server, and nothing runs.
TEST_CASE("A deadline in the past", "[protocol][1.8/timeout]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository);
  ModelInferRequest request = TextRequest("patient", 1);
  (*request.mutable_parameters())["timeout"].set_int64_param(1);
  ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(request, &response);
  CHECK(status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED);
  CHECK(status.error_message().find("model 'patient': the request's deadline passed") == 0);
  CHECK(DetailsOf(status).reason == "DEADLINE_PASSED");
  CHECK(Metric(daemon.http_port(), Refused("DEADLINE_PASSED")) == 1);
  CHECK(daemon.client().Statistics("patient").execution_count() == 0);
}

// A batch takes 400 ms, and nothing was measured: the second request is accepted, waits, and is
// answered in Triton's words when the time that its queue gives it is over.
TEST_CASE("A queue's timeout", "[1.15/unavailable][1.15/text-queue-timeout]") {
  Repository repository;
  repository.AddText("patient",
                     "dynamic_batching:\n  max_queue_delay_microseconds: 0\n"
                     "  default_queue_policy: {default_timeout_microseconds: 600000}\n");
  repository.Write("acl.json", R"({"hostacl": {"engine": "timed", "cores": 1, "timed":
                                  {"default_cost_us": 400000, "jitter": 0}}})");
  TestDaemon daemon(repository, [&repository](ServerConfig& config) {
    config.mutable_device()->set_config_file(repository.path() + "/acl.json");
    config.mutable_scheduler()->set_warm_up_runs(0);
  });
  Pending running(daemon.client(), TextRequest("patient", 8));
  AwaitMetric(daemon.http_port(), "omserve_requests_in_flight", 1);
  Pending late(daemon.client(), TextRequest("patient", 8));
  CHECK(late.Wait().error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(late.Wait().error_message() == "Request timeout expired");
  CHECK(running.Wait().ok());
}

// A queue of two rows: the third row is refused at once, in Triton's words.
TEST_CASE("A full queue refuses", "[protocol][1.15/unavailable][1.15/text-queue-full]") {
  Repository repository;
  repository.AddText("patient",
                     "dynamic_batching:\n  preferred_batch_size: [8]\n"
                     "  max_queue_delay_microseconds: 60000000\n"
                     "  default_queue_policy: {max_queue_size: 2}\n");
  TestDaemon daemon(repository);
  Pending waiting(daemon.client(), TextRequest("patient", 2));
  AwaitMetric(daemon.http_port(), kQueueRows, 2);
  ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(TextRequest("patient", 1), &response);
  CHECK(status.error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(status.error_message().find("Exceeds maximum queue size") == 0);
  const Details details = DetailsOf(status);
  CHECK(details.status.code() == status.error_code());
  CHECK(details.status.message() == status.error_message());
  CHECK(details.reason == "QUEUE_ROWS");
  CHECK(details.retry_ms >= 1);
  CHECK(Metric(daemon.http_port(), Refused("QUEUE_ROWS")) == 1);
  CHECK(Metric(daemon.http_port(), "omserve_queue_rows_limit{model=\"patient\",version=\"1\"}") ==
        2);
  CHECK(Metric(daemon.http_port(),
               "nv_inference_request_failure{model=\"patient\",version=\"1\",reason="
               "\"REJECTED\"}") == 1);
  REQUIRE_OK(daemon.daemon().Stop());
  CHECK(waiting.Wait().ok());
}

// Each priority has a queue of its own size: the low one is full, the high one is not.
TEST_CASE("A full priority refuses its own requests only", "[protocol][1.8/priority]") {
  Repository repository;
  repository.AddText("patient",
                     "dynamic_batching:\n  max_queue_delay_microseconds: 60000000\n"
                     "  priority_levels: 2\n  default_priority_level: 2\n"
                     "  priority_queue_policy:\n    2: {max_queue_size: 1}\n");
  TestDaemon daemon(repository);
  Pending waiting(daemon.client(), TextRequest("patient", 1));
  AwaitMetric(daemon.http_port(), kQueueRows, 1);
  ModelInferResponse response;
  CHECK(daemon.client().Infer(TextRequest("patient", 1), &response).error_code() ==
        grpc::StatusCode::UNAVAILABLE);
  ModelInferRequest urgent = TextRequest("patient", 1);
  (*urgent.mutable_parameters())["priority"].set_uint64_param(1);
  Pending high(daemon.client(), urgent);
  AwaitMetric(daemon.http_port(), kQueueRows, 2);
  REQUIRE_OK(daemon.daemon().Stop());
  CHECK(waiting.Wait().ok());
  CHECK(high.Wait().ok());
}

// timeout_action DELAY: a request that waited longer than its queue's timeout is answered all the
// same.
TEST_CASE("A delayed request is not refused", "[protocol]") {
  Repository repository;
  repository.AddText("patient",
                     "dynamic_batching:\n  max_queue_delay_microseconds: 100000\n"
                     "  default_queue_policy: {timeout_action: DELAY, "
                     "default_timeout_microseconds: 1000}\n");
  TestDaemon daemon(repository);
  ModelInferResponse response;
  CHECK(daemon.client().Infer(TextRequest("patient", 1), &response).ok());
  CHECK(Metric(daemon.http_port(),
               "omserve_batches_released_total{model=\"patient\",version=\"1\",reason="
               "\"delay\"}") == 1);
}

// preserve_ordering with two instances: many requests at once are all answered, whoever is first.
TEST_CASE("Ordered answers all leave", "[protocol]") {
  Repository repository;
  repository.AddText("ordered",
                     "dynamic_batching: {preserve_ordering: true}\n"
                     "instance_group: [{count: 2}]\n");
  TestDaemon daemon(repository);
  std::vector<std::unique_ptr<Pending>> pending;
  for (int i = 0; i < 12; ++i) {
    pending.push_back(
        std::make_unique<Pending>(daemon.client(), TextRequest("ordered", 1 + i % 3)));
  }
  pending[5]->Cancel();
  for (size_t i = 0; i < pending.size(); ++i) {
    CHECK((i == 5 || pending[i]->Wait().ok()));
  }
}

// max_batch_size 20 over gears up to 8: a request of 20 rows runs as 8, 8 and 4 and is answered
// whole; one more row than the client was told is refused.
TEST_CASE("A request larger than the gears is answered whole", "[protocol]") {
  Repository repository;
  repository.AddText("large", "max_batch_size: 20\n");
  repository.AddText("plain");
  TestDaemon daemon(repository);
  ModelInferResponse whole;
  REQUIRE(daemon.client().Infer(TextRequest("large", 20), &whole).ok());
  ModelInferResponse single;
  REQUIRE(daemon.client().Infer(TextRequest("plain", 1), &single).ok());
  REQUIRE(whole.outputs(0).shape(0) == 20);
  std::string expected;
  for (int row = 0; row < 20; ++row) {
    expected += single.raw_output_contents(0);
  }
  CHECK(whole.raw_output_contents(0) == expected);
  const inference::ModelStatistics statistics = daemon.client().Statistics("large");
  CHECK(statistics.execution_count() == 3);
  CHECK(statistics.inference_count() == 20);
  CHECK(daemon.client().Infer(TextRequest("large", 21), &whole).error_code() ==
        grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(daemon.client().Infer(TextRequest("plain", 9), &whole).error_code() ==
        grpc::StatusCode::INVALID_ARGUMENT);
  AwaitMetric(daemon.http_port(), "omserve_pinned_pool_used_bytes", 0);
}

// The texts of `whole` without what fills them up to the compiled length.
ModelInferRequest Shortened(const ModelInferRequest& whole, int length) {
  ModelInferRequest request = whole;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const auto rows = static_cast<size_t>(request.inputs(i).shape(0));
    const auto compiled = static_cast<size_t>(request.inputs(i).shape(1));
    request.mutable_inputs(i)->set_shape(1, length);
    std::string bytes;
    for (size_t row = 0; row < rows; ++row) {
      bytes += whole.raw_input_contents(i).substr(row * compiled * sizeof(int64_t),
                                                  static_cast<size_t>(length) * sizeof(int64_t));
    }
    request.set_raw_input_contents(i, bytes);
  }
  return request;
}

// A text of 5 tokens for a model compiled for 32: padded, it gives what its client's own padding
// gives, cut back; without the setting it is refused. What only fills is counted.
TEST_CASE("Short texts are padded up to the compiled length", "[protocol]") {
  Repository repository;
  repository.AddText("padded",
                     "padding:\n- input: [{name: input_ids}, {name: attention_mask}]\n"
                     "  output: [{name: text_features}]\n");
  repository.AddText("exact");
  TestDaemon daemon(repository);
  ModelInferResponse exact;
  REQUIRE(daemon.client().Infer(TextRequest("exact", 3), &exact).ok());
  ModelInferResponse padded;
  const grpc::Status status =
      daemon.client().Infer(Shortened(TextRequest("padded", 3), 5), &padded);
  INFO(status.error_message());
  REQUIRE(status.ok());
  REQUIRE(padded.outputs(0).shape(1) == 5);
  const size_t row_bytes = exact.raw_output_contents(0).size() / 3;
  std::string expected;
  for (size_t row = 0; row < 3; ++row) {
    expected += exact.raw_output_contents(0).substr(row * row_bytes, row_bytes / 32 * 5);
  }
  CHECK(padded.raw_output_contents(0) == expected);
  // Gear 4: four rows of two inputs of 32, of which 3 x 5 each came from the client.
  const std::string labels = "{model=\"padded\",version=\"1\"}";
  CHECK(Metric(daemon.http_port(), "omserve_batch_input_elements_total" + labels) == 4 * 64);
  CHECK(Metric(daemon.http_port(), "omserve_batch_padding_elements_total" + labels) ==
        4 * 64 - 3 * 10);
  CHECK(daemon.client().Infer(Shortened(TextRequest("exact", 3), 5), &exact).error_code() ==
        grpc::StatusCode::INVALID_ARGUMENT);
}

// The inputs of one request wait in pinned memory, and no more may: the next is refused before its
// tensors are copied, and served when the first has gone.
TEST_CASE("Input bytes that wait are bounded", "[protocol]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository, [](ServerConfig& config) {
    config.mutable_scheduler()->set_max_queue_bytes(600);
  });
  CHECK(Metric(daemon.http_port(), "omserve_accepted_input_bytes_limit") == 600);
  Pending waiting(daemon.client(), TextRequest("patient", 1));  // 512 bytes.
  AwaitMetric(daemon.http_port(), "omserve_accepted_input_bytes", 512);
  ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(TextRequest("patient", 1), &response);
  CHECK(status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(DetailsOf(status).reason == "QUEUE_BYTES");
  CHECK(DetailsOf(status).retry_ms >= 1);
  CHECK(Metric(daemon.http_port(), Refused("QUEUE_BYTES")) == 1);
  waiting.Cancel();
  waiting.Wait();
  AwaitMetric(daemon.http_port(), "omserve_accepted_input_bytes", 0);
  AwaitMetric(daemon.http_port(), "omserve_pinned_pool_used_bytes", 0);
}

// Warm-up has measured the model, and a client leaves it a millionth of a second more than none:
// refused at once for its deadline, one way or the other, and nothing runs.
TEST_CASE("A model is warmed up before it is served", "[protocol]") {
  Repository repository;
  repository.AddText("patient", "dynamic_batching: {}\n");
  TestDaemon daemon(repository,
                    [](ServerConfig& config) { config.mutable_scheduler()->set_warm_up_runs(2); });
  CHECK(daemon.client().Statistics("patient").execution_count() == 0);
  ModelInferRequest request = TextRequest("patient", 1);
  (*request.mutable_parameters())["timeout"].set_int64_param(2);
  ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(request, &response);
  CHECK(status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED);
  const std::string reason = DetailsOf(status).reason;
  CHECK((reason == "DEADLINE_TOO_SHORT" || reason == "DEADLINE_PASSED"));
  CHECK(daemon.client().Statistics("patient").execution_count() == 0);
  CHECK(daemon.client().Infer(TextRequest("patient", 8), &response).ok());
}

// A daemon that stops while requests wait for company: they are answered, later ones are refused.
TEST_CASE("A drain answers what was accepted", "[protocol][1.15/unavailable]") {
  Repository repository;
  repository.AddText("patient", kPatientConfig);
  TestDaemon daemon(repository);
  Pending waiting(daemon.client(), TextRequest("patient", 1));
  AwaitMetric(daemon.http_port(), kQueueRows, 1);
  REQUIRE_OK(daemon.daemon().Stop());
  CHECK(waiting.Wait().ok());
  ModelInferResponse response;
  CHECK(daemon.client().Infer(TextRequest("patient", 1), &response).error_code() ==
        grpc::StatusCode::UNAVAILABLE);
}

// The two steps that encode a picture have caches: of two questions about it, the second one finds
// what was encoded, and gets the answer that it gets without.
TEST_CASE("A picture that is asked about twice is encoded once", "[protocol]") {
  Repository repository;
  repository.AddScenes();
  std::string config = SceneFile("repository/scenes/config.yaml");
  for (const std::string step : {"vision_a", "vision_b"}) {
    const std::string model = "model_name: " + step + "\n";
    const size_t at = config.find(model);
    REQUIRE(at != std::string::npos);
    config.insert(at + model.size(), "      cache: {enable: true}\n");
  }
  repository.Write("scenes/config.yaml", config);
  TestDaemon daemon(repository);
  const auto ask = [&daemon](const char* question) {
    ModelInferResponse response;
    const ModelInferRequest request = SceneRequest(SceneFile("samples/00.png"), question);
    REQUIRE(daemon.client().Infer(request, &response).ok());
    return response.raw_output_contents(0);
  };
  const std::string answer = ask("count the objects");
  ask("is there a circle");
  CHECK(ask("count the objects") == answer);
  const auto metric = [&daemon](const char* what, const char* step) {
    return Metric(daemon.http_port(),
                  fmt::format("omserve_step_cache_{}{{model=\"scenes\",version=\"1\",step=\"{}\"}}",
                              what, step));
  };
  for (const char* step : {"vision_a", "vision_b"}) {
    CHECK(metric("hits_total", step) == 2);
    CHECK(metric("misses_total", step) == 1);
    CHECK(metric("entries", step) == 1);
    CHECK(daemon.client().Statistics(step).execution_count() == 1);
  }
  CHECK(daemon.client().Statistics("text").execution_count() == 3);
}

// Many clients at once over a pipeline: every request is answered, and the pools are empty after.
TEST_CASE("Concurrent requests", "[protocol]") {
  Repository repository;
  repository.AddScenes();
  TestDaemon daemon(repository);
  const ModelInferRequest request = SceneRequest(SceneFile("samples/00.png"), "count the objects");
  constexpr int kClients = 6;
  constexpr int kEach = 5;
  std::vector<int> answered(kClients, 0);
  {
    std::vector<std::jthread> threads;
    for (int c = 0; c < kClients; ++c) {
      threads.emplace_back([&, c] {
        for (int i = 0; i < kEach; ++i) {
          ModelInferResponse response;
          answered[static_cast<size_t>(c)] +=
              daemon.client().Infer(request, &response).ok() ? 1 : 0;
        }
      });
    }
  }
  CHECK(answered == std::vector<int>(kClients, kEach));
  CHECK(daemon.client().Statistics("scenes").inference_stats().success().count() ==
        kClients * kEach);
  AwaitMetric(daemon.http_port(), "omserve_pinned_pool_used_bytes", 0);
  for (const char* model : {"fusion", "text"}) {
    AwaitMetric(
        daemon.http_port(),
        fmt::format("omserve_output_sets_used{{model=\"{}\",version=\"1\",device=\"0\"}}", model),
        0);
  }
  AwaitMetric(daemon.http_port(), "omserve_arena_launches_total{device=\"0\"}", 0);
}

}  // namespace
}  // namespace omserve::server
