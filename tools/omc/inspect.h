// SPDX-License-Identifier: Apache-2.0
// `omc inspect`: what an `.om` file holds, for people and for programs.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace omserve::omc {

enum class InspectForm { kText, kJson };

// Header, partitions, inputs, outputs, gears and how it was compiled; ends with a line feed. A file
// whose container is sound but whose model cannot be described shows the container and the reason.
// Errors: kInvalidArgument when the bytes are no `.om` file.
absl::StatusOr<std::string> Inspect(std::span<const std::byte> bytes, InspectForm form);

// The same for a file; errors name it.
absl::StatusOr<std::string> InspectFile(const std::string& path, InspectForm form);

}  // namespace omserve::omc
