// SPDX-License-Identifier: Apache-2.0
// A small KServe v2 client: what the command line tools and the demo need of gRPC.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/inference/grpc_service.grpc.pb.h"
#include "proto/omserve/control.grpc.pb.h"
#include "runtime/base/tensor.h"
#include "tools/client/connect.h"

namespace omserve::client {

// An input with its raw encoding (little endian, BYTES with length prefixes).
struct Tensor {
  std::string name;
  DataType type = DataType::kInvalid;
  Dims dims;
  std::string raw;
};

// `texts` as a BYTES tensor of dims [texts.size(), 1], or [1] when the model does not batch.
absl::StatusOr<Tensor> BytesTensor(std::string name, const std::vector<std::string_view>& texts,
                                   bool batched);

struct InferOptions {
  std::string version;               // Empty: the latest.
  std::vector<std::string> outputs;  // Empty: all.
  bool trace = false;                // Ask for the steps' times.
  std::chrono::milliseconds timeout{30000};
};

// One answer; all there is but for a decoupled model's.
struct InferResult {
  std::string model_version;
  std::vector<Tensor> outputs;
  std::string trace_json;               // Empty unless asked for.
  std::string stages_json;              // Likewise: where the request's time in the server went.
  std::chrono::nanoseconds latency{0};  // Since the request was sent.
  int64_t first_row = 0;                // Of the request: the outputs are of the rows from there.

  const Tensor* Find(std::string_view name) const;
};

// Thread-safe. Calls block up to their timeout; errors are the server's, with its words.
class GrpcClient final {
 public:
  // `target`: host:port or unix:path. Connects at the first call.
  explicit GrpcClient(const std::string& target) : GrpcClient(ConnectOptions{.target = target}) {}
  explicit GrpcClient(const ConnectOptions& options);

  absl::StatusOr<InferResult> Infer(const std::string& model, const std::vector<Tensor>& inputs,
                                    const InferOptions& options);

  // The same of a decoupled model, by a stream: `take` runs for each answer as it comes.
  absl::Status InferMany(const std::string& model, const std::vector<Tensor>& inputs,
                         const InferOptions& options,
                         const std::function<absl::Status(const InferResult&)>& take);

  // Any unary method of both services: `client.Call(&Stub::ServerLive, request)`.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request,
                                std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    Authorize(token_, context);
    Response response;
    const grpc::Status status = (StubOf<Stub>().*method)(&context, request, &response);
    if (!status.ok()) {
      return Failure(status);
    }
    return response;
  }

  // A method that answers with a stream: `take` runs for each of its messages as it comes.
  template <typename Stub, typename Request, typename Response, typename Take>
  absl::Status CallStream(std::unique_ptr<grpc::ClientReader<Response>> (Stub::*method)(
                              grpc::ClientContext*, const Request&),
                          const Request& request, const Take& take,
                          std::chrono::milliseconds timeout = std::chrono::hours(1)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    Authorize(token_, context);
    const auto reader = (StubOf<Stub>().*method)(&context, request);
    Response response;
    while (reader->Read(&response)) {
      take(response);
    }
    const grpc::Status status = reader->Finish();
    return status.ok() ? absl::OkStatus() : Failure(status);
  }

 private:
  absl::Status Failure(const grpc::Status& status) const;
  template <typename Stub>
  Stub& StubOf() {
    if constexpr (std::is_same_v<Stub, ModelControl::Stub>) {
      return *control_;
    } else {
      return *stub_;
    }
  }

  const std::string target_;
  const std::string token_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  std::unique_ptr<ModelControl::Stub> control_;
};

}  // namespace omserve::client
