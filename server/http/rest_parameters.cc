// SPDX-License-Identifier: Apache-2.0
#include "server/http/rest_parameters.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>

#include "runtime/base/errors.h"
#include "server/core/custom_parameters.h"
#include "server/core/sequences.h"
#include "server/http/infer_json.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

absl::Status WrongType(std::string_view name, std::string_view expected) {
  return InvalidArgument("invalid value type for '{}' parameter, expected {}.", name, expected);
}

// nullptr where there are none.
absl::StatusOr<const json::object*> ParametersOf(const json::object& object,
                                                 const std::string& where) {
  const json::value* parameters = object.if_contains("parameters");
  if (parameters == nullptr) {
    return nullptr;
  }
  if (!parameters->is_object()) {
    return InvalidArgument("{}: 'parameters' must be an object", where);
  }
  for (const auto& [name, value] : parameters->get_object()) {
    if (value.is_structured() || value.is_null()) {
      return InvalidArgument("{}: parameter '{}' must be a string, a number or a boolean", where,
                             std::string_view(name).substr(0, 64));
    }
  }
  return &parameters->get_object();
}

absl::StatusOr<std::optional<uint64_t>> Number(const json::object& parameters, const char* name) {
  const json::value* value = parameters.if_contains(name);
  if (value == nullptr) {
    return std::nullopt;
  }
  json::error_code error;
  const auto number = value->is_number() ? value->to_number<uint64_t>(error) : 0;
  if (error || !value->is_number()) {
    return WrongType(name, "a whole number that is not negative");
  }
  return number;
}

absl::StatusOr<std::optional<bool>> Bool(const json::object& parameters, const char* name) {
  const json::value* value = parameters.if_contains(name);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_bool()) {
    return WrongType(name, "true or false");
  }
  return value->get_bool();
}

absl::Status ReadSequence(const json::object& parameters, scheduler::SequenceTurn& turn) {
  ASSIGN_OR_RETURN(const std::optional<bool> start, Bool(parameters, "sequence_start"));
  ASSIGN_OR_RETURN(const std::optional<bool> end, Bool(parameters, "sequence_end"));
  turn.start = start.value_or(false);
  turn.end = end.value_or(false);
  const json::value* id = parameters.if_contains("sequence_id");
  if (id == nullptr) {
    return absl::OkStatus();
  }
  if (!id->is_string()) {
    json::error_code error;
    turn.id.number = id->is_number() ? id->to_number<uint64_t>(error) : 0;
    return error || !id->is_number()
               ? WrongType("sequence_id", "a string or a whole number that is not negative")
               : absl::OkStatus();
  }
  turn.id.text = std::string(std::string_view(id->get_string()));
  return CheckSequenceId(turn.id);
}

absl::StatusOr<std::optional<SharedPlace>> ReadSharedPlace(const json::object& parameters,
                                                           const std::string& where) {
  const json::value* region = parameters.if_contains("shared_memory_region");
  if (region == nullptr) {
    return std::nullopt;
  }
  if (!region->is_string()) {
    return WrongType("shared_memory_region", "a string");
  }
  ASSIGN_OR_RETURN(const std::optional<uint64_t> offset_bytes,
                   Number(parameters, "shared_memory_offset"));
  ASSIGN_OR_RETURN(const std::optional<uint64_t> size_bytes,
                   Number(parameters, "shared_memory_byte_size"));
  if (!size_bytes.has_value()) {
    return InvalidArgument(
        "'shared_memory_byte_size' must be specified along with 'shared_memory_region' for {}",
        where);
  }
  return SharedPlace{.region = std::string(std::string_view(region->get_string())),
                     .offset_bytes = offset_bytes.value_or(0),
                     .size_bytes = *size_bytes};
}

absl::Status RefuseReserved(const json::object& parameters) {
  for (const auto& [name, value] : parameters) {
    const std::string_view key(name);
    if (key.starts_with("triton_") && key != "triton_enable_empty_final_response") {
      return InvalidArgument(
          "parameter '{}': keys starting with 'triton_' are reserved. Only the following keys "
          "starting with 'triton_' are allowed: ['triton_enable_empty_final_response']",
          key.substr(0, 64));
    }
  }
  return absl::OkStatus();
}

void KeepCustom(const json::object& parameters, RestCall& rest) {
  for (const auto& [name, value] : parameters) {
    if (rest.parameters.size() < kMostTracedParameters && IsCustomParameter(name)) {
      rest.parameters.emplace_back(
          KeptText(name), value.is_string() ? KeptText(std::string_view(value.get_string()))
                                            : KeptText(json::serialize(value)));
    }
  }
}

}  // namespace

absl::Status ReadRestParameters(const json::object& request, RestCall& rest) {
  ASSIGN_OR_RETURN(const json::object* parameters, ParametersOf(request, "the request"));
  if (parameters == nullptr) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(ReadSequence(*parameters, rest.call.sequence));
  RETURN_IF_ERROR(RefuseReserved(*parameters));
  ASSIGN_OR_RETURN(const std::optional<uint64_t> priority, Number(*parameters, "priority"));
  ASSIGN_OR_RETURN(const std::optional<uint64_t> timeout_us, Number(*parameters, "timeout"));
  ASSIGN_OR_RETURN(const std::optional<bool> trace, Bool(*parameters, "omserve_trace"));
  ASSIGN_OR_RETURN(const std::optional<bool> binary, Bool(*parameters, "binary_data_output"));
  rest.call.priority = priority.value_or(0);
  // A year is as good as none, and fits the clock.
  constexpr uint64_t kMostUs = 365ULL * 24 * 3600 * 1'000'000;
  rest.call.timeout =
      std::chrono::microseconds(static_cast<int64_t>(std::min(timeout_us.value_or(0), kMostUs)));
  rest.call.trace = trace.value_or(false);
  rest.binary_default = binary.value_or(false);
  KeepCustom(*parameters, rest);
  return absl::OkStatus();
}

absl::StatusOr<TensorParameters> ReadTensorParameters(const json::object& tensor,
                                                      const std::string& where) {
  TensorParameters read;
  ASSIGN_OR_RETURN(const json::object* parameters, ParametersOf(tensor, where));
  if (parameters == nullptr) {
    return read;
  }
  ASSIGN_OR_RETURN(read.shared, ReadSharedPlace(*parameters, where));
  ASSIGN_OR_RETURN(const std::optional<uint64_t> classes, Number(*parameters, "classification"));
  read.classes = classes.value_or(0);
  ASSIGN_OR_RETURN(read.binary_size, Number(*parameters, "binary_data_size"));
  ASSIGN_OR_RETURN(read.binary, Bool(*parameters, "binary_data"));
  return read;
}

}  // namespace omserve::server
