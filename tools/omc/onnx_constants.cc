// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/onnx_constants.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "proto/onnx/onnx.pb.h"
#include "runtime/base/errors.h"

namespace omserve::omc {
namespace {

// Element types by ONNX's numbers.
constexpr int32_t kFloat = 1;
constexpr int32_t kInt32 = 6;
constexpr int32_t kInt64 = 7;

template <typename T>
std::optional<std::string> NumberBytes(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

absl::Status Fix(onnx::GraphProto& graph, std::string_view name, std::string_view number) {
  const auto input = std::find_if(graph.input().begin(), graph.input().end(),
                                  [name](const auto& value) { return value.name() == name; });
  if (input == graph.input().end()) {
    std::string known;
    for (const onnx::ValueInfoProto& value : graph.input()) {
      known += (known.empty() ? "'" : ", '") + value.name() + "'";
    }
    return InvalidArgument("--constant: the model has no input '{}'; it has {}", name, known);
  }
  const onnx::TypeProto::Tensor& type = input->type().tensor_type();
  onnx::TensorProto constant;
  constant.set_name(input->name());
  constant.set_data_type(type.elem_type());
  for (const onnx::TensorShapeProto::Dimension& dim : type.shape().dim()) {
    if (dim.dim_value() != 1) {
      return InvalidArgument("--constant: input '{}' has more than one element, or open dims",
                             name);
    }
    constant.add_dims(1);
  }
  std::optional<std::string> bytes;
  switch (type.elem_type()) {
    case kFloat:
      bytes = NumberBytes<float>(number);
      break;
    case kInt32:
      bytes = NumberBytes<int32_t>(number);
      break;
    case kInt64:
      bytes = NumberBytes<int64_t>(number);
      break;
    default:
      return InvalidArgument(
          "--constant: input '{}' is of ONNX's element type {}, expected FP32, "
          "INT32 or INT64",
          name, type.elem_type());
  }
  if (!bytes.has_value()) {
    return InvalidArgument("--constant: '{}' is no number of the type of input '{}'", number, name);
  }
  constant.set_raw_data(*std::move(bytes));
  graph.mutable_input()->erase(input);
  *graph.add_initializer() = std::move(constant);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FixInputs(std::span<const std::byte> model,
                                      const std::string& constants) {
  onnx::ModelProto proto;
  if (model.size() > std::numeric_limits<int>::max()) {
    return InvalidArgument("--constant: the ONNX model has {} bytes, at most 2 GiB can be read",
                           model.size());
  }
  if (!proto.ParseFromArray(model.data(), static_cast<int>(model.size())) || !proto.has_graph()) {
    return InvalidArgument("the file is not an ONNX model");
  }
  std::string_view left = constants;
  while (!left.empty()) {
    const size_t end = std::min(left.find(';'), left.size());
    const std::string_view part = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    // The last colon: names may hold some themselves.
    const size_t colon = part.rfind(':');
    if (colon == std::string_view::npos) {
      return InvalidArgument("--constant: '{}', expected NAME:NUMBER as in 'sr:16000'", part);
    }
    RETURN_IF_ERROR(Fix(*proto.mutable_graph(), part.substr(0, colon), part.substr(colon + 1)));
  }
  return proto.SerializeAsString();
}

}  // namespace omserve::omc
