// SPDX-License-Identifier: Apache-2.0
// Executions of models of dynamic shape: the caller's tensor descriptions give the dims of the
// inputs, and the execution gives those of the outputs.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/hostacl/data_objects.h"
#include "runtime/hostacl/model.h"

namespace omserve::hostacl {

// Whether an output buffer of (null, 0) is memory that the execution allocates.
enum class NullOutputs { kRefused, kAllocated };

// One execution. Made by the thread that launches it, run by the stream's, and read again by the
// first once it knows that the task has ended.
class DynamicExecution final {
 public:
  // Takes what the datasets hold now. Errors: ACL_ERROR_GE_FAILURE ("Blobs not match");
  // ACL_ERROR_GE_PARAM_INVALID for a buffer without memory and an input whose dims nobody gave;
  // ACL_ERROR_GE_SHAPE_INVALID for dims outside the compiled range.
  static absl::StatusOr<std::shared_ptr<DynamicExecution>> Make(const Model& model,
                                                                const aclmdlDataset* input,
                                                                const aclmdlDataset* output,
                                                                NullOutputs null_outputs);

  // At most once. The output dataset has the descriptions of the outputs when this has succeeded.
  // Errors: as Model::Run; ACL_ERROR_GE_PARAM_INVALID for an output buffer that is too small;
  // ACL_ERROR_GE_MEMORY_ALLOCATION.
  absl::Status Run(const Model& model, const TensorTap& tap);
  // Puts the memory that Run allocated into the caller's data buffers; from here on it is the
  // caller's, who frees it with aclrtFree. Without this call it is freed with this object. `order`
  // is strict mode's, may be null. Requires that Run has succeeded, or never ran because its stream
  // was aborted: then there is none.
  void HandOver(OrderChecker* order);

 private:
  struct Output {
    BufferView view;                     // What the caller brought, or what was allocated.
    std::shared_ptr<DataBuffer> buffer;  // The caller's, where it brought nothing.
    DeviceAllocation allocated;
  };

  absl::Status TakeInputs(const Model& model, const aclmdlDataset* handle);
  absl::Status TakeOutputs(const Model& model, const aclmdlDataset* handle, NullOutputs mode);
  absl::StatusOr<BufferView> Place(const Model& model, size_t index, size_t size_bytes);

  BufferViews inputs_;
  DimsList input_dims_;
  std::vector<Output> outputs_;
  std::shared_ptr<Dataset> output_dataset_;
};

}  // namespace omserve::hostacl
