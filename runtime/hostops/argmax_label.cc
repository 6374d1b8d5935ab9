// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/argmax_label.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "runtime/hostops/call_check.h"
#include "runtime/hostops/json_words.h"
#include "runtime/hostops/parameters.h"

namespace omserve::hostops {
namespace {

constexpr std::array<std::string_view, 5> kParameters = {"classes", "input", "label", "labels",
                                                         "score"};
constexpr size_t kLabel = 0;  // Indices of the outputs.
constexpr size_t kScore = 1;

struct Best {
  size_t index = 0;
  float probability = 0;
};

absl::StatusOr<Best> FindBest(std::span<const float> logits) {
  Best best;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i])) {
      return InvalidArgument("class {} is NaN, expected numbers; look at the model's inputs", i);
    }
    if (logits[i] > logits[best.index]) {
      best.index = i;
    }
  }
  // Softmax with the largest logit taken off first, so that no power overflows. Equal logits are
  // compared rather than subtracted because the difference of two infinities is no number.
  const float largest = logits[best.index];
  double sum = 0;
  for (const float logit : logits) {
    sum += logit == largest ? 1 : std::exp(static_cast<double>(logit) - largest);
  }
  best.probability = static_cast<float>(1 / sum);
  return best;
}

class ArgmaxLabel final : public HostOp {
 public:
  ArgmaxLabel(std::vector<std::string> labels, TensorSpec input, std::vector<TensorSpec> outputs)
      : labels_(std::move(labels)),
        longest_(std::max_element(
                     labels_.begin(), labels_.end(),
                     [](const std::string& a, const std::string& b) { return a.size() < b.size(); })
                     ->size()),
        inputs_{std::move(input)},
        outputs_(std::move(outputs)) {}

  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  size_t MaxOutputBytes(size_t index, int rows) const override {
    const size_t row_bytes = index == kLabel ? kBytesLengthSize + longest_ : sizeof(float);
    return static_cast<size_t>(rows) * row_bytes;
  }
  absl::Status Run(int rows, std::span<const HostInput> inputs,
                   std::span<HostOutput> outputs) const override;

 private:
  const std::vector<std::string> labels_;  // [classes]; never empty.
  const size_t longest_;                   // Bytes of the longest label.
  const std::vector<TensorSpec> inputs_;
  const std::vector<TensorSpec> outputs_;
};

absl::Status ArgmaxLabel::Run(int rows, std::span<const HostInput> inputs,
                              std::span<HostOutput> outputs) const {
  RETURN_IF_ERROR(CheckCall(*this, rows, inputs, outputs));
  BytesTensorWriter label_writer(outputs[kLabel].buffer);
  std::vector<float> logits(labels_.size());
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
    // Copied because the bytes need not be aligned for floats.
    const size_t row_bytes = logits.size() * sizeof(float);
    std::memcpy(logits.data(), inputs[0].bytes.data() + row * row_bytes, row_bytes);
    const absl::StatusOr<Best> best = FindBest(logits);
    if (!best.ok()) {
      return WithContext(best.status(), fmt::format("input '{}' row {}", inputs_[0].name, row));
    }
    RETURN_IF_ERROR(label_writer.Append(labels_[best->index]));
    std::memcpy(outputs[kScore].buffer.data() + row * sizeof(float), &best->probability,
                sizeof(float));
  }
  outputs[kLabel].bytes_used = label_writer.bytes_used();
  outputs[kScore].bytes_used = MaxOutputBytes(kScore, rows);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<HostOp>> MakeArgmaxLabel(const HostOpConfig& config) {
  ASSIGN_OR_RETURN(const Parameters parameters, Parameters::Make(config, kParameters));
  ASSIGN_OR_RETURN(const std::string path, parameters.File("labels"));
  ASSIGN_OR_RETURN(std::vector<std::string> labels, ReadLabels(path));
  const auto count = static_cast<int64_t>(labels.size());
  ASSIGN_OR_RETURN(const int64_t classes,
                   parameters.Integer("classes", 1, std::numeric_limits<int64_t>::max(), count));
  if (classes != count) {
    return parameters.Wrong("classes",
                            fmt::format("{}, the number of labels in '{}'", count, path));
  }
  ASSIGN_OR_RETURN(std::string input, parameters.Word("input", "logits"));
  ASSIGN_OR_RETURN(std::string label, parameters.Word("label", "label"));
  ASSIGN_OR_RETURN(std::string score, parameters.Word("score", "score"));
  if (label == score) {
    return parameters.Wrong("score", "another name than that of 'label'");
  }
  std::vector<TensorSpec> outputs = {{std::move(label), DataType::kBytes, {1}},
                                     {std::move(score), DataType::kFp32, {1}}};
  return std::make_unique<ArgmaxLabel>(std::move(labels),
                                       TensorSpec{std::move(input), DataType::kFp32, {count}},
                                       std::move(outputs));
}

}  // namespace omserve::hostops
