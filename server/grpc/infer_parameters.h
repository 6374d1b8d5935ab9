// SPDX-License-Identifier: Apache-2.0
// The parameters of a ModelInferRequest: what they set, which are refused, which are passed over.
#pragma once

#include <google/protobuf/map.h>

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/core/inference.h"

namespace omserve::server {

using InferParameterMap = google::protobuf::Map<std::string, inference::InferParameter>;

// Asks for, and carries, the times of a request's steps.
inline constexpr char kTraceParameter[] = "omserve_trace";
// Asks to be told of the end of a request whose last answer did not tell it.
inline constexpr char kEndParameter[] = "triton_enable_empty_final_response";
// Comes back beside kTraceParameter: where the request's time went.
inline constexpr char kStagesParameter[] = "omserve_stages";

// priority, timeout (microseconds), sequence_id, _start and _end, omserve_trace and
// triton_enable_empty_final_response into `call`.
// Others are passed over, except that kInvalidArgument is a known name of another type and every
// unknown name in triton_*, which is reserved.
absl::Status ReadRequestParameters(const InferParameterMap& parameters, InferCall& call);

// shared_memory_region, _offset and _byte_size of one tensor; nullopt where it is in no shared
// memory. `side` is "input" or "output". Errors: kInvalidArgument.
absl::StatusOr<std::optional<SharedPlace>> ReadSharedPlace(std::string_view side,
                                                           const std::string& tensor,
                                                           const InferParameterMap& parameters);

// Of the output that call.outputs ends with: classification into call.classes. kInvalidArgument for
// another type and for a number below 0; 0 is the tensor itself.
absl::Status ReadClassification(const InferParameterMap& parameters, InferCall& call);

}  // namespace omserve::server
