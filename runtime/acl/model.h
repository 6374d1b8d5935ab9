// SPDX-License-Identifier: Apache-2.0
// A loaded `.om` and the datasets to run it with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/acl/device.h"
#include "runtime/base/tensor.h"

namespace omserve::acl {

class ModelDescription;  // runtime/acl/model_description.h.

// One input or output at the largest gear.
struct ModelTensor {
  std::string name;  // Outputs: the last part of AscendCL's "node:index:name".
  DataType type = DataType::kInvalid;
  Dims dims;             // Full dims, batch included.
  size_t max_bytes = 0;  // At the largest gear.
};

// A compiled size: dims of every input and every output, batch included.
struct ModelGear {
  std::vector<Dims> input_dims;
  std::vector<Dims> output_dims;
};

struct ModelInfo {
  std::vector<ModelTensor> inputs;  // Without the reserved gear input.
  std::vector<ModelTensor> outputs;
  // At least one: a model compiled without gears has its own dims as the only one. Sorted by the
  // product of the input dims.
  std::vector<ModelGear> gears;
  bool has_gear_input = false;
};

// What a model takes of the device: work memory for each load, weights once.
struct ModelSizes {
  size_t work_bytes = 0;
  size_t weight_bytes = 0;
};
// From the whole file; nothing is loaded. Errors: kInvalidArgument for a file that the device
// cannot read.
absl::StatusOr<ModelSizes> QueryModelSizes(const Device& device, std::span<const std::byte> om);

// One copy of a model's weights on one device, shared by its instances. Immutable, thread-safe.
class SharedWeights final {
 public:
  // `om` is the whole file; it must stay mapped while instances are loaded from it. Errors:
  // kInvalidArgument for a file that the device cannot read; kResourceExhausted when memory does
  // not suffice.
  static absl::StatusOr<std::shared_ptr<const SharedWeights>> Allocate(
      const Device& device, std::span<const std::byte> om);

  DevicePtr get() const { return buffer_.get(); }
  // False when the device was abandoned since.
  bool valid() const { return generation_ == device_.generation(); }
  size_t size_bytes() const { return buffer_.size_bytes(); }
  size_t work_bytes() const { return work_bytes_; }

 private:
  SharedWeights(const Device& device, DeviceBuffer buffer, size_t work_bytes)
      : device_(device),
        generation_(device.generation()),
        buffer_(std::move(buffer)),
        work_bytes_(work_bytes) {}
  const Device& device_;
  uint64_t generation_;
  DeviceBuffer buffer_;
  size_t work_bytes_;
};

class Model;

// Datasets for executions of one model: addresses are swapped in place, nothing is allocated per
// execution. One binding serves one execution in flight; its model outlives it. Thread-compatible.
class Binding final {
 public:
  static absl::StatusOr<Binding> Create(const Model& model);
  Binding(Binding&& other) noexcept;
  Binding& operator=(Binding&& other) noexcept;
  ~Binding();

  // Index as in ModelInfo. `size_bytes` is what the chosen gear needs or more. The memory stays the
  // caller's. Errors: kInternal for an index that the model has not.
  absl::Status BindInput(size_t index, DevicePtr at, size_t size_bytes);
  absl::Status BindOutput(size_t index, DevicePtr at, size_t size_bytes);

 private:
  friend class Model;
  struct State;
  explicit Binding(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// One load: its own work memory and model id. Executions of one Model must be in flight on one
// stream only, and are enqueued by one thread at a time. The Device outlives it; loading,
// enqueueing and destruction happen on threads bound to it.
class Model final {
 public:
  // Blocks (seconds on a chip). With null `weights` the device keeps a copy of its own. Errors:
  // kInvalidArgument for a file that the device refuses, with the device's words (another chip, a
  // damaged file), or that omserve cannot serve (dims without gears, element types without a name
  // in the protocol, pictures processed in the model); kResourceExhausted when memory does not
  // suffice.
  static absl::StatusOr<std::unique_ptr<Model>> Load(const Device& device,
                                                     std::span<const std::byte> om,
                                                     std::shared_ptr<const SharedWeights> weights);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  // Requires that nothing is in flight. Binds the calling thread to the device.
  ~Model();

  const ModelInfo& info() const { return info_; }
  const Device& device() const { return device_; }
  size_t work_bytes() const { return work_.size_bytes(); }
  size_t weight_bytes() const { return weights_ ? weights_->size_bytes() : 0; }

  // Sets gear `gear` (index into info().gears) and enqueues an execution on `stream`. `binding` and
  // the memory bound in it must live until the stream has passed it. Blocks for the copy of the
  // gear's value when the gear is another than last time. A failure of the execution itself shows
  // in Stream::TakeTaskError. Errors: kInternal when the binding is another model's, or a tensor is
  // not bound or smaller than the gear needs, which the device would not notice.
  absl::Status Enqueue(Binding& binding, size_t gear, Stream& stream);

 private:
  friend class Binding;
  struct Plan;  // What an execution needs to know of the gears.

  Model(const Device& device, std::shared_ptr<const SharedWeights> weights);
  absl::Status LoadFrom(std::span<const std::byte> om);
  absl::Status Describe();
  absl::Status DescribeOutputsPerGear(const ModelDescription& description);
  absl::Status MeasureTensors();
  absl::Status SetGear(Binding& binding, size_t gear);

  const Device& device_;
  const uint64_t generation_;  // Of the device when this was loaded.
  std::shared_ptr<const SharedWeights> weights_;
  DeviceBuffer work_;
  uint32_t id_ = 0;
  bool loaded_ = false;
  ModelInfo info_;
  std::unique_ptr<Plan> plan_;
};

}  // namespace omserve::acl
