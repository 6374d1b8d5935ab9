// SPDX-License-Identifier: Apache-2.0
// Errors for clients, who are not to learn where this machine keeps its files.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace omserve::server {

// Paths below one of these folders, in its message, as they are within the folder.
absl::Status WithoutPlaces(const absl::Status& status, const std::vector<std::string>& places);

}  // namespace omserve::server
