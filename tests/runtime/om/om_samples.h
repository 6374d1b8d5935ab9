// SPDX-License-Identifier: Apache-2.0
// Descriptions and files for the tests of runtime/om.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "runtime/om/byte_reader.h"
#include "runtime/om/data_type.h"
#include "runtime/om/model_description.h"

namespace omserve::om {

// Two inputs [-1,3] and [4], one output [batch,2], gears 1 and 4.
inline ModelDescription SmallBatchModel() {
  ModelDescription model;
  model.name = "small";
  model.soc_version = kHostSocVersion;
  model.atc_version = "omc 0.1.0";
  model.atc_cmdline = "omc compile small.onnx";
  model.inputs = {{"x", 0, kAclFormatNd, {-1, 3}, 48}, {"ids", 9, kAclFormatNd, {4}, 32}};
  model.outputs = {{"node:0:y", 0, kAclFormatNd, {4, 2}, 32}};
  model.gear_kind = GearKind::kBatch;
  model.gears = {{{1}, {{1, 2}}}, {{4}, {{4, 2}}}};
  model.work_bytes = 1000;
  model.weight_bytes = 64;
  model.stream_count = 1;
  model.event_count = 2;
  return model;
}

// Random, but such that WriteHostModel accepts it.
class RandomModels final {
 public:
  explicit RandomModels(uint64_t seed) : random_(seed) {}

  ModelDescription Next() {
    ModelDescription model;
    model.name = "model_" + std::to_string(Below(1000));
    model.soc_version = Below(2) == 0 ? kHostSocVersion : "Ascend310P3";
    model.atc_version = Below(2) == 0 ? "" : "1.2.3";
    model.atc_cmdline = "omc compile \xc3\xa4.onnx";
    model.gear_kind = static_cast<GearKind>(Below(4));
    AddInputs(model);
    AddGears(model);
    AddOutputs(model);
    FillSizes(model);
    model.work_bytes = random_() >> 1U;
    model.weight_bytes = random_() >> 1U;
    model.stream_count = static_cast<uint32_t>(random_());
    model.event_count = static_cast<uint32_t>(random_());
    if (Below(2) == 0) {
      model.cost_us.assign(std::max<size_t>(1, model.gears.size()),
                           static_cast<int64_t>(1 + Below(1000)));
    }
    return model;
  }

  uint64_t Below(uint64_t limit) { return random_() % limit; }

 private:
  int32_t SomeType() {
    constexpr int32_t kTypes[] = {0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 27, 29, 36};
    return kTypes[Below(std::size(kTypes))];
  }
  int32_t SomeFormat() {
    constexpr int32_t kFormats[] = {0, 1, 2, 29, 54};
    return kFormats[Below(std::size(kFormats))];
  }
  std::vector<int64_t> SomeDims(size_t least_rank) {
    std::vector<int64_t> dims(least_rank + Below(4));
    for (int64_t& dim : dims) {
      dim = static_cast<int64_t>(1 + Below(9));
    }
    return dims;
  }

  void AddInputs(ModelDescription& model) {
    const uint64_t count = 1 + Below(4);
    for (uint64_t i = 0; i < count; ++i) {
      std::vector<int64_t> dims = SomeDims(2);
      const bool open = i == 0 || Below(2) == 0;
      if (open && model.gear_kind == GearKind::kBatch) {
        dims[0] = -1;
      } else if (open && model.gear_kind != GearKind::kNone) {
        dims[0] = -1;
        dims[1] = -1;
      }
      model.inputs.push_back(
          {"input:" + std::to_string(i), SomeType(), SomeFormat(), std::move(dims), 0});
    }
  }

  void AddGears(ModelDescription& model) {
    if (model.gear_kind == GearKind::kNone) {
      return;
    }
    size_t values = model.gear_kind == GearKind::kBatch ? 1 : 2;
    if (model.gear_kind == GearKind::kDims) {
      values = 0;
      for (const IoDescription& input : model.inputs) {
        values += input.dims[0] == -1 ? 2 : 0;
      }
    }
    model.gears.resize(1 + Below(6));
    for (GearDescription& gear : model.gears) {
      for (size_t i = 0; i < values; ++i) {
        gear.values.push_back(static_cast<int64_t>(1 + Below(50)));
      }
    }
  }

  void AddOutputs(ModelDescription& model) {
    const uint64_t count = 1 + Below(3);
    for (uint64_t i = 0; i < count; ++i) {
      const std::string name = "node/" + std::to_string(i) + ":1:out";
      model.outputs.push_back({name, SomeType(), SomeFormat(), SomeDims(0), 0});
      for (GearDescription& gear : model.gears) {
        gear.output_dims.push_back(SomeDims(0));
      }
    }
  }

  static void FillSizes(ModelDescription& model) {
    const auto grow = [](IoDescription& tensor, const std::vector<int64_t>& dims) {
      tensor.size_bytes =
          std::max(tensor.size_bytes, AclTensorBytes(tensor.acl_data_type, dims).value_or(0));
    };
    for (size_t gear = 0; gear < std::max<size_t>(model.gears.size(), 1); ++gear) {
      const auto dims = InputDimsAtGear(model, gear);
      for (size_t i = 0; i < dims.size(); ++i) {
        grow(model.inputs[i], dims[i]);
      }
    }
    for (size_t i = 0; i < model.outputs.size(); ++i) {
      grow(model.outputs[i], model.outputs[i].dims);
      for (const GearDescription& gear : model.gears) {
        grow(model.outputs[i], gear.output_dims[i]);
      }
    }
  }

  std::mt19937_64 random_;
};

}  // namespace omserve::om
