// SPDX-License-Identifier: Apache-2.0
// Inputs, outputs and gears as both MODEL_INOUT_INFO and ModelDef carry them, and the rules that
// hold whichever of the two they came from. Internal to runtime/om.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/om/model_description.h"

namespace omserve::om {

// The most gears a file may have: 100 by atc's rule, 256 on the newest chips.
inline constexpr size_t kMostGears = 256;
inline constexpr size_t kMostTensors = 4096;
inline constexpr size_t kMostDims = 128;  // ACL_MAX_DIM_CNT

struct ModelIo {
  std::vector<IoDescription> inputs;  // Without the reserved gear input.
  std::vector<IoDescription> outputs;
  GearKind gear_kind = GearKind::kNone;
  std::vector<GearDescription> gears;

  bool operator==(const ModelIo&) const = default;
};

// Dims of every input with the -1 filled by `values`. Requires values that CheckModelIo accepted.
std::vector<std::vector<int64_t>> FillDims(std::span<const IoDescription> inputs, GearKind kind,
                                           std::span<const int64_t> values);

// Brings the values of dims gears from the order in which the compiler's command named the inputs
// into that of the inputs; no names mean that the two are the same. Errors: kInvalidArgument naming
// the input with a -1 that `names` leaves out.
absl::Status OrderGearValues(std::span<const std::string> names, ModelIo& io);

// The reserved input that carries a gear's values: INT32, one per value. Requires gears.
IoDescription GearTensor(const ModelIo& io);

// kInvalidArgument naming the tensor or gear that breaks a rule: names unique, not empty and UTF-8,
// 1 to kMostTensors outputs, gears that fit the -1 of the inputs, output dims for all or none.
absl::Status CheckModelIo(const ModelIo& io);

// Replaces size_bytes by what the dims give at the largest gear. Where dims are unknown (-1 and no
// gears) or the type has no size, the stored value stays; so does a static input's, which image
// preprocessing on the chip can make differ from the dims. Requires CheckModelIo.
void ResolveSizes(ModelIo& io);

// What holds in files for the CPU device besides CheckModelIo: every size is known and is exactly
// that of the largest gear, and the gears say the outputs' dims. Without gears, an input with a -1
// has a range for each dim, and it and the outputs with a -1 have the size 0. Requires
// CheckModelIo.
absl::Status CheckHostSizes(const ModelIo& io);

// The text form of the outputs' dims: "gear,output,dim,dim..." for every gear and output.
std::vector<std::string> FormatOutputDims(std::span<const GearDescription> gears);
// Fills gears[].output_dims. Errors: kInvalidArgument quoting the text that is malformed, out of
// range, twice or missing. No texts at all leave the gears as they are.
absl::Status ParseOutputDims(std::span<const std::string> texts, size_t output_count,
                             std::vector<GearDescription>& gears);

}  // namespace omserve::om
