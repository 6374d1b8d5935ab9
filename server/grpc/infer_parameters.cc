// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_parameters.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "runtime/base/errors.h"
#include "server/core/sequences.h"

namespace omserve::server {
namespace {

using inference::InferParameter;

const InferParameter* Find(const InferParameterMap& parameters, const char* name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? nullptr : &found->second;
}

absl::Status WrongType(std::string_view name, std::string_view expected) {
  return InvalidArgument("invalid value type for '{}' parameter, expected {}.", name, expected);
}

// A number that is not negative, in either of the types that clients use.
absl::Status ReadNumber(const InferParameterMap& parameters, const char* name, uint64_t* number) {
  const InferParameter* parameter = Find(parameters, name);
  if (parameter == nullptr) {
    return absl::OkStatus();
  }
  if (parameter->parameter_choice_case() == InferParameter::kUint64Param) {
    *number = parameter->uint64_param();
    return absl::OkStatus();
  }
  if (parameter->parameter_choice_case() != InferParameter::kInt64Param) {
    return WrongType(name, "int64_param or uint64_param");
  }
  if (parameter->int64_param() < 0) {
    return InvalidArgument("parameter '{}' must not be negative, got {}", name,
                           parameter->int64_param());
  }
  *number = static_cast<uint64_t>(parameter->int64_param());
  return absl::OkStatus();
}

absl::Status ReadBool(const InferParameterMap& parameters, const char* name, bool* value) {
  const InferParameter* parameter = Find(parameters, name);
  if (parameter == nullptr) {
    return absl::OkStatus();
  }
  if (parameter->parameter_choice_case() != InferParameter::kBoolParam) {
    return WrongType(name, "bool_param");
  }
  *value = parameter->bool_param();
  return absl::OkStatus();
}

absl::Status ReadSequence(const InferParameterMap& parameters, scheduler::SequenceTurn* turn) {
  RETURN_IF_ERROR(ReadBool(parameters, "sequence_start", &turn->start));
  RETURN_IF_ERROR(ReadBool(parameters, "sequence_end", &turn->end));
  const InferParameter* id = Find(parameters, "sequence_id");
  if (id == nullptr) {
    return absl::OkStatus();
  }
  switch (id->parameter_choice_case()) {
    case InferParameter::kInt64Param:
      // Triton has it unsigned: a negative number is a large one.
      turn->id.number = static_cast<uint64_t>(id->int64_param());
      return absl::OkStatus();
    case InferParameter::kUint64Param:
      turn->id.number = id->uint64_param();
      return absl::OkStatus();
    case InferParameter::kStringParam:
      turn->id.text = id->string_param();
      return CheckSequenceId(turn->id);
    default:
      return WrongType("sequence_id", "int64_param or string_param");
  }
}

absl::Status RefuseReserved(const InferParameterMap& parameters) {
  std::vector<std::string> reserved;
  for (const auto& [name, parameter] : parameters) {
    if (name.rfind("triton_", 0) == 0 && name != kEndParameter) {
      reserved.push_back(name.substr(0, 64));
    }
  }
  if (reserved.empty()) {
    return absl::OkStatus();
  }
  return InvalidArgument(
      "parameter '{}': keys starting with 'triton_' are reserved. Only the following keys starting "
      "with 'triton_' are allowed: ['triton_enable_empty_final_response']",
      *std::min_element(reserved.begin(), reserved.end()));
}

}  // namespace

absl::Status ReadRequestParameters(const InferParameterMap& parameters, InferCall& call) {
  if (parameters.empty()) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(ReadSequence(parameters, &call.sequence));
  RETURN_IF_ERROR(RefuseReserved(parameters));
  RETURN_IF_ERROR(ReadNumber(parameters, "priority", &call.priority));
  uint64_t timeout_us = 0;
  RETURN_IF_ERROR(ReadNumber(parameters, "timeout", &timeout_us));
  // A year is as good as none, and fits the clock.
  constexpr uint64_t kMostUs = 365ULL * 24 * 3600 * 1'000'000;
  call.timeout = std::chrono::microseconds(static_cast<int64_t>(std::min(timeout_us, kMostUs)));
  RETURN_IF_ERROR(ReadBool(parameters, kEndParameter, &call.wants_end));
  return ReadBool(parameters, kTraceParameter, &call.trace);
}

absl::StatusOr<std::optional<SharedPlace>> ReadSharedPlace(std::string_view side,
                                                           const std::string& tensor,
                                                           const InferParameterMap& parameters) {
  const InferParameter* region = Find(parameters, "shared_memory_region");
  if (region == nullptr) {
    return std::nullopt;
  }
  if (region->parameter_choice_case() != InferParameter::kStringParam) {
    return WrongType("shared_memory_region", "string_param");
  }
  if (Find(parameters, "shared_memory_byte_size") == nullptr) {
    return InvalidArgument(
        "'shared_memory_byte_size' must be specified along with 'shared_memory_region' for {} '{}'",
        side, tensor);
  }
  SharedPlace place{.region = region->string_param()};
  RETURN_IF_ERROR(ReadNumber(parameters, "shared_memory_offset", &place.offset_bytes));
  RETURN_IF_ERROR(ReadNumber(parameters, "shared_memory_byte_size", &place.size_bytes));
  return place;
}

absl::Status ReadClassification(const InferParameterMap& parameters, InferCall& call) {
  uint64_t classes = 0;
  RETURN_IF_ERROR(ReadNumber(parameters, "classification", &classes));
  if (classes > 0) {
    call.classes.resize(call.outputs.size());
    call.classes.back() = classes;
  }
  return absl::OkStatus();
}

}  // namespace omserve::server
