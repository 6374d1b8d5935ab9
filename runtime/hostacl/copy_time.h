// SPDX-License-Identifier: Apache-2.0
// The time that a copy between host and device takes where settings give copies a cost.
#pragma once

#include <cstddef>
#include <optional>

#include "runtime/hostacl/clocked_cores.h"
#include "runtime/hostacl/memory_map.h"

namespace omserve::hostacl {

// Stands around the copying itself, which counts as a part of the time. One thread uses it.
class CopyTime final {
 public:
  // Of a copy of `size_bytes` that begins now. Copies within a device and within the host, and all
  // copies without settings, take the time that they take.
  CopyTime(const MemoryMap& map, const void* target, const void* source, size_t size_bytes);
  // Blocks until the time is over.
  void Pass();

 private:
  std::optional<ClockedCores::Stay> stay_;
};

}  // namespace omserve::hostacl
