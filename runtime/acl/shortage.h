// SPDX-License-Identifier: Apache-2.0
// That a load was short of what a device has, in the error that says so, and not of anything else.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"

namespace omserve::acl {

struct Shortage {
  int device = 0;
  uint64_t missing_bytes = 0;  // More than were free on it; 0: not known.

  bool operator==(const Shortage&) const = default;
};

absl::Status WithShortage(absl::Status status, const Shortage& shortage);

// That which a status carries, also after WithContext. A code of AscendCL that says that something
// is used up (memory, streams, models) is one too, of which no more is known. nullopt: any other
// error.
std::optional<Shortage> ShortageOf(const absl::Status& status);

}  // namespace omserve::acl
