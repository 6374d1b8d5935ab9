// SPDX-License-Identifier: Apache-2.0
// From the flags of `omc compile` to the dims and gears of the model. Pure: no file, no library.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/om/model_description.h"
#include "tools/omc/onnx_check.h"

namespace omserve::omc {

inline constexpr size_t kMostGearFlags = 100;  // atc's own limit.

// As atc has them. Empty: not given. Batch gears, dims gears and a dynamic shape exclude each
// other, and a dynamic shape excludes --input-shape, for it fixes dims too.
struct GearFlags {
  std::string input_shape;  // "a:-1,32;b:-1,32"
  std::string batch_gears;  // "1,2,4,8"
  std::string dims_gears;   // "1,16;8,16": values for the -1 dims of all inputs in order.
  // "a:1~8,16;b:1~8,-1": sizes, ranges of sizes, or any size; the caller of an execution says
  // which.
  std::string dynamic_shape;
};

struct GearPlan {
  std::vector<Dims> input_dims;  // By input; -1 where a gear or the caller decides.
  // By input, one for each of its dims; empty without a dynamic shape.
  std::vector<std::vector<om::DimRange>> ranges;
  om::GearKind kind = om::GearKind::kNone;
  std::vector<std::vector<int64_t>> gears;  // Ascending; empty for kNone.
};

// Errors: kInvalidArgument naming the input or gear, what is wrong with it, and the flag to use.
absl::StatusOr<GearPlan> PlanGears(std::span<const OnnxTensor> inputs, const GearFlags& flags);

// "image [N,3,48,48]": dynamic dims by their names, -1 where they have none.
std::string ShowTensor(const OnnxTensor& tensor);

}  // namespace omserve::omc
