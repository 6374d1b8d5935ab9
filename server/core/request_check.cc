// SPDX-License-Identifier: Apache-2.0
#include "server/core/request_check.h"

#include <algorithm>
#include <optional>

#include "runtime/base/errors.h"
#include "server/core/left_out.h"

namespace omserve::server {
namespace {

// Longer lists and names of a hostile request are cut in messages.
constexpr size_t kShownNames = 32;
constexpr size_t kShownBytes = 128;

std::string Shown(const std::string& name) { return name.substr(0, kShownBytes); }

// "['a','b']".
std::string NameList(const std::vector<std::string>& names) {
  std::string text = "[";
  for (size_t i = 0; i < names.size(); ++i) {
    if (i == kShownNames) {
      text += ",...";
      break;
    }
    text += (i == 0 ? "'" : ",'") + Shown(names[i]) + "'";
  }
  return text + "]";
}

std::string ShapeText(const Dims& dims) {
  // A shape can be as long as a message; a few dims say what is wrong.
  const size_t shown = std::min<size_t>(dims.size(), kShownNames);
  return DimsToString(std::span(dims).first(shown)) + (shown < dims.size() ? "..." : "");
}

bool ShapeFits(const Dims& expected, const Dims& got) {
  return std::equal(expected.begin(), expected.end(), got.begin(), got.end(),
                    [](int64_t e, int64_t g) { return g >= 0 && (e == -1 || e == g); });
}

class Checker final {
 public:
  Checker(const Model& model, std::span<const InferInput> inputs,
          std::span<const std::string> outputs)
      : model_(model), inputs_(inputs), outputs_(outputs) {}

  absl::StatusOr<CheckedRequest> Check() {
    RETURN_IF_ERROR(MatchOutputs());
    RETURN_IF_ERROR(MatchInputs());
    RETURN_IF_ERROR(CheckAllGiven());
    RETURN_IF_ERROR(CheckTypes());
    RETURN_IF_ERROR(CheckShapes());
    RETURN_IF_ERROR(CheckBatch());
    RETURN_IF_ERROR(CheckSizes());
    RETURN_IF_ERROR(ResolveBuckets());
    return std::move(checked_);
  }

 private:
  absl::Status MatchOutputs() {
    if (outputs_.empty()) {
      for (size_t i = 0; i < model_.outputs.size(); ++i) {
        checked_.wanted.push_back(static_cast<int>(i));
      }
      return absl::OkStatus();
    }
    for (const std::string& name : outputs_) {
      const auto found =
          std::find_if(model_.outputs.begin(), model_.outputs.end(),
                       [&name](const TensorSpec& output) { return output.name == name; });
      if (found == model_.outputs.end()) {
        return InvalidArgument("unexpected inference output '{}' for model '{}'; it has {}",
                               Shown(name), model_.name, NamesOf(model_.outputs));
      }
      const int index = static_cast<int>(found - model_.outputs.begin());
      if (std::find(checked_.wanted.begin(), checked_.wanted.end(), index) !=
          checked_.wanted.end()) {
        return InvalidArgument("output '{}' is requested more than once for model '{}'",
                               Shown(name), model_.name);
      }
      checked_.wanted.push_back(index);
    }
    return absl::OkStatus();
  }

  absl::Status MatchInputs() {
    checked_.inputs.assign(model_.plan->inputs.size(), kLeftOut);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const std::string& name = inputs_[i].name;
      const auto found =
          std::find_if(model_.inputs.begin(), model_.inputs.end(),
                       [&name](const TensorSpec& input) { return input.name == name; });
      if (found == model_.inputs.end()) {
        return InvalidArgument("unexpected inference input '{}' for model '{}'; it has {}",
                               Shown(name), model_.name, NamesOf(model_.inputs));
      }
      size_t& given = checked_.inputs[static_cast<size_t>(found - model_.inputs.begin())];
      if (given != kLeftOut) {
        return InvalidArgument("input '{}' is given more than once for model '{}'", Shown(name),
                               model_.name);
      }
      given = i;
    }
    return absl::OkStatus();
  }

  absl::Status CheckAllGiven() const {
    std::vector<std::string> missing;
    size_t required = 0;
    for (size_t i = 0; i < model_.inputs.size(); ++i) {
      required += model_.IsOptional(i) ? 0 : 1;
      if (checked_.inputs[i] == kLeftOut && !model_.IsOptional(i)) {
        missing.push_back(model_.inputs[i].name);
      }
    }
    if (missing.empty()) {
      return absl::OkStatus();
    }
    std::vector<std::string> got;
    for (const InferInput& input : inputs_) {
      got.push_back(input.name);
    }
    const std::string expected = required == model_.inputs.size()
                                     ? fmt::format("expected {} inputs", required)
                                     : fmt::format("expected number of inputs between {} and {}",
                                                   required, model_.inputs.size());
    return InvalidArgument(
        "{} but got {} inputs for model '{}'. Got input(s) {}, but missing required input(s) {}. "
        "Please provide all required input(s).",
        expected, inputs_.size(), model_.name, NameList(got), NameList(missing));
  }

  absl::Status CheckTypes() const {
    for (size_t i = 0; i < model_.inputs.size(); ++i) {
      if (IsLeftOut(i)) {
        continue;
      }
      const TensorSpec& spec = model_.inputs[i];
      const std::string& datatype = Given(i).datatype;
      if (DataTypeFromName(datatype) != spec.type) {
        return InvalidArgument(
            "inference input '{}' data-type is '{}', but model '{}' expects '{}'", spec.name,
            Shown(datatype), model_.name, DataTypeName(spec.type));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckShapes() const {
    for (size_t i = 0; i < model_.inputs.size(); ++i) {
      const TensorSpec& spec = model_.inputs[i];
      if (IsLeftOut(i) || ShapeFits(spec.dims, Given(i).shape)) {
        continue;
      }
      const Dims& shape = Given(i).shape;
      std::string remedy;
      if (model_.plan->batched && ShapeFits(Dims(spec.dims.begin() + 1, spec.dims.end()), shape)) {
        Dims with_batch = shape;
        with_batch.insert(with_batch.begin(), 1);
        remedy = fmt::format("; the batch dimension comes first: {}", ShapeText(with_batch));
      }
      if (HasOneSize()) {
        remedy += "; it was compiled for these dims alone and has no other gears";
      }
      return InvalidArgument(
          "unexpected shape for input '{}' for model '{}'. Expected {}, got {}{}", spec.name,
          model_.name, DimsToString(spec.dims), ShapeText(shape), remedy);
    }
    return absl::OkStatus();
  }

  absl::Status CheckBatch() {
    if (!model_.plan->batched) {
      return absl::OkStatus();
    }
    int64_t rows = -1;
    size_t first = 0;  // That was given.
    for (size_t i = 0; i < model_.inputs.size(); ++i) {
      if (IsLeftOut(i)) {
        continue;
      }
      const int64_t given = Given(i).shape.front();
      if (given < 1) {
        return InvalidArgument("input '{}': inference request batch-size must be >= 1 for '{}'",
                               model_.inputs[i].name, model_.name);
      }
      if (given > model_.max_rows) {
        return InvalidArgument("inference request batch-size must be <= {} for '{}', got {}{}",
                               model_.max_rows, model_.name, given, CompiledSizes());
      }
      if (rows != -1 && given != rows) {
        return InvalidArgument(
            "input '{}' batch size does not match other inputs for '{}': got {}, '{}' has {}",
            model_.inputs[i].name, model_.name, given, model_.inputs[first].name, rows);
      }
      first = rows == -1 ? i : first;
      rows = given;
    }
    checked_.rows = static_cast<int>(std::max<int64_t>(1, rows));
    return absl::OkStatus();
  }

  absl::Status CheckSizes() const {
    for (size_t i = 0; i < model_.inputs.size(); ++i) {
      const TensorSpec& spec = model_.inputs[i];
      if (IsLeftOut(i) || spec.type == DataType::kBytes) {
        continue;  // The elements of BYTES say; they are walked once they stand in one piece.
      }
      const InferInput& given = Given(i);
      const std::optional<size_t> expected = TensorBytes(spec.type, given.shape);
      if (!expected.has_value()) {
        return InvalidArgument("input '{}' for model '{}': a tensor of shape {} is too large",
                               spec.name, model_.name, ShapeText(given.shape));
      }
      if (*expected != given.size_bytes()) {
        return InvalidArgument(
            "input byte size mismatch for input '{}' for model '{}'. Expected {} for {} {}, got {}",
            spec.name, model_.name, *expected, given.datatype, ShapeText(given.shape),
            given.size_bytes());
      }
    }
    return absl::OkStatus();
  }

  Dims RowDimsOf(size_t input) const {
    const Dims& shape = Given(input).shape;
    return {shape.begin() + (model_.plan->batched ? 1 : 0), shape.end()};
  }

  // The row dims of every input of the plan, also of those that are left out.
  std::vector<Dims> RowDims() const {
    std::vector<Dims> row_dims(checked_.inputs.size());
    if (std::find(checked_.inputs.begin(), checked_.inputs.end(), kLeftOut) ==
        checked_.inputs.end()) {  // Nearly always.
      for (size_t i = 0; i < row_dims.size(); ++i) {
        row_dims[i] = RowDimsOf(i);
      }
      return row_dims;
    }
    std::vector<std::optional<Dims>> filled(row_dims.size());
    for (size_t i = 0; i < filled.size(); ++i) {
      if (!IsLeftOut(i)) {
        filled[i] = RowDimsOf(i);
      }
    }
    FillLeftOutDims(*model_.plan, model_.lengths, filled);
    for (size_t i = 0; i < filled.size(); ++i) {
      row_dims[i] = *std::move(filled[i]);
    }
    return row_dims;
  }

  absl::Status MakeStandIns(std::span<const Dims> row_dims) {
    for (size_t i = 0; i < checked_.inputs.size(); ++i) {
      if (!IsLeftOut(i)) {
        continue;
      }
      const scheduler::PlanTensor& tensor =
          model_.plan->tensors[static_cast<size_t>(model_.plan->inputs[i])];
      InferInput zeros{.name = tensor.name,
                       .datatype = std::string(DataTypeName(tensor.spec.type)),
                       .shape = row_dims[i]};
      if (model_.plan->batched) {
        zeros.shape.insert(zeros.shape.begin(), checked_.rows);
      }
      const std::optional<size_t> size_bytes = LeftOutBytes(tensor.spec.type, zeros.shape);
      if (!size_bytes.has_value()) {
        return InvalidArgument("input '{}' for model '{}': a tensor of shape {} is too large",
                               zeros.name, model_.name, ShapeText(zeros.shape));
      }
      zeros.encoded_bytes = *size_bytes;
      zeros.encode = [](const InferInput& /*input*/, std::span<std::byte> out) {
        std::fill(out.begin(), out.end(), std::byte{0});
        return absl::OkStatus();
      };
      checked_.stand_ins.resize(checked_.inputs.size());
      checked_.stand_ins[i] = std::move(zeros);
    }
    return absl::OkStatus();
  }

  absl::Status ResolveBuckets() {
    std::vector<Dims> row_dims = RowDims();
    RETURN_IF_ERROR(MakeStandIns(row_dims));
    if (!model_.lengths.empty()) {
      absl::StatusOr<LengthFit> fit = FitLengths(*model_.plan, model_.lengths, std::move(row_dims));
      if (!fit.ok()) {
        return WithContext(fit.status(), fmt::format("model '{}'", model_.name));
      }
      checked_.buckets = fit->buckets;
      if (fit->given != fit->padded) {
        checked_.fit = *std::move(fit);
      }
      return absl::OkStatus();
    }
    absl::StatusOr<std::vector<int>> buckets = model_.plan->ResolveBuckets(row_dims);
    if (!buckets.ok()) {
      return WithContext(buckets.status(), fmt::format("model '{}'", model_.name));
    }
    checked_.buckets = *std::move(buckets);
    return absl::OkStatus();
  }

  // The gears of a subgraph; a pipeline has those of its steps, which ResolveBuckets names.
  std::string CompiledSizes() const {
    return model_.subgraph == nullptr
               ? std::string()
               : "; compiled are " + model_.subgraph->shape.BucketsToString();
  }

  bool HasOneSize() const {
    return model_.subgraph != nullptr && !model_.plan->batched &&
           model_.subgraph->shape.buckets.size() == 1;
  }

  bool IsLeftOut(size_t plan_input) const { return checked_.inputs[plan_input] == kLeftOut; }

  const InferInput& Given(size_t plan_input) const { return inputs_[checked_.inputs[plan_input]]; }

  static std::string NamesOf(const std::vector<TensorSpec>& specs) {
    std::vector<std::string> names;
    for (const TensorSpec& spec : specs) {
      names.push_back(spec.name);
    }
    return NameList(names);
  }

  const Model& model_;
  const std::span<const InferInput> inputs_;
  const std::span<const std::string> outputs_;
  CheckedRequest checked_;
};

}  // namespace

size_t InferInput::size_bytes() const {
  if (shared.has_value()) {
    return shared->size_bytes;
  }
  size_t size = encoded_bytes;
  for (const std::span<const std::byte>& piece : pieces) {
    size += piece.size();
  }
  return size;
}

absl::StatusOr<CheckedRequest> CheckRequest(const Model& model, std::span<const InferInput> inputs,
                                            std::span<const std::string> outputs) {
  return Checker(model, inputs, outputs).Check();
}

}  // namespace omserve::server
