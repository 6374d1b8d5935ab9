// SPDX-License-Identifier: Apache-2.0
// gRPC clients whose connections are well and whose programs do not read what they are answered.
#include <catch2/catch.hpp>
#include <string>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/raw_call.h"

namespace omserve::server {
namespace {

constexpr char kSuccesses[] = "nv_inference_request_success{model=\"text\",version=\"1\"}";
constexpr char kPinned[] = "nv_pinned_memory_pool_used_bytes";
// Eight rows of 12 KiB: more than the window that a client has opened when it says nothing.
constexpr int kRows = 8;
constexpr size_t kWindow = 65'535;

// The call is given up, and the memory of its answer is there again; who reads is not touched.
TEST_CASE("Answers that no program reads", "[protocol]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, [](ServerConfig& config) {
    config.mutable_grpc()->set_keepalive_timeout_ms(4000);
  });
  const int port = daemon.daemon().grpc_port();
  const std::string request = TextRequest("text", kRows).SerializeAsString();
  RawCall unary(port);
  unary.Begin("ModelInfer");
  unary.SendMessage(request);
  RawCall stream(port);
  stream.Begin("ModelStreamInfer");
  for (int i = 0; i < 3; ++i) {
    stream.SendData(RawCall::Framed(request), /*is_last=*/false);
  }
  AwaitMetric(daemon.http_port(), kSuccesses, 4);
  CHECK(Metric(daemon.http_port(), kPinned).value() > 0);
  AwaitMetric(daemon.http_port(), kPinned, 0);
  for (RawCall* call : {&unary, &stream}) {
    const RawCall::Came came = call->Receive();
    CAPTURE(came.kinds, came.status, came.reset);
    CHECK(came.data.size() == kWindow);
    CHECK((came.reset != 0 || came.status == grpc::StatusCode::CANCELLED));
  }
  inference::ModelInferResponse response;
  CHECK(daemon.client().Infer(TextRequest("text", kRows), &response).ok());
}

}  // namespace
}  // namespace omserve::server
