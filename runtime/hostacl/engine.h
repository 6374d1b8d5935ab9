// SPDX-License-Identifier: Apache-2.0
// What computes a model: graph and weights to a session, buffers in and out of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/hostacl/settings.h"
#include "runtime/om/model_description.h"

namespace omserve::hostacl {

class Device;

// One tensor in memory that the caller owns.
struct TensorView {
  std::byte* data = nullptr;
  size_t size_bytes = 0;  // Exactly what data type and dims need.
  int32_t acl_data_type = -1;
  std::span<const int64_t> dims;
};

struct SessionSource {
  std::string model_name;              // For messages.
  std::span<const std::byte> graph;    // Needed until Load returns.
  std::span<const std::byte> weights;  // Likewise.
  std::vector<std::string> inputs;     // Every input that Run will be given, in its order.
  size_t output_count = 0;             // Outputs are the graph's own, in the graph's order.
  const om::ModelDescription* description = nullptr;  // Needed until Load returns.
};

// Where an execution runs and at which size.
struct Placement {
  Device& device;   // On whose cores.
  size_t gear = 0;  // Index into the description's gears; 0 without gears.
};

// An output whose size came out of the run, in the engine's own memory.
struct SizedOutput {
  const std::byte* data = nullptr;
  std::span<const int64_t> dims;
};
// Told of each output in its order. What it returns ends the run.
using OutputSink = std::function<absl::Status(size_t index, const SizedOutput& output)>;

// A graph ready to run. Thread-safe: several executions may be inside Run.
class Session {
 public:
  virtual ~Session() = default;
  // Reads `inputs` and writes `outputs` in place, in this thread. Blocks until the device has cores
  // for it, and for the computation.
  // Errors: ACL_ERROR_RT_MODEL_EXECUTE with the engine's words.
  virtual absl::Status Run(const Placement& placement, std::span<const TensorView> inputs,
                           std::span<const TensorView> outputs) const = 0;
  // As Run, for a model of dynamic shape: outputs have the data types of the description and what
  // size they have shows when they are there. Each is valid until `sink` returns. The device's
  // cores are free again when the first is told.
  // Errors: also what `sink` returns. An engine that cannot do it answers
  // ACL_ERROR_RT_FEATURE_NOT_SUPPORT.
  virtual absl::Status RunSizing(const Placement& placement, std::span<const TensorView> inputs,
                                 const OutputSink& sink) const;
};

// Thread-safe.
class Engine {
 public:
  virtual ~Engine() = default;
  // Blocks, for seconds with large models. Errors: ACL_ERROR_GE_LOAD_MODEL with the engine's words,
  // or saying which input the graph lacks.
  virtual absl::StatusOr<std::unique_ptr<Session>> Load(const SessionSource& source) = 0;
};

// ONNX Runtime, opened here at run time. Library search order: settings.ort_library; the folder of
// this library; the loader's path. ACL_ERROR_GE_FAILURE naming all that was tried.
absl::StatusOr<std::unique_ptr<Engine>> MakeOrtEngine(const Settings& settings);

}  // namespace omserve::hostacl
