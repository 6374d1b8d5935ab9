// SPDX-License-Identifier: Apache-2.0
// What one execution takes at each gear, as a host file records it and as people write it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/om/model_description.h"

namespace omserve::om {

inline constexpr int64_t kMostCostUs = 3'600'000'000;  // An hour.

// A gear's values as costs name it: "8", "16x32".
std::string GearKey(std::span<const int64_t> values);
// The gears of a model by their keys, "1, 2, 4"; "none" without gears.
std::string GearKeys(const ModelDescription& description);

// Microseconds by gear from "1:900,4:2100,8:3800": every gear of the model once, by its key; for a
// model without gears the number alone, "900". Errors: kInvalidArgument quoting the part that is
// wrong or naming the gear that is missing.
absl::StatusOr<std::vector<int64_t>> ParseCosts(std::string_view text,
                                                const ModelDescription& description);
// The text for ParseCosts. Requires CheckCosts.
std::string FormatCosts(const ModelDescription& description);

// kInvalidArgument unless `description.cost_us` is empty or holds 1 to kMostCostUs for every gear
// (one number for a model without gears).
absl::Status CheckCosts(const ModelDescription& description);

}  // namespace omserve::om
