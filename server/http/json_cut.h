// SPDX-License-Identifier: Apache-2.0
// Parts the text of an inference into what is small and what is long: the tensors' numbers are read
// straight into memory that a device can reach, everything else as a JSON document. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::server {

struct CutRequest {
  // The text with the value of each "data" of an element of "inputs" replaced by its index in
  // `data` and a space. Text that is no JSON stays none.
  std::string document;
  // Those values as they stand in the text, which nobody has looked into yet.
  std::vector<std::string_view> data;
};

// Errors: kInvalidArgument when "inputs", or "data" in one of them, is there twice: only one could
// be meant, and the other would go unread.
absl::StatusOr<CutRequest> CutTensorData(std::string_view text);

}  // namespace omserve::server
