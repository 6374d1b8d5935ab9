// SPDX-License-Identifier: Apache-2.0
#include "server/http/infer_json.h"

#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "server/core/trace_json.h"
#include "server/http/json_cut.h"
#include "server/http/json_tensors.h"
#include "server/http/rest_parameters.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

std::string TextOf(const json::string& text) { return {text.data(), text.size()}; }

absl::StatusOr<std::string> RequiredText(const json::object& object, const char* key,
                                         std::string_view where) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) {
    return InvalidArgument("{}: '{}' must be there and a string", where, key);
  }
  return TextOf(value->get_string());
}

absl::StatusOr<Dims> ShapeOf(const json::object& object, const std::string& input) {
  const json::value* shape = object.if_contains("shape");
  if (shape == nullptr || !shape->is_array()) {
    return InvalidArgument("input '{}': 'shape' must be there and an array", input);
  }
  Dims dims;
  for (const json::value& size : shape->get_array()) {
    json::error_code error;
    const auto dim = size.is_number() ? size.to_number<int64_t>(error) : -1;
    if (error || dim < 0) {
      return InvalidArgument("input '{}': {} is no size", input, json::serialize(size));
    }
    dims.push_back(dim);
  }
  return dims;
}

// Takes tensors from what follows the JSON, in order.
class Tail final {
 public:
  explicit Tail(std::string_view bytes) : bytes_(bytes) {}

  absl::StatusOr<std::string_view> Take(uint64_t size_bytes, const std::string& input) {
    if (size_bytes > bytes_.size()) {
      return InvalidArgument(
          "unexpected size for input '{}', expecting {} bytes of binary data but only {} are left",
          input, size_bytes, bytes_.size());
    }
    const std::string_view taken = bytes_.substr(0, static_cast<size_t>(size_bytes));
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  size_t left() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

// A tensor that came as JSON. Texts are read here and now, because only that tells how many bytes
// they are; numbers not before there is memory for them, straight into it.
absl::Status AddJsonData(const JsonTensor& tensor, InferInput& input, RestCall& rest) {
  RETURN_IF_ERROR(CheckJsonTensor(tensor));
  if (tensor.type == DataType::kBytes) {
    ASSIGN_OR_RETURN(std::string raw, ReadJsonTexts(tensor));
    rest.encoded.push_back(std::move(raw));
    input.pieces.push_back(std::as_bytes(std::span(rest.encoded.back())));
    return absl::OkStatus();
  }
  input.encoded_bytes = static_cast<size_t>(tensor.count) * DataTypeSize(tensor.type);
  input.encode = [text = tensor.text](const InferInput& from, std::span<std::byte> out) {
    const DataType type = DataTypeFromName(from.datatype);
    const auto count = static_cast<int64_t>(out.size() / DataTypeSize(type));
    return WithContext(ReadJsonTensor({text, type, count}, out),
                       fmt::format("input '{}'", from.name));
  };
  return absl::OkStatus();
}

// `data`: what was cut out of the document, in which its index stands instead.
absl::Status AddInput(const json::value& value, std::span<const std::string_view> data, Tail& tail,
                      RestCall& rest) {
  if (!value.is_object()) {
    return InvalidArgument("an element of 'inputs' is no object");
  }
  const json::object& object = value.get_object();
  InferInput input;
  ASSIGN_OR_RETURN(input.name, RequiredText(object, "name", "an element of 'inputs'"));
  ASSIGN_OR_RETURN(input.datatype,
                   RequiredText(object, "datatype", fmt::format("input '{}'", input.name)));
  ASSIGN_OR_RETURN(input.shape, ShapeOf(object, input.name));
  ASSIGN_OR_RETURN(const TensorParameters parameters,
                   ReadTensorParameters(object, fmt::format("input '{}'", input.name)));
  if (parameters.shared.has_value()) {
    if (object.contains("data") || parameters.binary_size.has_value()) {
      return InvalidArgument(
          "unexpected 'data' or binary_data_size provided when using shared memory for input "
          "tensor '{}' for model '{}'",
          input.name, rest.call.model->name);
    }
    input.shared = parameters.shared;
    rest.call.inputs.push_back(std::move(input));
    return absl::OkStatus();
  }
  const json::value* index = object.if_contains("data");
  if ((index != nullptr) == parameters.binary_size.has_value()) {
    return InvalidArgument("input '{}' must have either 'data' or the parameter binary_data_size",
                           input.name);
  }
  if (index == nullptr) {
    ASSIGN_OR_RETURN(const std::string_view bytes, tail.Take(*parameters.binary_size, input.name));
    input.pieces.push_back(std::as_bytes(std::span(bytes)));
  } else {
    const std::optional<int64_t> count = ElementCount(input.shape);
    if (!count.has_value()) {
      return InvalidArgument("input '{}': a tensor of shape {} is too large", input.name,
                             DimsToString(input.shape));
    }
    const int64_t* cut = index->if_int64();
    if (cut == nullptr || *cut < 0 || static_cast<size_t>(*cut) >= data.size()) {
      return Internal("input '{}': its data was not cut out of the request", input.name);
    }
    RETURN_IF_ERROR(WithContext(AddJsonData({.text = data[static_cast<size_t>(*cut)],
                                             .type = DataTypeFromName(input.datatype),
                                             .count = *count},
                                            input, rest),
                                fmt::format("input '{}'", input.name)));
  }
  rest.call.inputs.push_back(std::move(input));
  return absl::OkStatus();
}

absl::Status AddOutput(const json::value& value, RestCall& rest) {
  if (!value.is_object()) {
    return InvalidArgument("an element of 'outputs' is no object");
  }
  ASSIGN_OR_RETURN(std::string name,
                   RequiredText(value.get_object(), "name", "an element of 'outputs'"));
  ASSIGN_OR_RETURN(const TensorParameters parameters,
                   ReadTensorParameters(value.get_object(), fmt::format("output '{}'", name)));
  rest.call.outputs.push_back(std::move(name));
  if (parameters.classes > 0) {
    rest.call.classes.resize(rest.call.outputs.size());
    rest.call.classes.back() = parameters.classes;
  }
  if (parameters.shared.has_value()) {
    if (parameters.binary.value_or(false)) {
      return InvalidArgument("output '{}': binary_data and shared_memory_region exclude each other",
                             rest.call.outputs.back());
    }
    rest.call.places.resize(rest.call.outputs.size());
    rest.call.places.back() = parameters.shared;
  }
  rest.binary_by_output.push_back(parameters.binary);
  return absl::OkStatus();
}

// The elements of an array that may be left out.
absl::StatusOr<const json::array*> OptionalArray(const json::object& object, const char* key) {
  static const json::array none;
  const json::value* value = object.if_contains(key);
  if (value == nullptr) {
    return &none;
  }
  if (!value->is_array()) {
    return InvalidArgument("'{}' must be an array", key);
  }
  return &value->get_array();
}

absl::Status ReadHeader(const json::object& header, std::span<const std::string_view> data,
                        Tail& tail, RestCall& rest) {
  if (header.contains("id")) {
    ASSIGN_OR_RETURN(rest.id, RequiredText(header, "id", "the request"));
  }
  RETURN_IF_ERROR(ReadRestParameters(header, rest));
  ASSIGN_OR_RETURN(const json::array* inputs, OptionalArray(header, "inputs"));
  for (const json::value& input : *inputs) {
    RETURN_IF_ERROR(AddInput(input, data, tail, rest));
  }
  ASSIGN_OR_RETURN(const json::array* outputs, OptionalArray(header, "outputs"));
  for (const json::value& output : *outputs) {
    RETURN_IF_ERROR(AddOutput(output, rest));
  }
  if (tail.left() > 0) {
    return InvalidArgument(
        "unexpected additional input data for model '{}': {} bytes after the last input",
        rest.call.model->name, tail.left());
  }
  return absl::OkStatus();
}

// The dims of a row of `spec` that has `size_bytes`; at most one of them may be open.
absl::StatusOr<Dims> FitRow(const Model& model, const TensorSpec& spec, size_t size_bytes) {
  Dims dims = spec.dims;
  if (model.plan->batched) {
    dims.front() = 1;
  }
  size_t known_bytes = DataTypeSize(spec.type);
  int64_t* open = nullptr;
  for (int64_t& dim : dims) {
    if (dim >= 0) {
      known_bytes *= static_cast<size_t>(dim);
    } else if (open == nullptr) {
      open = &dim;
    } else {
      return InvalidArgument(
          "a raw binary request needs an input with at most one open size, but '{}' of model '{}' "
          "is {}",
          spec.name, model.name, DimsToString(spec.dims));
    }
  }
  if (open != nullptr && known_bytes > 0 && size_bytes % known_bytes == 0) {
    *open = static_cast<int64_t>(size_bytes / known_bytes);
  }
  return dims;  // Whether the bytes fit is checked with every other request.
}

absl::StatusOr<RestCall> RawCall(std::string_view body, ModelHandle model) {
  if (model->inputs.size() != 1) {
    return InvalidArgument("a raw binary request is for models of one input, but '{}' has {}",
                           model->name, model->inputs.size());
  }
  RestCall rest;
  rest.binary_default = true;
  const TensorSpec& spec = model->inputs.front();
  InferInput input{.name = spec.name, .datatype = std::string(DataTypeName(spec.type))};
  std::string_view bytes = body;
  if (spec.type == DataType::kBytes) {  // The body is the element itself.
    RETURN_IF_ERROR(AppendBytesElement(body, &rest.encoded.emplace_back()));
    bytes = rest.encoded.back();
    input.shape.assign(spec.dims.size(), 1);
  } else {
    ASSIGN_OR_RETURN(input.shape, FitRow(*model, spec, body.size()));
  }
  input.pieces.push_back(std::as_bytes(std::span(bytes)));
  rest.call.inputs.push_back(std::move(input));
  rest.call.model = std::move(model);
  return rest;
}

json::object OutputHeader(const std::string& name, DataType type, const Dims& dims) {
  return {{"name", name},
          {"datatype", json::string(DataTypeName(type).data(), DataTypeName(type).size())},
          {"shape", json::array(dims.begin(), dims.end())}};
}

// "{...": an object's text without its closing brace, so that more can follow.
std::string OpenObject(const json::object& object) {
  std::string text = json::serialize(object);
  text.pop_back();
  return text;
}

}  // namespace

absl::StatusOr<RestCall> ParseInferBody(std::string_view body, std::optional<size_t> header_bytes,
                                        ModelHandle model) {
  if (header_bytes.has_value() && *header_bytes > body.size()) {
    return InvalidArgument("Inference-Header-Content-Length is {}, but the body has {} bytes",
                           *header_bytes, body.size());
  }
  if (header_bytes == size_t{0}) {
    return RawCall(body, std::move(model));
  }
  const std::string_view text = body.substr(0, header_bytes.value_or(body.size()));
  ASSIGN_OR_RETURN(const CutRequest cut, CutTensorData(text));
  json::monotonic_resource memory;
  json::error_code error;
  const json::value header = json::parse(cut.document, error, &memory);
  if (error || !header.is_object()) {
    return InvalidArgument("the request is not a JSON object: {}",
                           error ? error.message() : "it is another JSON value");
  }
  RestCall rest;
  rest.call.model = std::move(model);
  Tail tail(body.substr(text.size()));
  RETURN_IF_ERROR(ReadHeader(header.get_object(), cut.data, tail, rest));
  return rest;
}

size_t RestAnswer::size_bytes() const {
  size_t size = json.size();
  for (const std::span<const std::byte> piece : binary) {
    size += piece.size();
  }
  return size;
}

absl::StatusOr<RestAnswer> BuildInferAnswer(const RestCall& rest, const InferResult& result) {
  json::object header;
  if (!rest.id.empty()) {
    header["id"] = rest.id;
  }
  header["model_name"] = result.model->name;
  header["model_version"] = std::to_string(result.model->version);
  if (!result.trace.empty()) {
    header["parameters"] = json::object{{"omserve_trace", TraceToJson(result.trace)},
                                        {"omserve_stages", StagesToJson(result.stages)}};
  }
  RestAnswer answer{.json = OpenObject(header)};
  answer.json += R"(,"outputs":[)";
  for (size_t i = 0; i < result.outputs.size(); ++i) {
    const scheduler::ResponseOutput& output = result.outputs[i];
    const TensorSpec& spec = result.model->outputs[static_cast<size_t>(output.output)];
    const DataType type = result.OutputType(i);
    json::object tensor = OutputHeader(spec.name, type, output.dims);
    const bool binary = i < rest.binary_by_output.size()
                            ? rest.binary_by_output[i].value_or(rest.binary_default)
                            : rest.binary_default;
    answer.json += i > 0 ? "," : "";
    if (i < rest.call.places.size() && rest.call.places[i].has_value()) {
      answer.json += json::serialize(tensor);
      continue;
    }
    if (binary) {
      tensor["parameters"] = json::object{{"binary_data_size", output.bytes.size()}};
      answer.json += json::serialize(tensor);
      answer.binary.push_back(output.bytes);
      answer.is_binary = true;
      continue;
    }
    answer.json += OpenObject(tensor) + R"(,"data":)";
    const absl::Status said = AppendJsonTensor(type, output.bytes, &answer.json);
    if (!said.ok()) {
      return WithContext(said, fmt::format("output '{}'", spec.name));
    }
    answer.json += "}";
  }
  answer.json += "]}";
  return answer;
}

}  // namespace omserve::server
