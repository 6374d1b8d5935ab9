// SPDX-License-Identifier: Apache-2.0
// How much memory a load was short of, in the error that says so.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"

namespace omserve::registry {

struct Shortage {
  int device = 0;
  uint64_t missing_bytes = 0;  // More than were free on it.

  bool operator==(const Shortage&) const = default;
};

absl::Status WithShortage(absl::Status status, const Shortage& shortage);

// That which a status carries, also after WithContext; nullopt: it is not known.
std::optional<Shortage> ShortageOf(const absl::Status& status);

}  // namespace omserve::registry
