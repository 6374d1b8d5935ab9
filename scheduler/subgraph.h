// SPDX-License-Identifier: Apache-2.0
// A subgraph as the scheduler sees it: row shapes, buckets and gears, drawn from its `.om`.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/model.h"
#include "runtime/base/tensor.h"

namespace omserve::scheduler {

// A batch size that was compiled.
struct BatchGear {
  int rows = 1;
  size_t model_gear = 0;  // Index into acl::ModelInfo::gears.
};

// Rows that may share a batch: same dims of every input but the batch's.
struct Bucket {
  std::vector<Dims> input_dims;   // Of one row.
  std::vector<Dims> output_dims;  // Of one row.
  std::vector<size_t> input_row_bytes;
  std::vector<size_t> output_row_bytes;
  std::vector<BatchGear> gears;  // Ascending rows, none twice.

  int max_rows() const { return gears.back().rows; }
  // The smallest gear that holds `rows`. Requires rows <= max_rows().
  const BatchGear& GearFor(int rows) const;
};

struct SubgraphShape {
  // True: dim 0 of every input and output is the batch, and row dims leave it out. False: a request
  // is one row, and row dims are the full dims.
  bool batched = false;
  // Row dims; -1 where the buckets differ.
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<Bucket> buckets;

  // The largest gear of any bucket.
  int max_rows() const;
  // One more than the highest model gear in use, of which some may be left out: the size of a table
  // by model gear.
  size_t model_gear_count() const;
  // Bucket whose row dims are exactly `input_dims`.
  std::optional<int> FindBucket(std::span<const Dims> input_dims) const;
  // "[3,48,48] x 1,2,4,8; ...", for messages.
  std::string BucketsToString() const;
};

// Where the outputs of a batch stand in one block of memory, which holds those of any bucket and
// gear; each on 64 bytes with AscendCL's room behind it.
struct OutputLayout {
  std::vector<size_t> offsets;  // By output.
  size_t size_bytes = 0;
};
OutputLayout LayOutOutputs(const SubgraphShape& shape);

// True when all tensors of all gears share dim 0 and at least two gears differ in it: only then is
// the batch dimension certain from the file alone.
bool HasBatchGears(const acl::ModelInfo& info);

// `batched` as configured, else HasBatchGears. Errors: kInvalidArgument when a tensor cannot carry
// a batch dimension, naming the gear and its dims; when two inputs or two outputs share a name;
// when a type has no fixed size; when there is no gear.
absl::StatusOr<SubgraphShape> MakeSubgraphShape(const acl::ModelInfo& info, bool batched);

}  // namespace omserve::scheduler
