// SPDX-License-Identifier: Apache-2.0
#include "server/core/left_out.h"

#include <algorithm>
#include <cstdint>

namespace omserve::server {
namespace {

using scheduler::Bucket;
using scheduler::Plan;
using scheduler::PlanNode;

class Filler final {
 public:
  Filler(const Plan& plan, std::span<const PaddedLength> lengths,
         std::vector<std::optional<Dims>>& row_dims)
      : plan_(plan), lengths_(lengths), row_dims_(row_dims) {}

  // Each that is filled in is there for those after it.
  void Fill() {
    for (size_t i = 0; i < row_dims_.size(); ++i) {
      if (!row_dims_[i].has_value()) {
        row_dims_[i] = DimsOf(i);
      }
    }
  }

 private:
  Dims DimsOf(size_t input) const {
    Dims dims = plan_.input(input).dims;
    TakeLengths(input, dims);
    if (const Dims* compiled = SmallestCompiled(input, dims)) {
      for (size_t d = 0; d < dims.size(); ++d) {
        dims[d] = dims[d] == -1 ? (*compiled)[d] : dims[d];
      }
    }
    std::replace(dims.begin(), dims.end(), int64_t{-1}, int64_t{1});
    return dims;
  }

  // Dims that are always as long as each other.
  void TakeLengths(size_t input, Dims& dims) const {
    for (const PaddedLength& length : lengths_) {
      const auto sent =
          std::find_if(length.inputs.begin(), length.inputs.end(),
                       [this](const PaddedDim& dim) { return row_dims_[dim.tensor].has_value(); });
      if (sent == length.inputs.end()) {
        continue;
      }
      for (const PaddedDim& own : length.inputs) {  // Several, as of a square mask.
        if (own.tensor == input) {
          dims[own.dim] = (*row_dims_[sent->tensor])[sent->dim];
        }
      }
    }
  }

  bool IsPadded(size_t input, size_t dim) const {
    return std::any_of(lengths_.begin(), lengths_.end(), [=](const PaddedLength& length) {
      return std::any_of(length.inputs.begin(), length.inputs.end(), [=](const PaddedDim& padded) {
        return padded.tensor == input && padded.dim == dim;
      });
    });
  }

  // Whether rows of `dims`, where -1 is open, run in rows of the compiled ones.
  bool Holds(size_t input, const Dims& compiled, const Dims& dims) const {
    if (compiled.size() != dims.size()) {
      return false;
    }
    for (size_t d = 0; d < dims.size(); ++d) {
      const bool longer = compiled[d] > dims[d] && IsPadded(input, d);
      if (dims[d] != -1 && dims[d] != compiled[d] && !longer) {
        return false;
      }
    }
    return true;
  }

  bool Fits(const PlanNode& node, const Bucket& bucket, size_t input, const Dims& dims) const {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const auto of = std::find(plan_.inputs.begin(), plan_.inputs.end(), node.inputs[i]);
      if (of == plan_.inputs.end()) {
        continue;  // Another step, or the server, makes it.
      }
      const auto known = static_cast<size_t>(of - plan_.inputs.begin());
      const Dims* sent = known == input                 ? &dims
                         : row_dims_[known].has_value() ? &*row_dims_[known]
                                                        : nullptr;
      if (sent != nullptr && !Holds(known, bucket.input_dims[i], *sent)) {
        return false;
      }
    }
    return true;
  }

  // Null when no device step that reads it was compiled for what is there.
  const Dims* SmallestCompiled(size_t input, const Dims& dims) const {
    const Dims* smallest = nullptr;
    for (const PlanNode& node : plan_.nodes) {
      const auto reads = std::find(node.inputs.begin(), node.inputs.end(), plan_.inputs[input]);
      if (!node.on_device() || reads == node.inputs.end()) {
        continue;
      }
      const auto own = static_cast<size_t>(reads - node.inputs.begin());
      for (const Bucket& bucket : node.subgraph->shape.buckets) {
        const Dims& compiled = bucket.input_dims[own];
        if (Fits(node, bucket, input, dims) &&
            (smallest == nullptr || ElementCount(compiled) < ElementCount(*smallest))) {
          smallest = &compiled;
        }
      }
    }
    return smallest;
  }

  const Plan& plan_;
  const std::span<const PaddedLength> lengths_;
  std::vector<std::optional<Dims>>& row_dims_;
};

}  // namespace

void FillLeftOutDims(const Plan& plan, std::span<const PaddedLength> lengths,
                     std::vector<std::optional<Dims>>& row_dims) {
  Filler(plan, lengths, row_dims).Fill();
}

std::optional<size_t> LeftOutBytes(DataType type, std::span<const int64_t> dims) {
  // An empty string is its length, of 32 bits.
  return TensorBytes(type == DataType::kBytes ? DataType::kUint32 : type, dims);
}

}  // namespace omserve::server
