// SPDX-License-Identifier: Apache-2.0
// The `parameters` objects of an inference over HTTP: what they set, which are refused, which are
// passed over. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/shared_place.h"

namespace omserve::server {

struct RestCall;

// Of the request: sequence_id, sequence_start, sequence_end, priority, timeout (microseconds),
// omserve_trace and binary_data_output into `rest`. Others are kept for a trace, except that
// kInvalidArgument is a known name of another type, a value that is no string, number or boolean,
// and every unknown name in triton_*, which is reserved.
absl::Status ReadRestParameters(const boost::json::object& request, RestCall& rest);

struct TensorParameters {
  std::optional<uint64_t> binary_size;  // Of an input: its bytes follow the JSON.
  std::optional<bool> binary;           // Of an output: it is wanted as bytes.
  uint64_t classes = 0;                 // Of an output: it is wanted as so many; 0: as it is.
  std::optional<SharedPlace> shared;    // It is, or is wanted, there.
};
// Of a tensor, which `where` names in messages.
absl::StatusOr<TensorParameters> ReadTensorParameters(const boost::json::object& tensor,
                                                      const std::string& where);

}  // namespace omserve::server
