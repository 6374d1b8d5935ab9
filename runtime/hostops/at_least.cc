// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/at_least.h"

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/status_macros.h"
#include "runtime/hostops/call_check.h"
#include "runtime/hostops/parameters.h"

namespace omserve::hostops {
namespace {

constexpr std::array<std::string_view, 3> kParameters = {"bound", "input", "output"};

class AtLeast final : public HostOp {
 public:
  AtLeast(float bound, std::string input, std::string output)
      : bound_(bound),
        inputs_{{std::move(input), DataType::kFp32, {1}}},
        outputs_{{std::move(output), DataType::kBool, {1}}} {}

  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  size_t MaxOutputBytes(size_t /*index*/, int rows) const override {
    return static_cast<size_t>(rows);
  }
  absl::Status Run(int rows, std::span<const HostInput> inputs,
                   std::span<HostOutput> outputs) const override {
    RETURN_IF_ERROR(CheckCall(*this, rows, inputs, outputs));
    const auto count = static_cast<size_t>(rows);
    for (size_t row = 0; row < count; ++row) {
      float value = 0;
      // Copied because the bytes need not be aligned for floats.
      std::memcpy(&value, inputs[0].bytes.data() + row * sizeof(value), sizeof(value));
      outputs[0].buffer[row] = std::byte{value >= bound_};
    }
    outputs[0].bytes_used = count;
    return absl::OkStatus();
  }

 private:
  const float bound_;
  const std::vector<TensorSpec> inputs_;
  const std::vector<TensorSpec> outputs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HostOp>> MakeAtLeast(const HostOpConfig& config) {
  ASSIGN_OR_RETURN(const Parameters parameters, Parameters::Make(config, kParameters));
  if (!parameters.Has("bound")) {
    return parameters.Wrong("bound", "a number");
  }
  ASSIGN_OR_RETURN(const std::vector<double> bound, parameters.Numbers("bound", 1, 0));
  ASSIGN_OR_RETURN(std::string input, parameters.Word("input", "score"));
  ASSIGN_OR_RETURN(std::string output, parameters.Word("output", "passes"));
  return std::make_unique<AtLeast>(static_cast<float>(bound.front()), std::move(input),
                                   std::move(output));
}

}  // namespace omserve::hostops
