// SPDX-License-Identifier: Apache-2.0
// A loaded model with device memory for all its inputs and outputs, at the sizes it says itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/runtime/hostacl/contract/fixture.h"
#include "tests/runtime/hostacl/model_files.h"

namespace omserve::hostacl {

class ModelRun final {
 public:
  explicit ModelRun(const std::string& file);

  uint32_t id() const { return model_.id(); }
  aclmdlDesc* desc() { return model_.desc(); }
  aclmdlDataset* input() const { return input_->get(); }
  aclmdlDataset* output() const { return output_->get(); }
  const DeviceBytes& input_memory(size_t index) const { return *inputs_[index]; }
  const DeviceBytes& output_memory(size_t index) const { return *outputs_[index]; }
  // Of the reserved input.
  size_t gear_index();

  // Into input 0.
  void Write(const std::vector<float>& values) const;
  // The first `count` values of output 0.
  std::vector<float> Read(size_t count) const;
  // Write, aclmdlExecute, Read.
  std::vector<float> Execute(const std::vector<float>& values, size_t count) const;

 private:
  LoadedModel model_;
  std::vector<std::unique_ptr<DeviceBytes>> inputs_;
  std::vector<std::unique_ptr<DeviceBytes>> outputs_;
  std::unique_ptr<TestDataset> input_;
  std::unique_ptr<TestDataset> output_;
};

// Checks `got` against `expected`: equal on the CPU device, as near as half precision elsewhere,
// since a chip's compiler may choose it.
void CheckNear(const std::vector<float>& got, const std::vector<float>& expected);

// `rows` rows of the linear model, each with values of its own.
std::vector<float> LinearRows(size_t rows);

}  // namespace omserve::hostacl
