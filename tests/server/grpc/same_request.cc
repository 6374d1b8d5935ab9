// SPDX-License-Identifier: Apache-2.0
#include "tests/server/grpc/same_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/status_macros.h"

namespace omserve::server {
namespace {

using inference::InferTensorContents;

bool SameParameters(const InferParameterMap& walked, const InferParameterMap& expected) {
  return walked.size() == expected.size() &&
         std::all_of(expected.begin(), expected.end(), [&walked](const auto& entry) {
           const auto found = walked.find(entry.first);
           // Bytes, so that not-a-number equals itself.
           return found != walked.end() &&
                  found->second.SerializeAsString() == entry.second.SerializeAsString();
         });
}

template <typename To, typename Values>
std::string RawOf(const Values& values) {
  std::string raw;
  for (const auto& value : values) {
    const To element = static_cast<To>(value);
    raw.append(static_cast<const char*>(static_cast<const void*>(&element)), sizeof(element));
  }
  return raw;
}

std::string RawTexts(const InferTensorContents& contents) {
  std::string raw;
  for (const std::string& text : contents.bytes_contents()) {
    if (!AppendBytesElement(text, &raw).ok()) {
      return "too long";
    }
  }
  return raw;
}

struct FieldCase {
  ContentsField field;
  const char* datatype;  // One that holds every value of the field.
  int count;
  std::string raw;
};

std::vector<FieldCase> CasesOf(const InferTensorContents& c) {
  using F = ContentsField;
  return {
      {F::kBool, "BOOL", c.bool_contents_size(), RawOf<uint8_t>(c.bool_contents())},
      {F::kInt, "INT32", c.int_contents_size(), RawOf<int32_t>(c.int_contents())},
      {F::kInt64, "INT64", c.int64_contents_size(), RawOf<int64_t>(c.int64_contents())},
      {F::kUint, "UINT32", c.uint_contents_size(), RawOf<uint32_t>(c.uint_contents())},
      {F::kUint64, "UINT64", c.uint64_contents_size(), RawOf<uint64_t>(c.uint64_contents())},
      {F::kFp32, "FP32", c.fp32_contents_size(), RawOf<float>(c.fp32_contents())},
      {F::kFp64, "FP64", c.fp64_contents_size(), RawOf<double>(c.fp64_contents())},
      {F::kBytes, "BYTES", c.bytes_contents_size(), RawTexts(c)},
  };
}

std::string ContentsDifference(const WirePieces& pieces, const TypedContents& walked,
                               bool is_expected, const InferTensorContents& expected) {
  if (walked.given() != is_expected) {
    return "contents given";
  }
  const std::string name = "x";
  for (const FieldCase& one : CasesOf(expected)) {
    if (walked.count(one.field) != static_cast<size_t>(one.count)) {
      return fmt::format("count of {}", one.datatype);
    }
    std::string raw(one.raw.size(), '\0');
    const std::string datatype = one.datatype;
    const absl::Status encoded = walked.Encode(
        pieces, {name, datatype, name}, std::as_writable_bytes(std::span(raw.data(), raw.size())));
    if (!encoded.ok()) {
      return std::string(MessageOf(encoded));
    }
    if (raw != one.raw) {
      return fmt::format("elements of {}", one.datatype);
    }
  }
  return "";
}

std::string InputDifference(const WirePieces& pieces, const WireInput& walked,
                            const inference::ModelInferRequest::InferInputTensor& expected) {
  if (walked.name != expected.name() || walked.datatype != expected.datatype()) {
    return "name or datatype of an input";
  }
  if (!std::equal(walked.shape.begin(), walked.shape.end(), expected.shape().begin(),
                  expected.shape().end())) {
    return "shape of an input";
  }
  if (!SameParameters(walked.parameters, expected.parameters())) {
    return "parameters of an input";
  }
  return ContentsDifference(pieces, walked.contents, expected.has_contents(), expected.contents());
}

}  // namespace

grpc::ByteBuffer InSlices(std::string_view bytes, const std::function<size_t()>& next_size) {
  std::vector<grpc::Slice> slices;
  while (!bytes.empty()) {
    const size_t size = std::clamp<size_t>(next_size(), 1, bytes.size());
    slices.emplace_back(bytes.data(), size);
    bytes.remove_prefix(size);
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

std::string Joined(const WirePieces& pieces) {
  std::string joined;
  for (const std::span<const std::byte>& piece : pieces) {
    joined.append(static_cast<const char*>(static_cast<const void*>(piece.data())), piece.size());
  }
  return joined;
}

std::string Difference(const WireInferRequest& walked, inference::ModelInferRequest expected) {
  expected.DiscardUnknownFields();
  if (walked.model_name != expected.model_name() ||
      walked.model_version != expected.model_version() || walked.id != expected.id()) {
    return "model_name, model_version or id";
  }
  if (!SameParameters(walked.parameters, expected.parameters())) {
    return "parameters";
  }
  if (walked.inputs.size() != static_cast<size_t>(expected.inputs_size()) ||
      walked.outputs.size() != static_cast<size_t>(expected.outputs_size()) ||
      walked.raw.size() != static_cast<size_t>(expected.raw_input_contents_size())) {
    return "number of inputs, outputs or raw_input_contents";
  }
  for (size_t i = 0; i < walked.inputs.size(); ++i) {
    std::string difference =
        InputDifference(walked.pieces, walked.inputs[i], expected.inputs(static_cast<int>(i)));
    if (!difference.empty()) {
      return difference;
    }
  }
  for (size_t i = 0; i < walked.outputs.size(); ++i) {
    const auto& output = expected.outputs(static_cast<int>(i));
    if (walked.outputs[i].name != output.name() ||
        !SameParameters(walked.outputs[i].parameters, output.parameters())) {
      return "an output";
    }
  }
  for (size_t i = 0; i < walked.raw.size(); ++i) {
    if (Joined(walked.raw[i]) != expected.raw_input_contents(static_cast<int>(i))) {
      return "raw_input_contents";
    }
  }
  return "";
}

}  // namespace omserve::server
