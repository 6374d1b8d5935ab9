// SPDX-License-Identifier: Apache-2.0
// The bodies of an inference over HTTP: JSON, and after it the tensors that are sent as bytes.
// Pure.
//
// Source: KServe v2's REST inference, with Triton's binary tensor data extension.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/inference.h"
#include "server/core/load_report.h"

namespace omserve::server {

// A call, what its inputs point into besides the body, and what its answer has to look like.
// Move-only in effect: inputs point into `encoded`, whose elements stay where they are.
struct RestCall {
  InferCall call;
  std::deque<std::string> encoded;  // Inputs that came as JSON strings, or as a raw one.
  std::string id;
  // Those of the request that nobody here obeys, with their values as text; the first few.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::shared_ptr<RequestTrace> trace;                // See traced_reply.h. Null: none.
  std::optional<LoadFormat> load;                     // How the answer is to tell of load.
  bool binary_default = false;                        // Where an output does not say.
  std::vector<std::optional<bool>> binary_by_output;  // In the order of call.outputs.
};

// `header_bytes` is the value of Inference-Header-Content-Length: the JSON's length in `body`;
// nullopt: all of it. 0: no JSON at all, `body` is the one input of the model, a row of it when the
// model batches. `body` outlives the use of the call: numbers that came as JSON are read where they
// stand, by the `encode` of their input, which finds what is wrong in them. Errors:
// kInvalidArgument for JSON, types, sizes and parameters that are wrong.
absl::StatusOr<RestCall> ParseInferBody(std::string_view body, std::optional<size_t> header_bytes,
                                        ModelHandle model);

// An answer's body: `json`, then `binary`, which belongs to the result.
struct RestAnswer {
  std::string json;
  std::vector<std::span<const std::byte>> binary;
  bool is_binary =
      false;  // Content-Type is application/octet-stream, and the header's length told.

  size_t size_bytes() const;
};

// Requires result.status.ok(), and that ClassifyOutputs was called. `rest` is what ParseInferBody
// gave. Errors: kInvalidArgument for outputs that JSON cannot say.
absl::StatusOr<RestAnswer> BuildInferAnswer(const RestCall& rest, const InferResult& result);

}  // namespace omserve::server
