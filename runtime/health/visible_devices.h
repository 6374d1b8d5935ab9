// SPDX-License-Identifier: Apache-2.0
// ASCEND_RT_VISIBLE_DEVICES: AscendCL counts only the devices that it lists, from 0; the driver's
// DCMI knows nothing of it and counts all.
#pragma once

#include <optional>
#include <string>

namespace omserve::health {

// The driver's logical number of AscendCL's device `acl_id`. `visible` is the variable's value,
// nullopt when it is not set: then both count alike. nullopt when the list does not reach so far;
// as in AscendCL, it ends where something stands that is no number: "1, 2" is device 1 alone.
std::optional<unsigned int> LogicalDeviceId(const std::optional<std::string>& visible, int acl_id);

}  // namespace omserve::health
