// SPDX-License-Identifier: Apache-2.0
// Tensors as a person types and reads them.
#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "tools/client/grpc_client.h"

namespace omserve::omctl {

// A value for input `spec` (wire dims, -1 = any size) as typed:
//   [[1,2,3]]      JSON, nested or flat; strings for BYTES
//   @file.bin      raw bytes in the tensor's own encoding; for BYTES the file is one element
//   text           one element of BYTES
// Errors: kInvalidArgument naming the input and what does not fit.
absl::StatusOr<client::Tensor> ParseTensor(const TensorSpec& spec, const std::string& text);

// A flat JSON array of the elements. BYTES that are not UTF-8 text become their length in words.
absl::StatusOr<boost::json::value> TensorToJson(const client::Tensor& tensor);

// At most `limit` elements: "0.12, 3.4, ... (26 elements)".
std::string TensorPreview(const client::Tensor& tensor, size_t limit);

}  // namespace omserve::omctl
