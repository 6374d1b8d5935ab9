// SPDX-License-Identifier: Apache-2.0
// Whether a request fits its model. Pure: nothing is copied, allocated on a device, or kept.
//
// Source: KServe v2; the words are Triton's where its clients match on them.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/tensor.h"
#include "server/core/length_padding.h"
#include "server/core/model.h"
#include "server/core/shared_place.h"

namespace omserve::server {

// One input as it came, in no protocol's types. Its bytes in the raw encoding are `pieces`, joined,
// which belong to the front end, or what `encode` writes.
struct InferInput {
  std::string name;
  std::string datatype;  // "FP32", ...
  Dims shape;            // Full dims.
  std::vector<std::span<const std::byte>> pieces;
  // For a tensor that comes in another encoding: writes all `encoded_bytes` bytes of it. Errors:
  // kInvalidArgument for a value that does not fit the datatype.
  std::function<absl::Status(const InferInput& input, std::span<std::byte> out)> encode;
  size_t encoded_bytes = 0;
  std::optional<SharedPlace> shared = std::nullopt;  // Where it is instead of in the message.

  size_t size_bytes() const;
};

// The index of an input that the request leaves out.
inline constexpr size_t kLeftOut = static_cast<size_t>(-1);

// What the scheduler needs to know of a request that fits.
struct CheckedRequest {
  int rows = 1;
  // For each input of the plan, the index of the request's input, or kLeftOut.
  std::vector<size_t> inputs;
  // By input of the plan, what runs in place of those that are left out (left_out.h). Empty when
  // none is.
  std::vector<InferInput> stand_ins;
  std::vector<int> wanted;   // Indices into Plan::outputs, in the order asked for.
  std::vector<int> buckets;  // Per plan node.
  // How its rows are padded; nullopt: they run as they are.
  std::optional<LengthFit> fit;
};

// Looks at names, types, shapes, batch and byte counts, in this order; empty `outputs` asks for
// all. BYTES tensors are only measured, not walked. A request that leaves out all inputs of a model
// that batches is one row. Errors: kInvalidArgument naming the model, the
// tensor, what was met and what was expected.
absl::StatusOr<CheckedRequest> CheckRequest(const Model& model, std::span<const InferInput> inputs,
                                            std::span<const std::string> outputs);

}  // namespace omserve::server
