// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "runtime/base/errors.h"
#include "server/grpc/infer_parameters.h"
#include "server/grpc/tensor_contents.h"

namespace omserve::server {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

// The slices of a message as one stream.
class SliceStream final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit SliceStream(const std::vector<grpc::Slice>& slices) : slices_(slices) {}

  bool Next(const void** data, int* size) override {
    while (slice_ < slices_.size() && offset_ == slices_[slice_].size()) {
      ++slice_;
      offset_ = 0;
    }
    if (slice_ == slices_.size()) {
      return false;
    }
    const grpc::Slice& slice = slices_[slice_];
    const size_t left = std::min<size_t>(slice.size() - offset_, std::numeric_limits<int>::max());
    *data = slice.begin() + offset_;
    *size = static_cast<int>(left);
    offset_ += left;
    read_ += static_cast<int64_t>(left);
    return true;
  }
  void BackUp(int count) override {
    offset_ -= static_cast<size_t>(count);
    read_ -= count;
  }
  bool Skip(int count) override {
    const void* data = nullptr;
    int size = 0;
    while (count > 0 && Next(&data, &size)) {
      if (size > count) {
        BackUp(size - count);
        return true;
      }
      count -= size;
    }
    return count == 0;
  }
  int64_t ByteCount() const override { return read_; }

 private:
  const std::vector<grpc::Slice>& slices_;
  size_t slice_ = 0;
  size_t offset_ = 0;  // In slices_[slice_].
  int64_t read_ = 0;
};

// The next length-delimited field, left where it is.
bool TakeTensor(CodedInputStream& input, RawTensor& tensor) {
  uint32_t left = 0;
  if (!input.ReadVarint32(&left) ||
      left > static_cast<uint32_t>(std::max(0, input.BytesUntilLimit()))) {
    return false;
  }
  while (left > 0) {
    const void* data = nullptr;
    int size = 0;
    if (!input.GetDirectBufferPointer(&data, &size)) {
      return false;
    }
    const uint32_t taken = std::min(left, static_cast<uint32_t>(size));
    tensor.emplace_back(static_cast<const std::byte*>(data), taken);
    input.Skip(static_cast<int>(taken));
    left -= taken;
  }
  return true;
}

absl::Status Malformed(const char* why) {
  return InvalidArgument("the message is not an inference.ModelInferRequest: {}", why);
}

// Tensors into `raw`, everything else as it is into `rest`.
absl::Status WalkFields(CodedInputStream& input, std::vector<RawTensor>& raw, std::string& rest) {
  google::protobuf::io::StringOutputStream rest_stream(&rest);
  CodedOutputStream copy(&rest_stream);
  const uint32_t raw_tag =
      WireFormatLite::MakeTag(inference::ModelInferRequest::kRawInputContentsFieldNumber,
                              WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  while (const uint32_t tag = input.ReadTag()) {
    if (tag != raw_tag) {
      if (!WireFormatLite::SkipField(&input, tag, &copy)) {
        return Malformed("a field is cut off or has no valid type");
      }
      continue;
    }
    if (raw.size() == kMostRawTensors) {
      return InvalidArgument("raw_input_contents has more than {} entries", kMostRawTensors);
    }
    if (!TakeTensor(input, raw.emplace_back())) {
      return Malformed("raw_input_contents is cut off");
    }
  }
  return input.ConsumedEntireMessage() ? absl::OkStatus()
                                       : Malformed("its bytes are no fields of a message");
}

// Where one input's bytes come from.
absl::Status AttachData(const WireInferRequest& request, int index, const std::string& model,
                        PreparedCall& prepared, InferInput& input) {
  const inference::ModelInferRequest::InferInputTensor& tensor = request.message.inputs(index);
  if (!request.raw.empty()) {
    if (tensor.has_contents()) {
      return InvalidArgument(
          "contents field must not be specified when using raw_input_contents for '{}' for model "
          "'{}'",
          tensor.name(), model);
    }
    if (static_cast<size_t>(index) >= request.raw.size()) {
      return InvalidArgument("unable to find data for input tensor '{}' for model '{}' in request.",
                             tensor.name(), model);
    }
    input.pieces = request.raw[static_cast<size_t>(index)];
    return absl::OkStatus();
  }
  if (!tensor.has_contents()) {
    return InvalidArgument("unable to find data for input tensor '{}' for model '{}' in request.",
                           tensor.name(), model);
  }
  // `encoded` was reserved for all inputs: its strings stay where they are.
  std::string& encoded = prepared.encoded.emplace_back();
  ASSIGN_OR_RETURN(encoded, EncodeContents(tensor, model));
  input.pieces.push_back(std::as_bytes(std::span(encoded)));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WireInferRequest> ParseInferRequest(const grpc::ByteBuffer& bytes) {
  WireInferRequest request;
  const grpc::Status dumped = bytes.Dump(&request.slices);
  if (!dumped.ok()) {
    return Malformed("it could not be decompressed");
  }
  size_t total = 0;
  for (const grpc::Slice& slice : request.slices) {
    total += slice.size();
  }
  if (total > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return InvalidArgument("a message of {} bytes is too long: at most {}", total,
                           std::numeric_limits<int>::max());
  }
  SliceStream stream(request.slices);
  std::string rest;
  {
    CodedInputStream input(&stream);
    input.PushLimit(static_cast<int>(total));
    RETURN_IF_ERROR(WalkFields(input, request.raw, rest));
  }
  if (!request.message.ParseFromString(rest)) {
    return Malformed("a field does not fit its type, or a string is not UTF-8");
  }
  return request;
}

absl::StatusOr<PreparedCall> PrepareCall(const WireInferRequest& request, ModelHandle model) {
  const inference::ModelInferRequest& message = request.message;
  PreparedCall prepared;
  prepared.call.model = std::move(model);
  const std::string& name = prepared.call.model->name;
  RETURN_IF_ERROR(ReadRequestParameters(message, prepared.call));
  prepared.encoded.reserve(static_cast<size_t>(message.inputs_size()));
  for (int i = 0; i < message.inputs_size(); ++i) {
    const inference::ModelInferRequest::InferInputTensor& tensor = message.inputs(i);
    RETURN_IF_ERROR(CheckTensorParameters("input", tensor.name(), tensor.parameters()));
    InferInput input{.name = tensor.name(),
                     .datatype = tensor.datatype(),
                     .shape = {tensor.shape().begin(), tensor.shape().end()}};
    RETURN_IF_ERROR(AttachData(request, i, name, prepared, input));
    prepared.call.inputs.push_back(std::move(input));
  }
  if (request.raw.size() > static_cast<size_t>(message.inputs_size())) {
    return InvalidArgument(
        "raw_input_contents has {} entries but the request for model '{}' has {} inputs; expected "
        "one entry for each",
        request.raw.size(), name, message.inputs_size());
  }
  for (const auto& output : message.outputs()) {
    RETURN_IF_ERROR(CheckTensorParameters("output", output.name(), output.parameters()));
    prepared.call.outputs.push_back(output.name());
  }
  return prepared;
}

}  // namespace omserve::server
