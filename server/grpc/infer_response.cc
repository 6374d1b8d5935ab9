// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_response.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/slice.h>

#include <array>
#include <boost/json.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "proto/inference/grpc_service.pb.h"
#include "server/grpc/infer_parameters.h"

namespace omserve::server {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

// Below this a copy costs less than a slice with its release hook, and frees the block sooner.
constexpr size_t kCopiedBytes = 512;

// Tag and length of one raw_output_contents.
void AppendHeader(size_t size_bytes, std::string* head) {
  std::array<uint8_t, 16> bytes{};
  uint8_t* end = CodedOutputStream::WriteTagToArray(
      WireFormatLite::MakeTag(inference::ModelInferResponse::kRawOutputContentsFieldNumber,
                              WireFormatLite::WIRETYPE_LENGTH_DELIMITED),
      bytes.data());
  end = CodedOutputStream::WriteVarint64ToArray(size_bytes, end);
  head->append(bytes.begin(), bytes.begin() + (end - bytes.data()));
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

inference::ModelInferResponse Describe(const std::string& id, const InferResult& result) {
  inference::ModelInferResponse message;
  message.set_model_name(result.model->name);
  message.set_model_version(std::to_string(result.model->version));
  message.set_id(id);
  if (!result.trace.empty()) {
    (*message.mutable_parameters())[kTraceParameter].set_string_param(TraceToJson(result.trace));
    (*message.mutable_parameters())[kStagesParameter].set_string_param(StagesToJson(result.stages));
  }
  for (const scheduler::ResponseOutput& output : result.outputs) {
    const TensorSpec& spec = result.model->outputs[static_cast<size_t>(output.output)];
    auto& tensor = *message.add_outputs();
    tensor.set_name(spec.name);
    tensor.set_datatype(std::string(DataTypeName(spec.type)));
    tensor.mutable_shape()->Assign(output.dims.begin(), output.dims.end());
  }
  return message;
}

}  // namespace

std::string TraceToJson(const std::vector<scheduler::StepTrace>& trace) {
  boost::json::array steps;
  for (const scheduler::StepTrace& step : trace) {
    steps.push_back(boost::json::object{
        {"step", step.step},
        {"model", step.model},
        {"lane", step.lane},
        {"stream", step.stream},
        {"batch_rows", step.batch_rows},
        {"gear_rows", step.gear_rows},
        {"reason", boost::json::string_view(step.reason.data(), step.reason.size())},
        {"start_us", step.start_us},
        {"end_us", step.end_us}});
  }
  return boost::json::serialize(steps);
}

std::string StagesToJson(const scheduler::StageTimes& times) {
  const auto us = [](Clock::duration duration) {
    return std::chrono::duration<double, std::micro>(duration).count();
  };
  boost::json::object stages{{"total_us", us(times.total)}};
  for (size_t s = 0; s < scheduler::kStageCount; ++s) {
    stages[std::string(scheduler::StageName(static_cast<scheduler::Stage>(s))) + "_us"] =
        us(times.stages[s]);
  }
  return boost::json::serialize(stages);
}

grpc::ByteBuffer BuildInferResponse(const std::string& id, const InferResult& result) {
  std::vector<grpc::Slice> slices;
  // Protobuf takes fields in any order and joins repeated ones, so the tensors simply follow.
  std::string head = Describe(id, result).SerializeAsString();
  for (const scheduler::ResponseOutput& output : result.outputs) {
    AppendHeader(output.bytes.size(), &head);
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
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace omserve::server
