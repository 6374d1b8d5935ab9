// SPDX-License-Identifier: Apache-2.0
// Tensors as JSON numbers and strings, to and from the raw encoding. Pure.
//
// Source: KServe v2's JSON tensor data, with Triton's rules: BOOL is true and false, BYTES are
// strings, FP16 and BF16 have no JSON form, and neither have NaN and the infinities.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/base/tensor.h"

namespace omserve::server {

// Arrays in each other are followed so deep; no tensor has that many dims.
inline constexpr size_t kMostJsonDepth = 64;

// A tensor as it stands in a request: a JSON value, nested or flat, of which nothing is known yet.
struct JsonTensor {
  std::string_view text;
  DataType type = DataType::kInvalid;
  int64_t count = 0;  // The elements that its shape needs, which a client may have made up.
};

// What can be told before there is memory for it. Afterwards `count` elements take no more than a
// small multiple of the text. Errors: kInvalidArgument for a type without a JSON form, and for more
// elements than the text could hold.
absl::Status CheckJsonTensor(const JsonTensor& tensor);

// Writes the elements of a tensor that CheckJsonTensor liked, in row-major order: a float as the
// nearest one, ties to even. Requires out.size() == count * DataTypeSize(type), and not kBytes.
// Errors: kInvalidArgument saying which element is wrong and what was expected, that there are too
// few or too many, or where the text is no JSON.
absl::Status ReadJsonTensor(const JsonTensor& tensor, std::span<std::byte> out);

// The same for kBytes, whose size only reading them tells: their raw encoding.
absl::StatusOr<std::string> ReadJsonTexts(const JsonTensor& tensor);

// Appends the elements as a flat JSON array; a float in the fewest digits that are read back as the
// same. Errors: kInvalidArgument for what JSON cannot say: FP16 and BF16, a number that is not
// finite, BYTES that are not UTF-8.
absl::Status AppendJsonTensor(DataType type, std::span<const std::byte> raw, std::string* json);

}  // namespace omserve::server
