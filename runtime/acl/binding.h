// SPDX-License-Identifier: Apache-2.0
// The datasets behind a Binding; for model.cc.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/model.h"
#include "runtime/acl/symbols.h"

namespace omserve::acl {

// Owner of an aclmdlDataset and of the data buffers in it, whose addresses are swapped in place.
class Dataset final {
 public:
  // `count` data buffers without memory.
  static absl::StatusOr<Dataset> Create(const Symbols& symbols, size_t count);
  Dataset(Dataset&& other) noexcept;
  Dataset& operator=(Dataset&&) = delete;
  ~Dataset();

  aclmdlDataset* get() const { return dataset_; }
  // Requires index < count. Does nothing when that is what the buffer has.
  absl::Status Update(size_t index, DevicePtr at, size_t size_bytes);

 private:
  Dataset(const Symbols* symbols, aclmdlDataset* dataset) : symbols_(symbols), dataset_(dataset) {}

  const Symbols* symbols_;
  aclmdlDataset* dataset_;
  struct Memory {
    DevicePtr at;
    size_t size_bytes = 0;
    bool operator==(const Memory&) const = default;
  };
  std::vector<aclDataBuffer*> buffers_;
  std::vector<Memory> memory_;  // By buffer.
};

struct Binding::State {
  const Model* model;
  Dataset inputs;  // All of AscendCL's inputs, the reserved one included.
  Dataset outputs;
  // By ModelInfo's index: what is bound now; 0 is nothing.
  std::vector<size_t> input_bytes;
  std::vector<size_t> output_bytes;
  // Where the setters write the gear's value, and which gear is in it.
  DeviceBuffer gear_value;
  std::optional<size_t> gear;
};

}  // namespace omserve::acl
