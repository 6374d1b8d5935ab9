// SPDX-License-Identifier: Apache-2.0
// Typed contents of an input, in the raw encoding that everything else here uses.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "proto/inference/grpc_service.pb.h"

namespace omserve::server {

// Little-endian elements in the order given; BYTES elements with their lengths in front. The number
// of elements is not compared with the shape. Errors: kInvalidArgument naming the tensor when the
// contents are not those of its datatype, when a value does not fit it, or when it has none (FP16
// and BF16 are raw only).
absl::StatusOr<std::string> EncodeContents(
    const inference::ModelInferRequest::InferInputTensor& tensor, const std::string& model);

}  // namespace omserve::server
