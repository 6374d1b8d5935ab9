// SPDX-License-Identifier: Apache-2.0
#include "server/http/generate.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/tensor.h"
#include "server/http/json_object.h"
#include "server/http/json_tensors.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

const TensorSpec* InputNamed(const Model& model, std::string_view name) {
  const auto found = std::ranges::find(model.inputs, name, &TensorSpec::name);
  return found == model.inputs.end() ? nullptr : &*found;
}

// The shape of `count` elements: the batch is one row, and one of the dims that are free takes what
// the fixed ones leave.
absl::StatusOr<json::array> ShapeOf(const TensorSpec& input, const Model& model, size_t count) {
  json::array shape;
  int64_t fixed = 1;
  json::value* free = nullptr;
  shape.reserve(input.dims.size());  // `free` points into it.
  for (size_t i = 0; i < input.dims.size(); ++i) {
    const bool is_batch = i == 0 && model.plan->batched;
    const int64_t dim = is_batch ? 1 : input.dims[i];
    shape.emplace_back(dim);
    if (dim >= 0) {
      fixed *= dim;
    } else if (free == nullptr) {
      free = &shape.back();
    } else {
      return InvalidArgument(
          "input '{}' of model '{}' has several dims of any length, of which generate cannot tell "
          "one from the other; use infer",
          input.name, model.name);
    }
  }
  const auto wanted = static_cast<int64_t>(count);
  if (free != nullptr && fixed > 0 && wanted % fixed == 0) {
    *free = wanted / fixed;
    fixed = wanted;
  }
  if (fixed != wanted) {
    return InvalidArgument("input '{}' of model '{}' got {} elements, expected {}{}", input.name,
                           model.name, wanted, free != nullptr ? "a multiple of " : "", fixed);
  }
  return shape;
}

absl::StatusOr<json::object> TensorOf(const TensorSpec& input, const Model& model,
                                      const json::value& value) {
  json::array data;
  if (value.is_array()) {
    data = value.get_array();
  } else {
    data.push_back(value);
  }
  for (const json::value& element : data) {
    if (element.is_structured() || element.is_null()) {
      return InvalidArgument("input '{}' of model '{}' must be a value or an array of values",
                             input.name, model.name);
    }
  }
  ASSIGN_OR_RETURN(json::array shape, ShapeOf(input, model, data.size()));
  const std::string_view type = DataTypeName(input.type);
  return json::object{{"name", input.name},
                      {"shape", std::move(shape)},
                      {"datatype", json::string_view(type.data(), type.size())},
                      {"data", std::move(data)}};
}

// Puts the members of `from` where they belong.
absl::Status Sort(const json::object& from, const Model& model, bool is_outer, json::object& into) {
  for (const auto& [key, value] : from) {
    const std::string_view name(key.data(), key.size());
    if (is_outer && name == "parameters") {
      if (!value.is_object()) {
        return InvalidArgument("'parameters' must be an object");
      }
      RETURN_IF_ERROR(Sort(value.get_object(), model, false, into));
    } else if (const TensorSpec* input = InputNamed(model, name)) {
      ASSIGN_OR_RETURN(json::object tensor, TensorOf(*input, model, value));
      into["inputs"].get_array().push_back(std::move(tensor));
    } else if (is_outer && name == "id") {
      into["id"] = value;
    } else {
      into["parameters"].get_object()[key] = value;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> InferBodyOfGenerate(std::string_view body, const Model& model) {
  ASSIGN_OR_RETURN(const json::object asked, ReadJsonObject(body, EmptyBody::kIsWrong));
  json::object infer{{"inputs", json::array()}, {"parameters", json::object()}};
  RETURN_IF_ERROR(Sort(asked, model, true, infer));
  return json::serialize(infer);
}

absl::StatusOr<std::string> GenerateAnswer(std::string_view id, const InferResult& result) {
  const Model& model = *result.model;
  json::object header;
  if (!id.empty()) {
    header["id"] = json::string_view(id.data(), id.size());
  }
  header["model_name"] = model.name;
  header["model_version"] = std::to_string(model.version);
  std::string text = json::serialize(header);
  text.pop_back();  // More follows.
  for (const scheduler::ResponseOutput& output : result.outputs) {
    const TensorSpec& spec = model.outputs[static_cast<size_t>(output.output)];
    text += ',' + json::serialize(json::string(spec.name)) + ':';
    const size_t begin = text.size();
    const absl::Status said = AppendJsonTensor(spec.type, output.bytes, &text);
    if (!said.ok()) {
      return WithContext(said, fmt::format("output '{}'", spec.name));
    }
    const bool is_one = std::ranges::all_of(output.dims, [](int64_t dim) { return dim == 1; });
    if (is_one) {  // The value without its brackets.
      text.erase(begin, 1);
      text.pop_back();
    }
  }
  return text + "}";
}

}  // namespace omserve::server
