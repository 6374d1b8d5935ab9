// SPDX-License-Identifier: Apache-2.0
// The checks every host op makes at the start of Run.
#pragma once

#include <span>

#include "absl/status/status.h"
#include "runtime/hostops/host_op.h"

namespace omserve::hostops {

// Whether `inputs` and `outputs` fit what `op` declares for `rows` rows: their number, the dims of
// inputs, bytes of inputs (for kBytes: exactly the declared elements), room in outputs.
// Errors: kInvalidArgument for what came with a request, kInternal for what the caller arranged.
absl::Status CheckCall(const HostOp& op, int rows, std::span<const HostInput> inputs,
                       std::span<const HostOutput> outputs);

}  // namespace omserve::hostops
