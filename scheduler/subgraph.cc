// SPDX-License-Identifier: Apache-2.0
#include "scheduler/subgraph.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "runtime/base/check.h"
#include "runtime/base/device_piece.h"
#include "runtime/base/errors.h"

namespace omserve::scheduler {
namespace {

// The one value of dim 0 over all tensors of `gear`; nullopt when they differ or one has no dims.
std::optional<int64_t> CommonBatch(const acl::ModelGear& gear) {
  std::optional<int64_t> batch;
  for (const std::vector<Dims>* side : {&gear.input_dims, &gear.output_dims}) {
    for (const Dims& dims : *side) {
      if (dims.empty() || (batch.has_value() && *batch != dims[0])) {
        return std::nullopt;
      }
      batch = dims[0];
    }
  }
  return batch;
}

std::vector<Dims> RowDims(const std::vector<Dims>& full, bool batched) {
  std::vector<Dims> rows;
  rows.reserve(full.size());
  for (const Dims& dims : full) {
    rows.emplace_back(dims.begin() + (batched ? 1 : 0), dims.end());
  }
  return rows;
}

absl::StatusOr<std::vector<size_t>> RowBytes(const std::vector<acl::ModelTensor>& tensors,
                                             const std::vector<Dims>& row_dims) {
  std::vector<size_t> bytes;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::optional<size_t> size = TensorBytes(tensors[i].type, row_dims[i]);
    if (!size.has_value()) {
      return InvalidArgument("tensor '{}' of type {} with dims {} has no fixed size in bytes",
                             tensors[i].name, DataTypeName(tensors[i].type),
                             DimsToString(row_dims[i]));
    }
    bytes.push_back(*size);
  }
  return bytes;
}

// Row dims over all buckets, -1 where they differ.
std::vector<TensorSpec> MergedSpecs(const std::vector<acl::ModelTensor>& tensors,
                                    const std::vector<Bucket>& buckets,
                                    std::vector<Dims> Bucket::*side) {
  std::vector<TensorSpec> specs;
  for (size_t i = 0; i < tensors.size(); ++i) {
    Dims merged = (buckets.front().*side)[i];
    for (const Bucket& bucket : buckets) {
      const Dims& dims = (bucket.*side)[i];
      for (size_t d = 0; d < merged.size(); ++d) {
        merged[d] = merged[d] == dims[d] ? merged[d] : -1;
      }
    }
    specs.push_back({tensors[i].name, tensors[i].type, std::move(merged)});
  }
  return specs;
}

// Plans and requests know tensors by name.
absl::Status CheckNamesDiffer(const std::vector<acl::ModelTensor>& tensors, std::string_view side) {
  std::set<std::string_view> names;
  for (const acl::ModelTensor& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      return InvalidArgument(
          "two {}s are named '{}': give them names of their own and compile again", side,
          tensor.name);
    }
  }
  return absl::OkStatus();
}

}  // namespace

const BatchGear& Bucket::GearFor(int rows) const {
  const auto gear = std::find_if(gears.begin(), gears.end(),
                                 [rows](const BatchGear& g) { return g.rows >= rows; });
  OMSERVE_CHECK(gear != gears.end(), "a batch never exceeds the largest gear of its bucket");
  return *gear;
}

int SubgraphShape::max_rows() const {
  int most = 0;
  for (const Bucket& bucket : buckets) {
    most = std::max(most, bucket.max_rows());
  }
  return most;
}

size_t SubgraphShape::model_gear_count() const {
  size_t count = 0;
  for (const Bucket& bucket : buckets) {
    for (const BatchGear& gear : bucket.gears) {
      count = std::max(count, gear.model_gear + 1);
    }
  }
  return count;
}

std::optional<int> SubgraphShape::FindBucket(std::span<const Dims> input_dims) const {
  for (size_t i = 0; i < buckets.size(); ++i) {
    if (std::equal(input_dims.begin(), input_dims.end(), buckets[i].input_dims.begin(),
                   buckets[i].input_dims.end())) {
      return static_cast<int>(i);
    }
  }
  return std::nullopt;
}

std::string SubgraphShape::BucketsToString() const {
  std::string text;
  for (const Bucket& bucket : buckets) {
    text += text.empty() ? "" : "; ";
    for (const Dims& dims : bucket.input_dims) {
      text += DimsToString(dims);
    }
    text += " x ";
    for (size_t i = 0; i < bucket.gears.size(); ++i) {
      text += (i == 0 ? "" : ",") + std::to_string(bucket.gears[i].rows);
    }
  }
  return text;
}

OutputLayout LayOutOutputs(const SubgraphShape& shape) {
  OutputLayout layout;
  for (size_t i = 0; i < shape.outputs.size(); ++i) {
    size_t most_bytes = 0;
    for (const Bucket& bucket : shape.buckets) {
      most_bytes =
          std::max(most_bytes, bucket.output_row_bytes[i] * static_cast<size_t>(bucket.max_rows()));
    }
    layout.offsets.push_back(layout.size_bytes);
    layout.size_bytes += DevicePieceBytes(most_bytes);
  }
  return layout;
}

bool HasBatchGears(const acl::ModelInfo& info) {
  std::set<int64_t> batches;
  for (const acl::ModelGear& gear : info.gears) {
    const std::optional<int64_t> batch = CommonBatch(gear);
    if (!batch.has_value()) {
      return false;
    }
    batches.insert(*batch);
  }
  return batches.size() > 1;
}

absl::StatusOr<SubgraphShape> MakeSubgraphShape(const acl::ModelInfo& info, bool batched) {
  RETURN_IF_ERROR(CheckNamesDiffer(info.inputs, "input"));
  RETURN_IF_ERROR(CheckNamesDiffer(info.outputs, "output"));
  SubgraphShape shape;
  shape.batched = batched;
  for (size_t i = 0; i < info.gears.size(); ++i) {
    const acl::ModelGear& gear = info.gears[i];
    const std::optional<int64_t> batch = CommonBatch(gear);
    if (batched && (!batch.has_value() || *batch < 1 || *batch > (1 << 20))) {
      return InvalidArgument(
          "gear {}: its tensors do not share a batch dimension (first input {}); set "
          "max_batch_size: 0",
          i, gear.input_dims.empty() ? "none" : DimsToString(gear.input_dims.front()));
    }
    Bucket bucket;
    bucket.input_dims = RowDims(gear.input_dims, batched);
    bucket.output_dims = RowDims(gear.output_dims, batched);
    const BatchGear batch_gear{batched ? static_cast<int>(*batch) : 1, i};
    if (const std::optional<int> known = shape.FindBucket(bucket.input_dims)) {
      Bucket& other = shape.buckets[static_cast<size_t>(*known)];
      if (other.output_dims != bucket.output_dims) {
        return InvalidArgument(
            "gear {}: its outputs per row differ from those of a smaller batch; "
            "set max_batch_size: 0",
            i);
      }
      other.gears.push_back(batch_gear);
      continue;
    }
    ASSIGN_OR_RETURN(bucket.input_row_bytes, RowBytes(info.inputs, bucket.input_dims));
    ASSIGN_OR_RETURN(bucket.output_row_bytes, RowBytes(info.outputs, bucket.output_dims));
    bucket.gears.push_back(batch_gear);
    shape.buckets.push_back(std::move(bucket));
  }
  if (shape.buckets.empty()) {
    return InvalidArgument("the model has no gear");
  }
  for (Bucket& bucket : shape.buckets) {
    std::sort(bucket.gears.begin(), bucket.gears.end(),
              [](const BatchGear& a, const BatchGear& b) { return a.rows < b.rows; });
  }
  shape.inputs = MergedSpecs(info.inputs, shape.buckets, &Bucket::input_dims);
  shape.outputs = MergedSpecs(info.outputs, shape.buckets, &Bucket::output_dims);
  return shape;
}

}  // namespace omserve::scheduler
