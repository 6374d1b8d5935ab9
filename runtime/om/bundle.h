// SPDX-License-Identifier: Apache-2.0
// A bundle: several `.om` files in one, whose models share variables on the device (CANN 8.1 and
// later). Little endian; the header is that of an `.om` file with model type 5, its model_length
// counts the whole file, and the table's offsets count from the end of the header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/om/om_file.h"

namespace omserve::om {

// A view, valid as long as the bytes it was parsed from.
struct Bundle {
  Header header;
  std::optional<uint64_t> variable_bytes;  // Device memory of the shared variables, where stated.
  // Each a whole `.om` file, for OmFile::Parse; at least one.
  std::vector<std::span<const std::byte>> models;
};

// Errors: kInvalidArgument when KindOf(bytes) is not kBundle, or saying what is wrong at which
// offset. The models themselves are not looked into.
absl::StatusOr<Bundle> ParseBundle(std::span<const std::byte> bytes);

}  // namespace omserve::om
