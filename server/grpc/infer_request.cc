// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_request.h"

#include <bit>
#include <limits>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

using inference::InferParameter;

// Levels of messages and groups within the message that protobuf's parsers allow.
constexpr int kDepth = 100;

constexpr uint32_t LengthTag(uint32_t field) { return WireTag(field, WireType::kLength); }

// Takes a message in, field by field: take(tag, depth) reads one. Stops at the first that is
// damaged. `depth` is what is left for the message's own fields.
template <typename Take>
bool WalkFields(WireReader& reader, int depth, Take take) {
  while (!reader.at_end()) {
    uint32_t tag = 0;
    if (!reader.ReadTag(&tag) || !take(tag, depth)) {
      return false;
    }
  }
  return true;
}

// A length and a message of so many bytes. `depth` is what is left where it stands.
template <typename Take>
bool WalkMessage(WireReader& reader, int depth, Take take) {
  size_t size_bytes = 0;
  size_t outer = 0;
  if (depth <= 0 || !reader.ReadLength(&size_bytes)) {
    return false;
  }
  reader.Enter(size_bytes, &outer);
  if (!WalkFields(reader, depth - 1, take)) {
    return false;
  }
  reader.Leave(outer);
  return true;
}

bool ReadText(WireReader& reader, std::string* text) {
  return reader.ReadBytes(text) && IsWireString(*text);
}

// The field that comes last counts, whatever came before.
bool ReadParameter(WireReader& reader, int depth, InferParameter* parameter) {
  return WalkMessage(reader, depth, [&](uint32_t tag, int left) {
    uint64_t bits = 0;
    switch (tag) {
      case WireTag(InferParameter::kBoolParamFieldNumber, WireType::kVarint):
        if (!reader.ReadVarint(&bits)) {
          return false;
        }
        parameter->set_bool_param(bits != 0);
        return true;
      case WireTag(InferParameter::kInt64ParamFieldNumber, WireType::kVarint):
        if (!reader.ReadVarint(&bits)) {
          return false;
        }
        parameter->set_int64_param(static_cast<int64_t>(bits));
        return true;
      case WireTag(InferParameter::kUint64ParamFieldNumber, WireType::kVarint):
        if (!reader.ReadVarint(&bits)) {
          return false;
        }
        parameter->set_uint64_param(bits);
        return true;
      case WireTag(InferParameter::kDoubleParamFieldNumber, WireType::kFixed64):
        if (!reader.ReadFixed64(&bits)) {
          return false;
        }
        parameter->set_double_param(std::bit_cast<double>(bits));
        return true;
      case LengthTag(InferParameter::kStringParamFieldNumber):
        return ReadText(reader, parameter->mutable_string_param());
      default:
        return reader.SkipField(tag, left);
    }
  });
}

// One entry of a map, which replaces an earlier one of the same key.
bool ReadMapEntry(WireReader& reader, int depth, InferParameterMap* parameters) {
  std::string key;
  InferParameter value;
  const bool read = WalkMessage(reader, depth, [&](uint32_t tag, int left) {
    switch (tag) {
      case LengthTag(1):
        return ReadText(reader, &key);
      case LengthTag(2):
        return ReadParameter(reader, left, &value);
      default:
        return reader.SkipField(tag, left);
    }
  });
  if (read) {
    (*parameters)[key] = std::move(value);
  }
  return read;
}

bool ReadShape(WireReader& reader, bool packed, Dims* shape) {
  uint64_t dim = 0;
  if (!packed) {
    const bool read = reader.ReadVarint(&dim);
    shape->push_back(static_cast<int64_t>(dim));
    return read;
  }
  size_t size_bytes = 0;
  size_t outer = 0;
  if (!reader.ReadLength(&size_bytes)) {
    return false;
  }
  reader.Enter(size_bytes, &outer);
  while (!reader.at_end()) {
    if (!reader.ReadVarint(&dim)) {
      return false;
    }
    shape->push_back(static_cast<int64_t>(dim));
  }
  reader.Leave(outer);
  return true;
}

bool ReadInput(WireReader& reader, int depth, WireInput* input) {
  using Fields = inference::ModelInferRequest::InferInputTensor;
  return WalkMessage(reader, depth, [&](uint32_t tag, int left) {
    switch (tag) {
      case LengthTag(Fields::kNameFieldNumber):
        return ReadText(reader, &input->name);
      case LengthTag(Fields::kDatatypeFieldNumber):
        return ReadText(reader, &input->datatype);
      case LengthTag(Fields::kShapeFieldNumber):
        return ReadShape(reader, true, &input->shape);
      case WireTag(Fields::kShapeFieldNumber, WireType::kVarint):
        return ReadShape(reader, false, &input->shape);
      case LengthTag(Fields::kParametersFieldNumber):
        return ReadMapEntry(reader, left, &input->parameters);
      case LengthTag(Fields::kContentsFieldNumber): {
        size_t size_bytes = 0;
        return left > 0 && reader.ReadLength(&size_bytes) &&
               input->contents.AddPart(reader, size_bytes, left - 1);
      }
      default:
        return reader.SkipField(tag, left);
    }
  });
}

bool ReadOutput(WireReader& reader, int depth, WireOutput* output) {
  using Fields = inference::ModelInferRequest::InferRequestedOutputTensor;
  return WalkMessage(reader, depth, [&](uint32_t tag, int left) {
    switch (tag) {
      case LengthTag(Fields::kNameFieldNumber):
        return ReadText(reader, &output->name);
      case LengthTag(Fields::kParametersFieldNumber):
        return ReadMapEntry(reader, left, &output->parameters);
      default:
        return reader.SkipField(tag, left);
    }
  });
}

absl::Status Malformed(std::string_view why) {
  return InvalidArgument("the message is not an inference.ModelInferRequest: {}", why);
}

bool ReadField(WireReader& reader, uint32_t tag, int depth, WireInferRequest* request) {
  using Fields = inference::ModelInferRequest;
  switch (tag) {
    case LengthTag(Fields::kModelNameFieldNumber):
      return ReadText(reader, &request->model_name);
    case LengthTag(Fields::kModelVersionFieldNumber):
      return ReadText(reader, &request->model_version);
    case LengthTag(Fields::kIdFieldNumber):
      return ReadText(reader, &request->id);
    case LengthTag(Fields::kParametersFieldNumber):
      return ReadMapEntry(reader, depth, &request->parameters);
    case LengthTag(Fields::kInputsFieldNumber):
      return ReadInput(reader, depth, &request->inputs.emplace_back());
    case LengthTag(Fields::kOutputsFieldNumber):
      return ReadOutput(reader, depth, &request->outputs.emplace_back());
    case LengthTag(Fields::kRawInputContentsFieldNumber):
      return reader.ReadPieces(&request->raw.emplace_back());
    default:
      return reader.SkipField(tag, depth);
  }
}

// The list that a field of this tag adds to, if it is full.
const char* FullList(uint32_t tag, const WireInferRequest& request) {
  using Fields = inference::ModelInferRequest;
  switch (tag) {
    case LengthTag(Fields::kInputsFieldNumber):
      return request.inputs.size() < kMostTensors ? nullptr : "inputs";
    case LengthTag(Fields::kOutputsFieldNumber):
      return request.outputs.size() < kMostTensors ? nullptr : "outputs";
    case LengthTag(Fields::kRawInputContentsFieldNumber):
      return request.raw.size() < kMostTensors ? nullptr : "raw_input_contents";
    default:
      return nullptr;
  }
}

// The slices of the message, kept alive, and their bytes.
absl::Status TakeSlices(const grpc::ByteBuffer& bytes, WireInferRequest* request) {
  if (!bytes.Dump(&request->slices).ok()) {
    return Malformed("it could not be decompressed");
  }
  size_t total = 0;
  request->pieces.reserve(request->slices.size());
  for (const grpc::Slice& slice : request->slices) {
    request->pieces.push_back(std::as_bytes(std::span(slice.begin(), slice.size())));
    total += slice.size();
  }
  constexpr auto kMost = static_cast<size_t>(std::numeric_limits<int>::max());
  return total <= kMost
             ? absl::OkStatus()
             : InvalidArgument("a message of {} bytes is too long: at most {}", total, kMost);
}

// Where one input's bytes come from.
// `raw_index`: of the raw contents that are its turn, which shared memory has none of.
absl::Status AttachData(const WireInferRequest& request, size_t index, const std::string& model,
                        size_t* raw_index, InferInput& input) {
  const TypedContents& contents = request.inputs[index].contents;
  if (input.shared.has_value()) {
    return contents.given()
               ? InvalidArgument(
                     "unexpected 'content' provided when using shared memory for input "
                     "tensor '{}' for model '{}'",
                     input.name, model)
               : absl::OkStatus();
  }
  if (!request.raw.empty()) {
    if (contents.given()) {
      return InvalidArgument(
          "contents field must not be specified when using raw_input_contents for '{}' for model "
          "'{}'",
          input.name, model);
    }
    if (*raw_index >= request.raw.size()) {
      return InvalidArgument("unable to find data for input tensor '{}' for model '{}' in request.",
                             input.name, model);
    }
    input.pieces = request.raw[(*raw_index)++];
    return absl::OkStatus();
  }
  if (!contents.given()) {
    return InvalidArgument("unable to find data for input tensor '{}' for model '{}' in request.",
                           input.name, model);
  }
  ASSIGN_OR_RETURN(input.encoded_bytes, contents.EncodedBytes({input.name, input.datatype, model}));
  input.encode = [&request, &contents, &model](const InferInput& of, std::span<std::byte> out) {
    return contents.Encode(request.pieces, {of.name, of.datatype, model}, out);
  };
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WireInferRequest> ParseInferRequest(const grpc::ByteBuffer& bytes) {
  absl::StatusOr<WireInferRequest> request(absl::in_place);
  RETURN_IF_ERROR(TakeSlices(bytes, &*request));
  WireReader reader(request->pieces);
  while (!reader.at_end()) {
    uint32_t tag = 0;
    if (!reader.ReadTag(&tag)) {
      return Malformed("its bytes are no fields of a message");
    }
    if (const char* full = FullList(tag, *request)) {
      return InvalidArgument("{} has more than {} entries", full, kMostTensors);
    }
    if (!ReadField(reader, tag, kDepth, &*request)) {
      return Malformed(fmt::format(
          "field {} is cut off, does not fit its type, or is a string and not UTF-8", tag >> 3));
    }
  }
  return request;
}

absl::StatusOr<InferCall> PrepareCall(WireInferRequest& request, ModelHandle model) {
  InferCall call{.model = std::move(model)};
  const std::string& name = call.model->name;
  RETURN_IF_ERROR(ReadRequestParameters(request.parameters, call));
  call.inputs.reserve(request.inputs.size());
  size_t raw_index = 0;
  size_t shared_count = 0;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    WireInput& tensor = request.inputs[i];
    InferInput& input = call.inputs.emplace_back();
    ASSIGN_OR_RETURN(input.shared, ReadSharedPlace("input", tensor.name, tensor.parameters));
    shared_count += input.shared.has_value() ? 1 : 0;
    input.name = std::move(tensor.name);
    input.datatype = std::move(tensor.datatype);
    input.shape = std::move(tensor.shape);
    RETURN_IF_ERROR(AttachData(request, i, name, &raw_index, input));
  }
  if (request.raw.size() > raw_index) {
    return InvalidArgument(
        "raw_input_contents has {} entries but the request for model '{}' has {} inputs{}; "
        "expected one entry for each",
        request.raw.size(), name, request.inputs.size() - shared_count,
        shared_count > 0 ? " that are not in shared memory" : "");
  }
  for (WireOutput& output : request.outputs) {
    ASSIGN_OR_RETURN(std::optional<SharedPlace> place,
                     ReadSharedPlace("output", output.name, output.parameters));
    call.outputs.push_back(std::move(output.name));
    RETURN_IF_ERROR(ReadClassification(output.parameters, call));
    if (place.has_value()) {
      call.places.resize(call.outputs.size());
      call.places.back() = std::move(place);
    }
  }
  return call;
}

}  // namespace omserve::server
