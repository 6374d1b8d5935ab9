// SPDX-License-Identifier: Apache-2.0
// ModelStreamInfer as a client has it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "tests/server/protocol/daemon_fixture.h"

namespace omserve::server {

// A stream of one client.
class ClientStream final {
 public:
  explicit ClientStream(Client& client, bool ends_with_first_error = false,
                        std::chrono::milliseconds deadline = std::chrono::seconds(30)) {
    Client::SetDeadline(context, deadline);
    if (ends_with_first_error) {
      context.AddMetadata("triton_grpc_error", "true");
    }
    stream = client.stub->ModelStreamInfer(&context);
  }

  void Send(inference::ModelInferRequest request, const std::string& id) {
    request.set_id(id);
    REQUIRE(stream->Write(request));
  }
  inference::ModelStreamInferResponse Receive() {
    inference::ModelStreamInferResponse response;
    if (!stream->Read(&response)) {
      const grpc::Status status = stream->Finish();
      FAIL("the stream ended: " << status.error_code() << " " << status.error_message());
    }
    return response;
  }
  // Requires that nothing more comes.
  grpc::Status End() {
    stream->WritesDone();
    inference::ModelStreamInferResponse response;
    CHECK_FALSE(stream->Read(&response));
    return stream->Finish();
  }

  grpc::ClientContext context;
  std::unique_ptr<
      grpc::ClientReaderWriter<inference::ModelInferRequest, inference::ModelStreamInferResponse>>
      stream;
};

}  // namespace omserve::server
