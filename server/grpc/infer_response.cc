// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_response.h"

#include <grpcpp/support/slice.h>

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/inference/grpc_service.pb.h"
#include "server/core/trace_json.h"
#include "server/grpc/infer_parameters.h"
#include "server/grpc/wire_reader.h"

namespace omserve::server {
namespace {

using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;
using OutputTensor = ModelInferResponse::InferOutputTensor;

// Below this a copy costs less than a slice with its release hook, and frees the block sooner.
constexpr size_t kCopiedBytes = 512;

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) {
    out->push_back(static_cast<char>(value | 0x80));
  }
  out->push_back(static_cast<char>(value));
}

// Tag and length of what follows.
void AppendHeader(uint32_t field, size_t size_bytes, std::string* out) {
  AppendVarint(WireTag(field, WireType::kLength), out);
  AppendVarint(size_bytes, out);
}

// As proto3 has it: an empty string is not written.
void AppendText(uint32_t field, std::string_view text, std::string* out) {
  if (!text.empty()) {
    AppendHeader(field, text.size(), out);
    out->append(text);
  }
}

grpc::Slice Alias(const scheduler::ResponseOutput& output) {
  using Owner = std::shared_ptr<const void>;
  auto owner = std::make_unique<Owner>(output.owner);
  // gRPC's signature has no const, but a slice that is sent is only read.
  void* data = const_cast<std::byte*>(output.bytes.data());  // NOLINT(*-const-cast)
  return {data, output.bytes.size(),
          [](void* held) { const std::unique_ptr<Owner> released(static_cast<Owner*>(held)); },
          owner.release()};
}

// An entry of the map `parameters`; `value` is an InferParameter.
void AppendEntry(std::string_view name, std::string_view value, std::string* out) {
  std::string entry;
  AppendText(1, name, &entry);
  AppendText(2, value, &entry);
  AppendText(ModelInferResponse::kParametersFieldNumber, entry, out);
}

// One that holds a string.
void AppendParameter(std::string_view name, std::string_view text, std::string* out) {
  std::string value;
  AppendText(inference::InferParameter::kStringParamFieldNumber, text, &value);
  AppendEntry(name, value, out);
}

void AppendOutput(const std::string& name, DataType type, const Dims& dims, std::string* out) {
  std::string shape;
  for (const int64_t dim : dims) {
    AppendVarint(static_cast<uint64_t>(dim), &shape);
  }
  std::string tensor;
  AppendText(OutputTensor::kNameFieldNumber, name, &tensor);
  AppendText(OutputTensor::kDatatypeFieldNumber, DataTypeName(type), &tensor);
  AppendText(OutputTensor::kShapeFieldNumber, shape, &tensor);
  AppendHeader(ModelInferResponse::kOutputsFieldNumber, tensor.size(), out);
  out->append(tensor);
}

// Everything but the tensors' bytes. Written by hand: a message object would be made, filled and
// walked twice for it, and freed.
std::string Describe(const std::string& id, const InferResult& result) {
  std::string head;
  constexpr size_t kUsualBytes = 512;
  head.reserve(kUsualBytes);
  AppendText(ModelInferResponse::kModelNameFieldNumber, result.model->name, &head);
  AppendText(ModelInferResponse::kModelVersionFieldNumber, std::to_string(result.model->version),
             &head);
  AppendText(ModelInferResponse::kIdFieldNumber, id, &head);
  if (!result.trace.empty()) {
    AppendParameter(kTraceParameter, TraceToJson(result.trace), &head);
    AppendParameter(kStagesParameter, StagesToJson(result.stages), &head);
  }
  for (size_t i = 0; i < result.outputs.size(); ++i) {
    const scheduler::ResponseOutput& output = result.outputs[i];
    AppendOutput(result.model->outputs[static_cast<size_t>(output.output)].name,
                 result.OutputType(i), output.dims, &head);
  }
  return head;
}

// The response after its head. Protobuf takes fields in any order and joins repeated ones, so the
// tensors simply follow.
std::vector<grpc::Slice> WithTensors(std::string head, const InferResult& result) {
  std::vector<grpc::Slice> slices;
  for (const scheduler::ResponseOutput& output : result.outputs) {
    AppendHeader(ModelInferResponse::kRawOutputContentsFieldNumber, output.bytes.size(), &head);
    const auto* data = static_cast<const char*>(static_cast<const void*>(output.bytes.data()));
    if (output.bytes.size() < kCopiedBytes) {
      head.append(data, output.bytes.size());
      continue;
    }
    slices.emplace_back(head);
    head.clear();
    slices.push_back(Alias(output));
  }
  if (!head.empty()) {
    slices.emplace_back(head);
  }
  return slices;
}

// A parameter that holds a number or a bool.
void AppendParameter(std::string_view name, int field, uint64_t number, std::string* out) {
  std::string value;
  AppendVarint(WireTag(static_cast<uint32_t>(field), WireType::kVarint), &value);
  AppendVarint(number, &value);
  AppendEntry(name, value, out);
}

// Whether another answer to its request follows.
void AppendFinal(bool is_final, std::string* out) {
  AppendParameter("triton_final_response", inference::InferParameter::kBoolParamFieldNumber,
                  is_final ? 1 : 0, out);
}

}  // namespace

grpc::ByteBuffer BuildInferResponse(const std::string& id, const InferResult& result) {
  const std::vector<grpc::Slice> slices = WithTensors(Describe(id, result), result);
  return {slices.data(), slices.size()};
}

grpc::ByteBuffer BuildStreamResponse(const std::string& id, const InferResult& result) {
  std::string head = Describe(id, result);
  AppendFinal(result.is_final, &head);
  if (IsDecoupled(*result.model) && result.model->plan->batched && !result.outputs.empty()) {
    AppendParameter(kFirstRowParameter, inference::InferParameter::kInt64ParamFieldNumber,
                    static_cast<uint64_t>(result.first_row), &head);
  }
  std::vector<grpc::Slice> slices = WithTensors(std::move(head), result);
  size_t bytes = 0;
  for (const grpc::Slice& slice : slices) {
    bytes += slice.size();
  }
  std::string wrapping;
  AppendHeader(ModelStreamInferResponse::kInferResponseFieldNumber, bytes, &wrapping);
  slices.emplace(slices.begin(), wrapping);
  return {slices.data(), slices.size()};
}

grpc::ByteBuffer BuildStreamError(const RequestNames& names, std::string_view message) {
  std::string response;
  AppendText(ModelInferResponse::kModelNameFieldNumber, names.model_name, &response);
  AppendText(ModelInferResponse::kModelVersionFieldNumber, names.model_version, &response);
  AppendText(ModelInferResponse::kIdFieldNumber, names.id, &response);
  AppendFinal(true, &response);
  std::string wrapped;
  AppendText(ModelStreamInferResponse::kErrorMessageFieldNumber, message, &wrapped);
  AppendText(ModelStreamInferResponse::kInferResponseFieldNumber, response, &wrapped);
  const grpc::Slice slice(wrapped);
  return {&slice, 1};
}

}  // namespace omserve::server
