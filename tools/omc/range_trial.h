// SPDX-License-Identifier: Apache-2.0
// What a model of dynamic shape shows when it runs at the ends of its ranges.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "runtime/om/model_description.h"
#include "tools/omc/onnx_check.h"

namespace omserve::omc {

// Bytes of the larger of the runs.
struct RangeTrial {
  uint64_t input_bytes = 0;
  uint64_t io_bytes = 0;
};

// Runs the graph at the least sizes and at larger ones, and puts the dims and sizes of the outputs
// into `description`, which has the inputs with their ranges: -1 and size 0 where they vary. Fills
// the sizes of the inputs that are fixed. Blocks.
// Errors: kInvalidArgument with the dims at which the model does not run, or for an output whose
// number of dims varies.
absl::StatusOr<RangeTrial> TryRanges(OnnxChecker& checker, om::ModelDescription& description);

}  // namespace omserve::omc
