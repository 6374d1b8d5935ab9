// SPDX-License-Identifier: Apache-2.0
// A loaded model: its description, its session, and the device resources that it holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/device.h"
#include "runtime/hostacl/engine.h"
#include "runtime/hostacl/memory_map.h"
#include "runtime/hostacl/stream.h"
#include "runtime/om/model_description.h"

namespace omserve::hostacl {

// Device memory that is freed with its owner; move-only.
class DeviceAllocation final {
 public:
  DeviceAllocation() = default;
  DeviceAllocation(std::shared_ptr<Device> device, void* address)
      : device_(std::move(device)), address_(address) {}
  DeviceAllocation(DeviceAllocation&& other) noexcept
      : device_(std::move(other.device_)), address_(std::exchange(other.address_, nullptr)) {}
  DeviceAllocation& operator=(DeviceAllocation&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(address_, other.address_);
    return *this;
  }
  ~DeviceAllocation();

  void* address() const { return address_; }
  // Whose memory it is from here on; the caller frees it.
  void* Release() { return std::exchange(address_, nullptr); }

 private:
  std::shared_ptr<Device> device_;
  void* address_ = nullptr;
};

// One entry of a dataset at the time of the launch.
struct BufferView {
  void* address = nullptr;
  size_t size_bytes = 0;
};

// Few models have more inputs or outputs; those that do cost an allocation a launch.
using BufferViews = absl::InlinedVector<BufferView, 4>;

enum class TensorSide { kInput, kOutput };
// Shown the tensors of an execution: the inputs before it, the outputs after it when it succeeded.
// Runs on the thread that executes.
using TensorTap = std::function<void(TensorSide side, std::span<const TensorView> tensors)>;

struct Execution {
  BufferViews inputs;  // The reserved one included.
  BufferViews outputs;
};

// Dims of several tensors.
using DimsList = std::vector<std::vector<int64_t>>;
// Where an output of these dims and bytes is to go; of a model of dynamic shape. In the thread that
// executes.
using OutputPlacer = std::function<absl::StatusOr<BufferView>(size_t index, size_t size_bytes)>;

// Memory that the caller brings; null and 0: the model takes its own from the device.
struct GivenMemory {
  void* address = nullptr;
  size_t size_bytes = 0;
};

// Thread-safe, but what the setters of gears leave behind belongs to the model id as a whole, as in
// AscendCL: callers serialise set, copy and execute.
class Model final {
 public:
  struct Parts {
    om::ModelDescription description;
    std::shared_ptr<const Session> session;  // Shared by loads with one weight memory.
    std::shared_ptr<Device> device;
    const MemoryMap* memory = nullptr;  // Outlives the model.
    void* context = nullptr;
    std::shared_ptr<Stream> sync_stream;  // For synchronous execution.
    std::vector<DeviceAllocation> owned;  // What the caller did not bring.
    GivenMemory work;                     // What it brought.
    GivenMemory weights;
    uint32_t streams_held = 0;  // Of the device's quota; given back at the end.
  };
  Model(uint32_t id, Parts parts);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  uint32_t id() const { return id_; }
  const om::ModelDescription& description() const { return parts_.description; }
  const std::shared_ptr<Device>& device() const { return parts_.device; }
  void* context() const { return parts_.context; }
  Stream& sync_stream() const { return *parts_.sync_stream; }
  // Those of the description and, with gears, the reserved one, which is last.
  size_t input_count() const;
  bool has_gears() const { return !parts_.description.gears.empty(); }
  bool has_dynamic_shape() const { return has_dynamic_shape_; }

  // The gear set last; the largest before that.
  size_t current_gear() const;
  void set_current_gear(size_t gear);

  // What AscendCL checks at the launch: number of buffers, null addresses, and for models without
  // gears the sizes, which may be up to 64 bytes short. Errors: ACL_ERROR_GE_FAILURE ("Blobs not
  // match"), ACL_ERROR_GE_PARAM_INVALID.
  absl::Status Check(const Execution& execution) const;
  // In this thread, once a core is free. The gear is the one that stands in the reserved input's
  // memory now. Errors: ACL_ERROR_RT_AICORE_EXCEPTION for memory that is not there,
  // ACL_ERROR_RT_MODEL_EXECUTE.
  absl::Status Run(const Execution& execution, const TensorTap& tap = nullptr) const;
  // As Run, for a model of dynamic shape: inputs of these dims, which are in its ranges, and
  // outputs that go where `place` says. Gives their dims. Errors: also those of `place`.
  absl::StatusOr<DimsList> RunSizing(std::span<const BufferView> inputs, const DimsList& input_dims,
                                     const OutputPlacer& place, const TensorTap& tap) const;

  // Marks an execution on the stream with this id from launch until the token is destroyed.
  // ACL_ERROR_RT_STREAM_MODEL while one is in flight on another stream.
  static absl::StatusOr<std::shared_ptr<void>> BeginExecution(const std::shared_ptr<Model>& model,
                                                              int32_t stream_id);
  bool in_flight() const;

 private:
  absl::StatusOr<size_t> ReadGear(const Execution& execution) const;
  absl::StatusOr<absl::InlinedVector<TensorView, 4>> ViewInputs(std::span<const BufferView> buffers,
                                                                const DimsList& dims) const;
  absl::StatusOr<size_t> SizeOf(const om::IoDescription& io, std::span<const int64_t> dims,
                                const char* what) const;
  // The buffer's bytes; an input is read, an output written from here on.
  absl::StatusOr<TensorView> View(const om::IoDescription& io, std::span<const int64_t> dims,
                                  const BufferView& buffer, TensorSide side) const;

  const uint32_t id_;
  const Parts parts_;
  const bool has_dynamic_shape_;
  // For strict mode: a run writes the work memory and reads the weights.
  void TouchGivenMemory() const;

  // Per gear (one entry without gears), then per tensor.
  std::vector<DimsList> input_dims_;
  std::vector<DimsList> output_dims_;

  mutable Mutex mu_;
  size_t current_gear_ ABSL_GUARDED_BY(mu_);
  uint32_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  int32_t in_flight_stream_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace omserve::hostacl
