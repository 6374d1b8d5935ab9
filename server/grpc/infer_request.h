// SPDX-License-Identifier: Apache-2.0
// A ModelInferRequest taken apart without copying its tensors.
//
// Source: KServe v2's gRPC messages; Triton's rules for raw_input_contents and for contents.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/inference.h"
#include "server/grpc/infer_parameters.h"
#include "server/grpc/tensor_contents.h"
#include "server/grpc/wire_reader.h"

namespace omserve::server {

struct WireInput {
  std::string name;
  std::string datatype;
  Dims shape;
  InferParameterMap parameters;
  TypedContents contents;
};

struct WireOutput {
  std::string name;
  InferParameterMap parameters;
};

// What the generated parser would find in the message, but tensors stay where the network put them:
// that parser would copy each into a string of its own. Thread-compatible.
struct WireInferRequest {
  std::string model_name;
  std::string model_version;
  std::string id;
  InferParameterMap parameters;
  std::vector<WireInput> inputs;
  std::vector<WireOutput> outputs;
  std::vector<WirePieces> raw;  // raw_input_contents, each in the pieces in which it came.

  // The message, which all of the above points into.
  std::vector<grpc::Slice> slices;
  WirePieces pieces;  // Of `slices`.
};

// Most entries each of inputs, outputs and raw_input_contents; each costs memory before anything
// about it can be checked.
inline constexpr size_t kMostTensors = 4096;

// Accepts what the generated parser accepts, except for too many tensors. Errors: kInvalidArgument
// when the bytes are no ModelInferRequest.
absl::StatusOr<WireInferRequest> ParseInferRequest(const grpc::ByteBuffer& bytes);

// The call that `request` asks of `model`, without its deadline; takes names and shapes out of
// `request`, which must outlive the result. Errors: kInvalidArgument for tensors that come in both
// ways or not at all, and for parameters of the wrong type.
absl::StatusOr<InferCall> PrepareCall(WireInferRequest& request, ModelHandle model);

}  // namespace omserve::server
