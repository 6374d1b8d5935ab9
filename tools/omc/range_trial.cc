// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/range_trial.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/om/data_type.h"

namespace omserve::omc {
namespace {

// Inputs at the ends of their ranges may take more than a machine has; runs of this size are quick.
constexpr uint64_t kMostTrialBytes = uint64_t{64} << 20U;

uint64_t BytesOf(std::span<const om::IoDescription> tensors, std::span<const Dims> dims) {
  uint64_t total = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::optional<uint64_t> bytes = om::AclTensorBytes(tensors[i].acl_data_type, dims[i]);
    if (!bytes.has_value() || __builtin_add_overflow(total, *bytes, &total)) {
      return UINT64_MAX;
    }
  }
  return total;
}

template <typename Pick>
std::vector<Dims> DimsBy(std::span<const om::IoDescription> inputs, Pick pick) {
  std::vector<Dims> all;
  for (const om::IoDescription& input : inputs) {
    Dims dims;
    for (const om::DimRange& range : input.dim_ranges) {
      dims.push_back(pick(range));
    }
    all.push_back(std::move(dims));
  }
  return all;
}

// The ends of the ranges, or one more than the least where those have no end or take too much.
std::vector<Dims> LargerDims(std::span<const om::IoDescription> inputs) {
  const auto more = [](const om::DimRange& range) {
    return range.most == range.least ? range.least : range.least + 1;
  };
  std::vector<Dims> largest = DimsBy(inputs, [&](const om::DimRange& range) {
    return range.most == -1 ? more(range) : range.most;
  });
  return BytesOf(inputs, largest) <= kMostTrialBytes ? std::move(largest) : DimsBy(inputs, more);
}

std::string ShowDims(std::span<const om::IoDescription> inputs, std::span<const Dims> dims) {
  std::string text;
  for (size_t i = 0; i < inputs.size(); ++i) {
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", inputs[i].name, DimsToString(dims[i]));
  }
  return text;
}

// -1 wherever `seen` differs from what is known so far.
absl::Status Merge(const OnnxTensor& output, const Dims& seen, Dims& known) {
  if (seen.size() != known.size()) {
    return InvalidArgument("output '{}' has {} dims in one run and {} in another: {} and {}",
                           output.name, known.size(), seen.size(), DimsToString(known),
                           DimsToString(seen));
  }
  for (size_t d = 0; d < seen.size(); ++d) {
    known[d] = seen[d] == known[d] ? known[d] : -1;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RangeTrial> TryRanges(OnnxChecker& checker, om::ModelDescription& description) {
  const auto least =
      DimsBy(description.inputs, [](const om::DimRange& range) { return range.least; });
  const std::vector<Dims> larger = LargerDims(description.inputs);
  std::vector<Dims> known;
  for (const OnnxTensor& output : checker.outputs()) {
    known.push_back(output.dims);  // A dim that the graph names varies, even where a run hides it.
  }
  RangeTrial trial;
  for (const std::vector<Dims>& dims : {least, larger}) {
    for (const Fill fill : {Fill::kZeros, Fill::kOnes}) {  // Data may decide the dims, too.
      const absl::StatusOr<std::vector<Dims>> seen = checker.Run(dims, fill);
      if (!seen.ok() && fill == Fill::kOnes) {
        continue;  // A run that ones break says nothing.
      }
      if (!seen.ok()) {
        return WithContext(seen.status(), fmt::format("the model does not run at {}",
                                                      ShowDims(description.inputs, dims)));
      }
      for (size_t i = 0; i < seen->size(); ++i) {
        RETURN_IF_ERROR(Merge(checker.outputs()[i], (*seen)[i], known[i]));
      }
      trial.input_bytes = BytesOf(description.inputs, dims);
      trial.io_bytes =
          std::max(trial.io_bytes, trial.input_bytes + BytesOf(description.outputs, *seen));
    }
  }
  const auto size_of = [](om::IoDescription& tensor) {
    tensor.size_bytes = om::AclTensorBytes(tensor.acl_data_type, tensor.dims).value_or(0);
  };
  std::ranges::for_each(description.inputs, size_of);
  for (size_t i = 0; i < known.size(); ++i) {
    description.outputs[i].dims = known[i];
    size_of(description.outputs[i]);
  }
  return trial;
}

}  // namespace omserve::omc
