// SPDX-License-Identifier: Apache-2.0
// A ModelInferRequest taken apart without copying its tensors.
//
// Source: KServe v2's gRPC messages; Triton's rules for raw_input_contents and for contents.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/core/inference.h"

namespace omserve::server {

// The bytes of one tensor, in the pieces in which the network delivered them.
using RawTensor = std::vector<std::span<const std::byte>>;

// The generated parser would copy every tensor into a string of its own. Here the message's fields
// are walked: raw_input_contents stay where they are, the small rest goes through the generated
// parser. Thread-compatible.
struct WireInferRequest {
  inference::ModelInferRequest message;  // Without raw_input_contents.
  std::vector<RawTensor> raw;            // Pieces of `slices`.
  std::vector<grpc::Slice> slices;
};

// Most entries of raw_input_contents; each costs memory before anything about it can be checked.
inline constexpr size_t kMostRawTensors = 4096;

// Errors: kInvalidArgument when the bytes are no ModelInferRequest.
absl::StatusOr<WireInferRequest> ParseInferRequest(const grpc::ByteBuffer& bytes);

// A call and whatever its inputs point into, besides the WireInferRequest.
struct PreparedCall {
  InferCall call;
  std::vector<std::string> encoded;  // Inputs that came as typed contents.
};

// The call that `request` asks of `model`, without its deadline; `request` must outlive the result.
// Errors: kInvalidArgument for tensors that come in both ways or not at all, and for parameters of
// the wrong type; kUnimplemented for sequences, shared memory and classification.
absl::StatusOr<PreparedCall> PrepareCall(const WireInferRequest& request, ModelHandle model);

}  // namespace omserve::server
