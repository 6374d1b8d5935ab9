// SPDX-License-Identifier: Apache-2.0
// ModelStreamInfer over loopback: order, errors in the stream, ends of every kind.
#include <grpcpp/generic/generic_stub.h>

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "server/grpc/stream_method.h"
#include "tests/server/protocol/client_stream.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelInferRequest;
using inference::ModelStreamInferResponse;

// Rows wait longer than any test for company.
constexpr char kPatient[] = "dynamic_batching: {max_queue_delay_microseconds: 60000000}\n";

void CheckAnswer(const ModelStreamInferResponse& response, const std::string& id,
                 const std::string& model = "text") {
  CHECK(response.error_message().empty());
  CHECK(response.infer_response().id() == id);
  CHECK(response.infer_response().model_name() == model);
  CHECK(response.infer_response().model_version() == "1");
  CHECK(response.infer_response().raw_output_contents_size() == 1);
  CHECK(response.infer_response().parameters().at("triton_final_response").bool_param());
}

// The answers of a stream are those of single calls, each with its id.
TEST_CASE("ModelStreamInfer: one request after the other",
          "[1.1/ModelStreamInfer][1.8/final-response][1.14/order]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  inference::ModelInferResponse single;
  REQUIRE(daemon.client().Infer(TextRequest("text", 2), &single).ok());
  ClientStream stream(daemon.client());
  for (const char* id : {"first", "second", ""}) {
    stream.Send(TextRequest("text", 2), id);
    const ModelStreamInferResponse response = stream.Receive();
    CheckAnswer(response, id);
    CHECK(response.infer_response().raw_output_contents(0) == single.raw_output_contents(0));
    CHECK(response.infer_response().outputs(0).shape().size() == 3);
  }
  CHECK(stream.End().ok());
}

// Every second request goes through the pipeline, which takes longer than a text, and one is for a
// model that is not there: each has its answer in its place, and the stream goes on.
TEST_CASE("ModelStreamInfer: answers and errors come in the order of requests",
          "[1.14/order][1.14/error-in-band]") {
  Repository repository;
  repository.AddScenes();
  TestDaemon daemon(repository);
  ClientStream stream(daemon.client());
  const ModelInferRequest scene = SceneRequest(SceneFile("samples/00.png"), "what is it");
  constexpr int kRequests = 30;
  for (int i = 0; i < kRequests; ++i) {
    if (i == 7) {
      stream.Send(TextRequest("nobody", 1), "7");
    } else if (i % 2 == 0) {
      stream.Send(scene, std::to_string(i));
    } else {
      stream.Send(TextRequest("text", 1), std::to_string(i));
    }
  }
  for (int i = 0; i < kRequests; ++i) {
    INFO(i);
    const ModelStreamInferResponse response = stream.Receive();
    CHECK(response.infer_response().id() == std::to_string(i));
    if (i == 7) {
      CHECK_THAT(response.error_message(), Catch::Contains("'nobody' is not found"));
      CHECK(response.infer_response().model_name() == "nobody");
    } else {
      CHECK(response.error_message().empty());
      CHECK(response.infer_response().model_name() == (i % 2 == 0 ? "scenes" : "text"));
    }
  }
  CHECK(stream.End().ok());
}

TEST_CASE("ModelStreamInfer: the first error ends a stream that asks for it", "[1.14/grpc-error]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  ClientStream stream(daemon.client(), /*ends_with_first_error=*/true);
  stream.Send(TextRequest("text", 1), "good");
  CheckAnswer(stream.Receive(), "good");
  stream.Send(TextRequest("nobody", 1), "bad");
  stream.stream->Write(TextRequest("text", 1));  // It may find the stream ended.
  const grpc::Status status = stream.End();
  CHECK(status.error_code() == grpc::StatusCode::NOT_FOUND);
  CHECK_THAT(status.error_message(), Catch::Contains("'nobody' is not found"));
}

// More requests than a stream may have without their answers being sent, by a client that reads
// nothing until all are written: it is held up, and nothing is lost.
TEST_CASE("ModelStreamInfer: a client that writes faster than it reads", "[1.14/order]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  ClientStream stream(daemon.client(), false, std::chrono::seconds(120));
  constexpr int kRequests = 4 * StreamPoller::kMostInStream;
  std::jthread writer([&stream] {
    for (int i = 0; i < kRequests; ++i) {
      ModelInferRequest request = TextRequest("text", 1);
      request.set_id(std::to_string(i));
      if (!stream.stream->Write(request)) {
        return;
      }
    }
  });
  // The daemon stops reading long before the last one.
  const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(20);
  while (daemon.client().Statistics("text").inference_count() < StreamPoller::kMostInStream / 2 &&
         SteadyClock().Now() < patience) {
    std::this_thread::yield();
  }
  for (int i = 0; i < kRequests; ++i) {
    INFO(i);
    CheckAnswer(stream.Receive(), std::to_string(i));
  }
  writer.join();
  CHECK(stream.End().ok());
}

// Bytes that are no request cost their sender an error, not the stream.
TEST_CASE("ModelStreamInfer: noise", "[1.14/error-in-band]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  grpc::GenericStub stub(daemon.client().channel);
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  grpc::CompletionQueue queue;
  const auto stream =
      stub.PrepareCall(&context, "/inference.GRPCInferenceService/ModelStreamInfer", &queue);
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    REQUIRE(queue.Next(&tag, &ok));
    return ok;
  };
  stream->StartCall(nullptr);
  REQUIRE(next());
  for (const std::string& noise :
       {std::string("\xff\xff\xff"), std::string(), std::string(9, 'x')}) {
    const grpc::Slice slice(noise);
    stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    REQUIRE(next());
    grpc::ByteBuffer bytes;
    stream->Read(&bytes, nullptr);
    REQUIRE(next());
    ModelStreamInferResponse response;
    REQUIRE(
        grpc::SerializationTraits<ModelStreamInferResponse>::Deserialize(&bytes, &response).ok());
    CHECK_FALSE(response.error_message().empty());
  }
  stream->WritesDone(nullptr);
  REQUIRE(next());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  REQUIRE(next());
  CHECK(status.ok());
  queue.Shutdown();
}

// Rows wait for company that does not come: the client gives up, and nothing of it is left.
TEST_CASE("ModelStreamInfer: a cancelled stream leaves nothing behind",
          "[1.14/cancel][1.15/cancelled]") {
  Repository repository;
  repository.AddText("text", kPatient);
  TestDaemon daemon(repository);
  {
    ClientStream stream(daemon.client());
    for (int i = 0; i < 3; ++i) {
      stream.Send(TextRequest("text", 1), std::to_string(i));
    }
    AwaitMetric(daemon.http_port(), "omserve_requests_in_flight", 3);
    stream.context.TryCancel();
    ModelStreamInferResponse response;
    CHECK_FALSE(stream.stream->Read(&response));
    CHECK(stream.stream->Finish().error_code() == grpc::StatusCode::CANCELLED);
  }
  AwaitMetric(daemon.http_port(), "omserve_requests_in_flight", 0);
  CHECK(daemon.client().Statistics("text").inference_count() == 0);
}

// The deadline is the stream's: what waits then is not answered.
TEST_CASE("ModelStreamInfer: a stream ends at its deadline", "[1.14/cancel]") {
  Repository repository;
  repository.AddText("text", kPatient);
  TestDaemon daemon(repository);
  ClientStream stream(daemon.client(), false, std::chrono::milliseconds(1000));
  stream.Send(TextRequest("text", 1), "waits");
  ModelStreamInferResponse response;
  while (stream.stream->Read(&response)) {  // Its batch may leave in time for the deadline.
  }
  CHECK(stream.stream->Finish().error_code() == grpc::StatusCode::DEADLINE_EXCEEDED);
  AwaitMetric(daemon.http_port(), "omserve_requests_in_flight", 0);
}

// What was accepted is answered, what comes while the daemon drains is told so, and a client that
// does nothing does not hold the end up.
TEST_CASE("ModelStreamInfer: the end of the daemon ends streams", "[1.14]") {
  Repository repository;
  repository.AddText("text", kPatient);
  TestDaemon daemon(repository);
  ClientStream busy(daemon.client());
  ClientStream idle(daemon.client());
  busy.Send(TextRequest("text", 1), "last");
  AwaitMetric(daemon.http_port(), "omserve_requests_in_flight", 1);
  absl::Status stopped;
  std::jthread stopper([&] { stopped = daemon.daemon().Stop(); });
  CheckAnswer(busy.Receive(), "last");
  for (ClientStream* stream : {&busy, &idle}) {
    ModelStreamInferResponse response;
    CHECK_FALSE(stream->stream->Read(&response));
    const grpc::Status status = stream->stream->Finish();
    CHECK(status.error_code() == grpc::StatusCode::UNAVAILABLE);
    CHECK(status.error_message() == "the server is shutting down");
  }
  stopper.join();
  CHECK(stopped.ok());
}

}  // namespace
}  // namespace omserve::server
