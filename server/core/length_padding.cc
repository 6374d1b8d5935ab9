// SPDX-License-Identifier: Apache-2.0
#include "server/core/length_padding.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

using scheduler::Plan;
using scheduler::PlanNode;

// Lengths are tried in all combinations.
constexpr size_t kMostCombinations = 1024;

const scheduler::PlanTensor& TensorOf(const Plan& plan, const std::vector<int>& list, size_t i) {
  return plan.tensors[static_cast<size_t>(list[i])];
}

absl::StatusOr<PaddedDim> FindDim(const Plan& plan, const std::vector<int>& list,
                                  std::string_view side, const inference::ModelPadding::Dim& from) {
  for (size_t i = 0; i < list.size(); ++i) {
    const scheduler::PlanTensor& tensor = TensorOf(plan, list, i);
    if (tensor.name != from.name()) {
      continue;
    }
    if (from.dim() < 0 || static_cast<size_t>(from.dim()) >= tensor.spec.dims.size()) {
      return InvalidArgument("{} '{}' has no dim {} per row: its dims are {}", side, from.name(),
                             from.dim(), DimsToString(tensor.spec.dims));
    }
    PaddedDim found{.tensor = i, .dim = static_cast<size_t>(from.dim())};
    absl::StatusOr<ElementBytes> fill = ToElement(tensor.spec.type, from.value());
    if (!fill.ok()) {
      return WithContext(fill.status(), fmt::format("{} '{}'", side, from.name()));
    }
    found.fill = *fill;
    return found;
  }
  return InvalidArgument("the model has no {} '{}'", side, from.name());
}

// Lengths that the steps which read the input were compiled for, or of any that makes the output.
void AddCompiled(const Plan& plan, const PaddedDim& dim, std::set<int64_t>& compiled) {
  const int tensor = plan.inputs[dim.tensor];
  for (const PlanNode& node : plan.nodes) {
    for (size_t i = 0; node.on_device() && i < node.inputs.size(); ++i) {
      if (node.inputs[i] == tensor) {
        for (const scheduler::Bucket& bucket : node.subgraph->shape.buckets) {
          compiled.insert(bucket.input_dims[i][dim.dim]);
        }
      }
    }
  }
}

// A model of one step says at load whether an output follows: in every bucket the two are equal.
absl::Status CheckFollows(const Plan& plan, const PaddedLength& length) {
  if (plan.is_pipeline() || !plan.nodes.front().on_device()) {
    return absl::OkStatus();
  }
  const PaddedDim& input = length.inputs.front();
  for (const scheduler::Bucket& bucket : plan.nodes.front().subgraph->shape.buckets) {
    for (const PaddedDim& output : length.outputs) {
      const int64_t expected = bucket.input_dims[input.tensor][input.dim];
      const int64_t got = bucket.output_dims[output.tensor][output.dim];
      if (got != expected) {
        return InvalidArgument("output '{}' dim {} is {} where input '{}' dim {} is {}",
                               TensorOf(plan, plan.outputs, output.tensor).name, output.dim, got,
                               TensorOf(plan, plan.inputs, input.tensor).name, input.dim, expected);
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PaddedLength> ResolveLength(const inference::ModelPadding& from, const Plan& plan) {
  PaddedLength length;
  std::set<int64_t> compiled;
  for (const inference::ModelPadding::Dim& input : from.input()) {
    ASSIGN_OR_RETURN(const PaddedDim dim, FindDim(plan, plan.inputs, "input", input));
    length.inputs.push_back(dim);
    AddCompiled(plan, dim, compiled);
  }
  for (const inference::ModelPadding::Dim& output : from.output()) {
    ASSIGN_OR_RETURN(const PaddedDim dim, FindDim(plan, plan.outputs, "output", output));
    length.outputs.push_back(dim);
  }
  if (compiled.empty()) {
    return InvalidArgument("no device step reads its inputs, so no length was compiled");
  }
  length.compiled.assign(compiled.begin(), compiled.end());
  RETURN_IF_ERROR(CheckFollows(plan, length));
  return length;
}

// The one length of the request's dims.
absl::StatusOr<int64_t> GivenLength(const Plan& plan, const PaddedLength& length,
                                    const std::vector<Dims>& row_dims) {
  const PaddedDim& first = length.inputs.front();
  const int64_t given = row_dims[first.tensor][first.dim];
  const std::string& name = TensorOf(plan, plan.inputs, first.tensor).name;
  for (const PaddedDim& other : length.inputs) {
    const int64_t also = row_dims[other.tensor][other.dim];
    if (also != given) {
      return InvalidArgument("inputs '{}' and '{}' must be as long as each other, got {} and {}",
                             name, TensorOf(plan, plan.inputs, other.tensor).name, given, also);
    }
  }
  if (given < 1 || given > length.compiled.back()) {
    return InvalidArgument("input '{}' has length {}, expected 1 to {}: the longest compiled", name,
                           given, length.compiled.back());
  }
  return given;
}

int64_t Elements(const std::vector<Dims>& row_dims) {
  int64_t sum = 0;
  for (const Dims& dims : row_dims) {
    sum += ElementCount(dims).value_or(std::numeric_limits<int32_t>::max());
  }
  return sum;
}

}  // namespace

absl::StatusOr<std::vector<PaddedLength>> ResolvePadding(const inference::ModelConfig& config,
                                                         const Plan& plan) {
  std::vector<PaddedLength> lengths;
  size_t combinations = 1;
  for (int i = 0; i < config.padding_size(); ++i) {
    absl::StatusOr<PaddedLength> length = ResolveLength(config.padding(i), plan);
    if (!length.ok()) {
      return WithContext(length.status(), fmt::format("padding[{}]", i));
    }
    combinations *= length->compiled.size();
    lengths.push_back(*std::move(length));
    if (combinations > kMostCombinations) {
      return InvalidArgument("padding: {} combinations of compiled lengths, at most {} are tried",
                             combinations, kMostCombinations);
    }
  }
  return lengths;
}

absl::StatusOr<LengthFit> FitLengths(const Plan& plan, std::span<const PaddedLength> lengths,
                                     std::vector<Dims> row_dims) {
  LengthFit fit{.row_dims = std::move(row_dims)};
  std::vector<std::span<const int64_t>> choices;
  for (const PaddedLength& length : lengths) {
    ASSIGN_OR_RETURN(const int64_t given, GivenLength(plan, length, fit.row_dims));
    fit.given.push_back(given);
    const auto first = std::lower_bound(length.compiled.begin(), length.compiled.end(), given);
    choices.emplace_back(first, length.compiled.end());
  }
  std::optional<LengthFit> best;
  absl::Status refusal;
  std::vector<size_t> at(lengths.size(), 0);  // The combination, as the digits of a number.
  for (bool more = true; more;) {
    LengthFit candidate = fit;
    for (size_t g = 0; g < lengths.size(); ++g) {
      candidate.padded.push_back(choices[g][at[g]]);
      for (const PaddedDim& dim : lengths[g].inputs) {
        candidate.row_dims[dim.tensor][dim.dim] = candidate.padded.back();
      }
    }
    absl::StatusOr<std::vector<int>> buckets = plan.ResolveBuckets(candidate.row_dims);
    if (!buckets.ok()) {
      refusal = buckets.status();
    } else if (!best.has_value() || Elements(candidate.row_dims) < Elements(best->row_dims)) {
      candidate.buckets = *std::move(buckets);
      best = std::move(candidate);
    }
    // With one length the first that fits is the shortest.
    more = !(best.has_value() && lengths.size() == 1);
    for (size_t g = 0; more; ++g) {
      if (g == lengths.size()) {
        more = false;
      } else if (++at[g] < choices[g].size()) {
        break;
      } else {
        at[g] = 0;
      }
    }
  }
  if (!best.has_value()) {
    return refusal;
  }
  return *std::move(best);
}

absl::Status CutOutput(const Plan& plan, std::span<const PaddedLength> lengths,
                       const LengthFit& fit, memory::HostPool& pool,
                       scheduler::ResponseOutput& output) {
  const scheduler::PlanTensor& tensor =
      TensorOf(plan, plan.outputs, static_cast<size_t>(output.output));
  Dims cut = output.dims;
  for (size_t g = 0; g < lengths.size(); ++g) {
    for (const PaddedDim& dim : lengths[g].outputs) {
      if (dim.tensor != static_cast<size_t>(output.output)) {
        continue;
      }
      int64_t& size = cut[dim.dim + (plan.batched ? 1 : 0)];
      if (size != fit.padded[g]) {
        return Internal("output '{}' has {} elements in dim {} where its input was padded to {}",
                        tensor.name, size, dim.dim, fit.padded[g]);
      }
      size = fit.given[g];
    }
  }
  if (cut == output.dims) {
    return absl::OkStatus();
  }
  const PadSpec spec{
      .dims = cut, .padded = output.dims, .element_bytes = DataTypeSize(tensor.spec.type)};
  const size_t size_bytes = TensorBytes(tensor.spec.type, cut).value_or(0);
  if (IsPrefix(cut, output.dims)) {
    output.bytes = output.bytes.first(size_bytes);
  } else {
    ASSIGN_OR_RETURN(memory::HostBlock block, pool.Allocate(size_bytes));
    auto owner = std::make_shared<memory::HostBlock>(std::move(block));
    CopyCut(spec, output.bytes, owner->bytes());
    output.bytes = owner->bytes();
    output.owner = std::move(owner);
  }
  output.dims = std::move(cut);
  return absl::OkStatus();
}

}  // namespace omserve::server
