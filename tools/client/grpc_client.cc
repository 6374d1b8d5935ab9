// SPDX-License-Identifier: Apache-2.0
#include "tools/client/grpc_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"

namespace omserve::client {
namespace {

inference::ModelInferRequest RequestOf(const std::string& model, const std::vector<Tensor>& inputs,
                                       const InferOptions& options) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  request.set_model_version(options.version);
  for (const Tensor& input : inputs) {
    auto* tensor = request.add_inputs();
    tensor->set_name(input.name);
    tensor->set_datatype(std::string(DataTypeName(input.type)));
    tensor->mutable_shape()->Add(input.dims.begin(), input.dims.end());
    request.add_raw_input_contents(input.raw);
  }
  for (const std::string& output : options.outputs) {
    request.add_outputs()->set_name(output);
  }
  if (options.trace) {
    (*request.mutable_parameters())["omserve_trace"].set_bool_param(true);
  }
  return request;
}

// Takes the tensors out of `response`.
absl::StatusOr<InferResult> ResultOf(inference::ModelInferResponse& response) {
  if (response.outputs_size() != response.raw_output_contents_size()) {
    return Internal("the server sent {} outputs and {} contents", response.outputs_size(),
                    response.raw_output_contents_size());
  }
  InferResult result;
  result.model_version = response.model_version();
  for (int i = 0; i < response.outputs_size(); ++i) {
    const auto& output = response.outputs(i);
    result.outputs.push_back({.name = output.name(),
                              .type = DataTypeFromName(output.datatype()),
                              .dims = Dims(output.shape().begin(), output.shape().end()),
                              .raw = std::move(*response.mutable_raw_output_contents(i))});
  }
  const auto& parameters = response.parameters();
  if (const auto trace = parameters.find("omserve_trace"); trace != parameters.end()) {
    result.trace_json = trace->second.string_param();
  }
  if (const auto stages = parameters.find("omserve_stages"); stages != parameters.end()) {
    result.stages_json = stages->second.string_param();
  }
  if (const auto row = parameters.find("omserve_first_row"); row != parameters.end()) {
    result.first_row = row->second.int64_param();
  }
  return result;
}

}  // namespace

absl::StatusOr<Tensor> BytesTensor(std::string name, const std::vector<std::string_view>& texts,
                                   bool batched) {
  Tensor tensor{.name = std::move(name), .type = DataType::kBytes};
  const auto count = static_cast<int64_t>(texts.size());
  tensor.dims = batched ? Dims{count, 1} : Dims{count};
  for (const std::string_view text : texts) {
    RETURN_IF_ERROR(AppendBytesElement(text, &tensor.raw));
  }
  return tensor;
}

const Tensor* InferResult::Find(std::string_view name) const {
  const auto found = std::find_if(outputs.begin(), outputs.end(),
                                  [name](const Tensor& tensor) { return tensor.name == name; });
  return found == outputs.end() ? nullptr : &*found;
}

GrpcClient::GrpcClient(const ConnectOptions& options)
    : target_(options.target), token_(options.token) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  const std::shared_ptr<grpc::Channel> channel = MakeChannel(options, arguments);
  stub_ = inference::GRPCInferenceService::NewStub(channel);
  control_ = ModelControl::NewStub(channel);
}

absl::Status GrpcClient::Failure(const grpc::Status& status) const {
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  if (code == absl::StatusCode::kUnavailable &&
      status.error_message().find("connect") != std::string::npos) {
    return Unavailable(
        "no server answers at '{}' ({}); is omserved running, and is this its gRPC "
        "port? (--url)",
        target_, status.error_message());
  }
  return MakeStatus(code, status.error_message());
}

absl::StatusOr<InferResult> GrpcClient::Infer(const std::string& model,
                                              const std::vector<Tensor>& inputs,
                                              const InferOptions& options) {
  const inference::ModelInferRequest request = RequestOf(model, inputs, options);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
  Authorize(token_, context);
  inference::ModelInferResponse response;
  const auto start = std::chrono::steady_clock::now();
  const grpc::Status status = stub_->ModelInfer(&context, request, &response);
  const auto latency = std::chrono::steady_clock::now() - start;
  if (!status.ok()) {
    return Failure(status);
  }
  ASSIGN_OR_RETURN(InferResult result, ResultOf(response));
  result.latency = latency;
  return result;
}

absl::Status GrpcClient::InferMany(const std::string& model, const std::vector<Tensor>& inputs,
                                   const InferOptions& options,
                                   const std::function<absl::Status(const InferResult&)>& take) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
  context.AddMetadata("triton_grpc_error", "true");  // An error is the call's.
  Authorize(token_, context);
  const auto start = std::chrono::steady_clock::now();
  const auto stream = stub_->ModelStreamInfer(&context);
  stream->Write(RequestOf(model, inputs, options));
  stream->WritesDone();
  absl::Status taken;
  inference::ModelStreamInferResponse response;
  while (taken.ok() && stream->Read(&response)) {
    absl::StatusOr<InferResult> result =
        response.error_message().empty()  // In band, where the metadata did not arrive.
            ? ResultOf(*response.mutable_infer_response())
            : absl::StatusOr<InferResult>(Internal("{}", response.error_message()));
    if (result.ok()) {
      result->latency = std::chrono::steady_clock::now() - start;
      taken = take(*result);
    } else {
      taken = result.status();
    }
  }
  if (!taken.ok()) {
    context.TryCancel();
  }
  const grpc::Status status = stream->Finish();
  if (!taken.ok()) {
    return taken;
  }
  return status.ok() ? absl::OkStatus() : Failure(status);
}

}  // namespace omserve::client
