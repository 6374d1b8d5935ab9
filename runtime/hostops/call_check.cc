// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/call_check.h"

#include <optional>
#include <string>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"

namespace omserve::hostops {
namespace {

absl::Status CheckInput(const TensorSpec& spec, int rows, const HostInput& input) {
  Dims expected = {rows};
  expected.insert(expected.end(), spec.dims.begin(), spec.dims.end());
  if (input.dims != expected) {
    return InvalidArgument("input '{}': shape {}, expected {}", spec.name, DimsToString(input.dims),
                           DimsToString(expected));
  }
  if (spec.type == DataType::kBytes) {
    const std::optional<int64_t> count = ElementCount(expected);
    return WithContext(CheckBytesTensor(input.bytes, count.value_or(-1)),
                       fmt::format("input '{}'", spec.name));
  }
  const std::optional<size_t> size_bytes = TensorBytes(spec.type, expected);
  if (!size_bytes.has_value() || input.bytes.size() != *size_bytes) {
    return InvalidArgument("input '{}': {} bytes, expected {} for {} {}", spec.name,
                           input.bytes.size(), size_bytes.value_or(0), DataTypeName(spec.type),
                           DimsToString(expected));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCall(const HostOp& op, int rows, std::span<const HostInput> inputs,
                       std::span<const HostOutput> outputs) {
  if (rows < 1 || inputs.size() != op.inputs().size() || outputs.size() != op.outputs().size()) {
    return Internal(
        "host op called with {} rows, {} inputs and {} outputs, expected at least 1, "
        "{} and {}",
        rows, inputs.size(), outputs.size(), op.inputs().size(), op.outputs().size());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const size_t needed = op.MaxOutputBytes(i, rows);
    if (outputs[i].buffer.size() < needed) {
      return Internal("output '{}': buffer of {} bytes, expected at least {} for {} rows",
                      op.outputs()[i].name, outputs[i].buffer.size(), needed, rows);
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    RETURN_IF_ERROR(CheckInput(op.inputs()[i], rows, inputs[i]));
  }
  return absl::OkStatus();
}

}  // namespace omserve::hostops
