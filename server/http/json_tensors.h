// SPDX-License-Identifier: Apache-2.0
// Tensors as JSON numbers and strings, to and from the raw encoding. Pure.
//
// Source: KServe v2's JSON tensor data, with Triton's rules: BOOL is true and false, BYTES are
// strings, FP16 and BF16 have no JSON form, and neither have NaN and the infinities.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/base/tensor.h"

namespace omserve::server {

// The elements of `data`, nested or flat, in row-major order, of which there must be `count`.
// Errors: kInvalidArgument saying which element is wrong, and what was expected.
absl::StatusOr<std::string> EncodeJsonTensor(const boost::json::value& data, DataType type,
                                             int64_t count);

// Appends the elements as a flat JSON array. Errors: kInvalidArgument for what JSON cannot say:
// FP16 and BF16, a number that is not finite, BYTES that are not UTF-8.
absl::Status AppendJsonTensor(DataType type, std::span<const std::byte> raw, std::string* json);

}  // namespace omserve::server
