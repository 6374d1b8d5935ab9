// SPDX-License-Identifier: Apache-2.0
// One version of a model as clients see it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/inference/model_config.pb.h"
#include "runtime/base/clock.h"
#include "runtime/base/tensor.h"
#include "runtime/registry/model_file.h"
#include "scheduler/placement.h"
#include "server/core/length_padding.h"

namespace omserve::server {

// What a compiled model has on one device.
struct DeviceShare {
  int device = 0;                                 // Its id.
  const scheduler::Subgraph* subgraph = nullptr;  // As that device's engine knows it.
  int instances = 0;
  size_t weight_bytes = 0;  // Once, whatever the number of instances.
  size_t work_bytes = 0;    // Over all instances.
  size_t input_bytes = 0;   // Likewise: buffers of batches in flight.

  // But for outputs, which stand in the pool of the device.
  size_t loaded_bytes() const { return weight_bytes + work_bytes + input_bytes; }
};

// Immutable. Thread-safe.
struct Model {
  std::string name;
  int64_t version = 1;
  uint64_t load = 0;              // Never the same for two loads.
  inference::ModelConfig config;  // Complete: every default filled in.
  std::shared_ptr<const scheduler::Placement> placement;
  // The plan of one of the devices, for what is true on all of them: names, shapes, buckets.
  std::shared_ptr<const scheduler::Plan> plan;

  // Full dims as on the wire, -1 where a request decides: the batch comes first when plan->batched.
  // In the order of plan->inputs and plan->outputs. A pipeline's plan may end in inputs that are
  // not here: its steps can do without them, and no request brings them.
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<bool> optional;  // By input: a request may leave it out. Shorter: the rest may not.
  std::vector<std::vector<std::string>> labels;  // Of classes, by output; empty where none.
  // Of a decoupled model: the output that says which rows are answered, each by itself.
  std::optional<int> answered_rows;
  int max_rows = 1;                   // Rows that one request may bring.
  std::vector<PaddedLength> lengths;  // Dims that are padded up to compiled ones.

  bool is_pipeline = false;
  std::vector<std::shared_ptr<const Model>> steps;  // What a pipeline's plan stands on, pinned.
  const scheduler::Subgraph* subgraph = nullptr;    // That of `plan`; null for a pipeline.
  std::vector<DeviceShare> shares;                  // One for each device that has it; no pipeline.
  std::shared_ptr<const registry::ModelFile> file;  // Null for a pipeline.
  int max_queue_rows = 0;                           // On each device; 0: no bound of its own.
  Clock::duration load_time{0};
  std::chrono::milliseconds loaded_at{0};  // When it began to serve, since 1970.

  // Of an input of the plan.
  bool IsOptional(size_t input) const {
    return input >= inputs.size() || (input < optional.size() && optional[input]);
  }
};

// A request to it may have no answer, or several.
inline bool IsDecoupled(const Model& model) {
  return model.config.model_transaction_policy().decoupled();
}

// Pins the version: whoever holds it may use the model's plan. Held from admission to completion.
using ModelHandle = std::shared_ptr<const Model>;

}  // namespace omserve::server
