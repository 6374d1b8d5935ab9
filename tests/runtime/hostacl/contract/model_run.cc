// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/contract/model_run.h"

#include <algorithm>
#include <cmath>

namespace omserve::hostacl {
namespace {

std::unique_ptr<TestDataset> DatasetOf(const std::vector<std::unique_ptr<DeviceBytes>>& memory) {
  std::vector<TestDataset::Entry> entries;
  for (const std::unique_ptr<DeviceBytes>& bytes : memory) {
    entries.push_back(EntryOf(*bytes));
  }
  return std::make_unique<TestDataset>(entries);
}

}  // namespace

ModelRun::ModelRun(const std::string& file) : model_(file) {
  for (size_t i = 0; i < ACL(aclmdlGetNumInputs)(desc()); ++i) {
    // A gear has room for two values of 64 bits, so that the setter writes it in that width.
    const size_t size = std::max(ACL(aclmdlGetInputSizeByIndex)(desc(), i), size_t{16});
    inputs_.push_back(std::make_unique<DeviceBytes>(size));
  }
  for (size_t i = 0; i < ACL(aclmdlGetNumOutputs)(desc()); ++i) {
    outputs_.push_back(std::make_unique<DeviceBytes>(ACL(aclmdlGetOutputSizeByIndex)(desc(), i)));
  }
  input_ = DatasetOf(inputs_);
  output_ = DatasetOf(outputs_);
}

size_t ModelRun::gear_index() {
  size_t index = 0;
  REQUIRE_ACL(ACL(aclmdlGetInputIndexByName)(desc(), ACL_DYNAMIC_TENSOR_NAME, &index));
  return index;
}

void ModelRun::Write(const std::vector<float>& values) const {
  const DeviceBytes& memory = input_memory(0);
  REQUIRE_ACL(ACL(aclrtMemcpy)(memory.get(), memory.size_bytes(), values.data(),
                               values.size() * sizeof(float), ACL_MEMCPY_HOST_TO_DEVICE));
}

std::vector<float> ModelRun::Read(size_t count) const {
  std::vector<float> values = output_memory(0).Read<float>();
  REQUIRE(values.size() >= count);
  values.resize(count);
  return values;
}

std::vector<float> ModelRun::Execute(const std::vector<float>& values, size_t count) const {
  Write(values);
  REQUIRE_ACL(ACL(aclmdlExecute)(id(), input(), output()));
  return Read(count);
}

void CheckNear(const std::vector<float>& got, const std::vector<float>& expected) {
  if (Target().is_hostacl) {
    CHECK(got == expected);
    return;
  }
  REQUIRE(got.size() == expected.size());
  float largest = 1;
  for (const float value : expected) {
    largest = std::max(largest, std::abs(value));
  }
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::abs(got[i] - expected[i]) > largest / 256) {
      FAIL("value " << i << " is " << got[i] << ", expected " << expected[i]);
    }
  }
}

std::vector<float> LinearRows(size_t rows) {
  std::vector<float> values(rows * 3);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i + 1) / 8;
  }
  return values;
}

}  // namespace omserve::hostacl
