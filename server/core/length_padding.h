// SPDX-License-Identifier: Apache-2.0
// Requests whose rows are shorter than any that was compiled, such as texts: which compiled length
// they are padded up to, and what of the outputs is cut off again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/inference/model_config.pb.h"
#include "runtime/base/tensor.h"
#include "scheduler/plan.h"
#include "scheduler/request.h"
#include "server/core/padded_copy.h"

namespace omserve::server {

// One dim of one tensor.
struct PaddedDim {
  size_t tensor = 0;    // Index into Plan::inputs or Plan::outputs.
  size_t dim = 0;       // Of one row.
  ElementBytes fill{};  // Of an input.
};

// Dims that are always as long as each other.
struct PaddedLength {
  std::vector<PaddedDim> inputs;  // At least one.
  std::vector<PaddedDim> outputs;
  std::vector<int64_t> compiled;  // Ascending, none twice, not empty.
};

// What `config.padding` says of the plan's tensors. Errors: kInvalidArgument naming the entry: an
// unknown tensor, a dim that it has not, a value or type that cannot be padded with, an input that
// no device step reads, an output that does not follow its input.
absl::StatusOr<std::vector<PaddedLength>> ResolvePadding(const inference::ModelConfig& config,
                                                         const scheduler::Plan& plan);

// How a request of given row dims runs.
struct LengthFit {
  std::vector<Dims> row_dims;  // That each input runs with.
  std::vector<int> buckets;    // From Plan::ResolveBuckets.
  // By PaddedLength: as sent, and as it runs.
  std::vector<int64_t> given;
  std::vector<int64_t> padded;
};

// The compiled lengths that hold the request with the fewest elements. Errors: kInvalidArgument
// when dims of one length differ, are 0 or longer than any that was compiled; those of
// Plan::ResolveBuckets.
absl::StatusOr<LengthFit> FitLengths(const scheduler::Plan& plan,
                                     std::span<const PaddedLength> lengths,
                                     std::vector<Dims> row_dims);

// Cuts an output back to the given lengths: in place where its front is the answer, else in a block
// of `pool`. Errors: the pool's; kInternal when the output is not as long as its input.
absl::Status CutOutput(const scheduler::Plan& plan, std::span<const PaddedLength> lengths,
                       const LengthFit& fit, memory::HostPool& pool,
                       scheduler::ResponseOutput& output);

}  // namespace omserve::server
