// SPDX-License-Identifier: Apache-2.0
// A place in a region of shared memory as a client names it (shared_memory.h).
#pragma once

#include <cstdint>
#include <string>

namespace omserve::server {

struct SharedPlace {
  std::string region;
  uint64_t offset_bytes = 0;
  uint64_t size_bytes = 0;
};

}  // namespace omserve::server
