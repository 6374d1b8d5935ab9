// SPDX-License-Identifier: Apache-2.0
// What Boost.JSON and the C library make of the JSON that ours reads: slow, and of another hand.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/base/tensor.h"

namespace omserve::server {

// The document; nullopt when the text is none. Nests as deeply as it likes.
std::optional<boost::json::value> BoostParse(std::string_view text);

// The raw encoding of a tensor of `count` elements; nullopt when it has to be refused.
std::optional<std::string> OracleTensor(std::string_view text, DataType type, int64_t count);

// The same, as a request's data are read.
absl::StatusOr<std::string> EncodedTensor(std::string_view text, DataType type, int64_t count);

// What is wrong with how the text is cut, read or refused, or "".
std::string TensorDifference(std::string_view text, DataType type, int64_t count);
std::string CutDifference(std::string_view text);
// What is wrong with the text that is made of these bytes of a tensor, or "".
std::string TextDifference(DataType type, std::string_view raw);

}  // namespace omserve::server
