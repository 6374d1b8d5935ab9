// SPDX-License-Identifier: Apache-2.0
// Rows that somebody wants a model to have run before it is served. A plain value.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace omserve::scheduler {

struct WarmUpSample {
  std::string name;
  size_t bucket = 0;
  int rows = 1;  // More than the bucket's largest gear run in parts.
  int count = 1;
  std::vector<std::string> inputs;  // By input of the model: the bytes of all rows. Empty: zeros.
};

}  // namespace omserve::scheduler
