// SPDX-License-Identifier: Apache-2.0
// What an execution needs to know of a model's gears; for model.cc and binding.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/acl/gears.h"
#include "runtime/acl/model.h"

namespace omserve::acl {

struct Model::Plan {
  struct PerGear {
    std::vector<int64_t> values;  // For the setter of `kind`.
    // By ModelInfo's index: what the tensors take at this gear.
    std::vector<size_t> input_bytes;
    std::vector<size_t> output_bytes;
  };

  GearKind kind = GearKind::kNone;
  // AscendCL's index of the reserved input.
  std::optional<size_t> gear_input;
  size_t gear_value_bytes = 0;
  std::vector<PerGear> gears;  // As ModelInfo::gears.
  // The gear that was set last, with whatever binding: AscendCL keeps it with the model id as well.
  std::optional<size_t> current_gear;
};

}  // namespace omserve::acl
