// SPDX-License-Identifier: Apache-2.0
// Host op "at_least": whether a number reaches a bound.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "runtime/hostops/host_op.h"

namespace omserve::hostops {

// Input "score" FP32 [1]. Output "passes" BOOL [1]: true where it is the bound, rounded to FP32, or
// more. NaN is not.
//
// | parameter | default | meaning |
// |---|---|---|
// | bound | must be given | a finite number |
// | input, output | score, passes | names of the tensors |
absl::StatusOr<std::unique_ptr<HostOp>> MakeAtLeast(const HostOpConfig& config);

}  // namespace omserve::hostops
