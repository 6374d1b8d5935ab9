// SPDX-License-Identifier: Apache-2.0
// A request with more rows than a batch can hold, cut into parts, and their answers joined again.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/tensor.h"
#include "runtime/memory/host_pool.h"
#include "scheduler/request.h"

namespace omserve::scheduler {

// Rows of each part: full batches of `most` rows, then what is left; its batch may be a smaller
// gear, or shared. Requires rows >= 1 and most >= 1.
std::vector<int> PartRows(int rows, int most);

// Where each part's rows lie in a tensor [rows, ...] of full dims `dims`. Requires that `part_rows`
// add up to its rows. Errors: kInvalidArgument for damaged BYTES elements.
absl::StatusOr<std::vector<std::span<const std::byte>>> SplitRows(DataType type,
                                                                  std::span<const int64_t> dims,
                                                                  std::span<const std::byte> bytes,
                                                                  std::span<const int> part_rows);

// One output from the same output of all parts, in order: as it is where they lie one after the
// other in one block, else copied to a block of `pool`. Errors: those of the pool; kInternal when
// the parts' dims differ in more than their rows.
absl::StatusOr<ResponseOutput> JoinRows(std::span<const ResponseOutput* const> parts,
                                        memory::HostPool& pool);

}  // namespace omserve::scheduler
