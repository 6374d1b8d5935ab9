// SPDX-License-Identifier: Apache-2.0
#include "config/reshape.h"

#include <fmt/format.h>

#include <vector>

namespace omserve::config {
namespace {

// How many elements stand before, between and behind the -1s.
std::vector<int64_t> Runs(std::span<const int64_t> dims) {
  std::vector<int64_t> runs{1};
  for (const int64_t dim : dims) {
    if (dim == -1) {
      runs.push_back(1);
    } else if (__builtin_mul_overflow(runs.back(), dim, &runs.back())) {
      return {};  // Larger than any tensor: as many as nothing else.
    }
  }
  return runs;
}

}  // namespace

std::string ReshapeError(std::span<const int64_t> dims, std::span<const int64_t> shape) {
  const std::vector<int64_t> client = Runs(dims);
  const std::vector<int64_t> model = Runs(shape);
  if (client.empty() || model.empty()) {
    return "they are too large for a tensor";
  }
  if (client.size() != model.size()) {
    return fmt::format("dims have {} of -1 and shape has {}; write as many in both",
                       client.size() - 1, model.size() - 1);
  }
  for (size_t i = 0; i < client.size(); ++i) {
    if (client[i] == model[i]) {
      continue;
    }
    const std::string where = client.size() == 1 ? ""
                              : i == 0           ? " before the first -1"
                                                 : fmt::format(" behind -1 number {}", i);
    return fmt::format("dims have {} elements{} and shape has {}; write as many in both", client[i],
                       where, model[i]);
  }
  return "";
}

Dims WithOpenSizes(std::span<const int64_t> to, std::span<const int64_t> from,
                   std::span<const int64_t> sizes) {
  Dims closed(to.begin(), to.end());
  size_t next = 0;
  for (int64_t& dim : closed) {
    if (dim == -1) {
      while (from[next] != -1) {
        ++next;
      }
      dim = sizes[next++];
    }
  }
  return closed;
}

}  // namespace omserve::config
