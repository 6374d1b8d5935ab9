// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/call_check.h"

#include <array>
#include <catch2/catch.hpp>

#include "tests/runtime/hostops/host_op_test_util.h"

namespace omserve::hostops {
namespace {

using Catch::Matchers::Contains;

// One BYTES and one FP32 input, one INT64 output.
class TwoInputs final : public HostOp {
 public:
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  size_t MaxOutputBytes(size_t /*index*/, int rows) const override {
    return static_cast<size_t>(rows) * 8;
  }
  absl::Status Run(int rows, std::span<const HostInput> inputs,
                   std::span<HostOutput> outputs) const override {
    return CheckCall(*this, rows, inputs, outputs);
  }

 private:
  std::vector<TensorSpec> inputs_ = {{"text", DataType::kBytes, {1}},
                                     {"values", DataType::kFp32, {3}}};
  std::vector<TensorSpec> outputs_ = {{"id", DataType::kInt64, {1}}};
};

// A call of two rows that is right; each test spoils one thing.
struct RightCall {
  RightCall() {
    REQUIRE_OK(AppendBytesElement("a", &text));
    REQUIRE_OK(AppendBytesElement("b", &text));
    inputs = {{{2, 1}, std::as_bytes(std::span(text))}, {{2, 3}, std::as_bytes(std::span(values))}};
    outputs = {{{2, 1}, buffer}};
  }
  absl::Status Run(int rows = 2) { return TwoInputs().Run(rows, inputs, outputs); }

  std::string text;
  std::array<float, 6> values{};
  std::array<std::byte, 16> buffer{};
  std::vector<HostInput> inputs;
  std::vector<HostOutput> outputs;
};

void CheckInternal(const absl::Status& status, const std::string& part) {
  CHECK(status.code() == absl::StatusCode::kInternal);
  CHECK_THAT(std::string(MessageOf(status)), Contains(part));
}

// What fits the declaration passes.
TEST_CASE("A right call passes") { REQUIRE_OK(RightCall().Run()); }

// Shapes that differ from rows and declared dims are refused with both.
TEST_CASE("A wrong input shape is refused") {
  RightCall call;
  call.inputs[1].dims = {2, 4};
  CHECK_THAT(ErrorOf(call.Run()), Contains("input 'values': shape [2,4], expected [2,3]"));
  call.inputs[0].dims = {1, 1};
  CHECK_THAT(ErrorOf(call.Run()), Contains("input 'text': shape [1,1], expected [2,1]"));
}

// Bytes that do not fit the shape are refused with both numbers.
TEST_CASE("Wrong input bytes are refused") {
  RightCall call;
  call.inputs[1].bytes = call.inputs[1].bytes.first(23);
  CHECK_THAT(ErrorOf(call.Run()), Contains("input 'values': 23 bytes, expected 24 for FP32 [2,3]"));
  call.inputs[0].bytes = call.inputs[0].bytes.first(9);
  CHECK_THAT(ErrorOf(call.Run()), Contains("input 'text': BYTES element 1"));
}

// What the caller arranged wrongly is our fault and says so by its code.
TEST_CASE("A wrong arrangement is internal") {
  RightCall few_rows;
  CheckInternal(few_rows.Run(0), "called with 0 rows");
  RightCall no_inputs;
  no_inputs.inputs.clear();
  CheckInternal(no_inputs.Run(), "0 inputs and 1 outputs, expected at least 1, 2 and 1");
  RightCall no_outputs;
  no_outputs.outputs.clear();
  CheckInternal(no_outputs.Run(), "2 inputs and 0 outputs");
  RightCall small_buffer;
  small_buffer.outputs[0].buffer = std::span(small_buffer.buffer).first(15);
  CheckInternal(small_buffer.Run(), "output 'id': buffer of 15 bytes, expected at least 16");
}

}  // namespace
}  // namespace omserve::hostops
