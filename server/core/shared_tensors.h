// SPDX-License-Identifier: Apache-2.0
// The tensors of one call that are in shared memory: found before it runs, looked after when it
// has run.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduler/plan.h"
#include "server/core/shared_memory.h"

namespace omserve::server {

struct InferCall;
struct InferResult;

struct SharedTensors {
  struct Tensor {
    std::string region;
    SharedBytes place;  // Without an owner: this tensor is not in shared memory.
  };
  // Each empty where none is.
  std::vector<Tensor> inputs;   // By InferCall::inputs.
  std::vector<Tensor> outputs;  // By InferCall::outputs.

  bool empty() const { return inputs.empty() && outputs.empty(); }
};

// `memory`: null where clients may share none. Errors: SharedMemory::Find's, kUnimplemented without
// `memory`, each naming the tensor.
absl::StatusOr<SharedTensors> FindShared(const InferCall& call, const SharedMemory* memory);

// Whether nothing but a device reads or writes the tensor: then its client may do what it likes
// with the memory meanwhile. What the host reads must not change under it, nor what is kept.
bool IsForDeviceOnly(const scheduler::Plan& plan, int tensor);

// Puts the outputs that are wanted there into their places, where they are not yet, and leaves none
// of their bytes in `result`. Where one does not fit, or a region was cut short, the result becomes
// that error.
void PutShared(const SharedTensors& shared, SharedMemory::Counts& counts, InferResult& result);

}  // namespace omserve::server
