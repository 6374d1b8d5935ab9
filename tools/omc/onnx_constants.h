// SPDX-License-Identifier: Apache-2.0
// Inputs of an ONNX model that become part of it, such as a sample rate that never changes.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace omserve::omc {

// `model` with the inputs that `constants` names as initialisers: "NAME:NUMBER", separated by ';'.
// Each has one element of FP32, INT32 or INT64. What follows from them is folded when the graph is
// opened. Errors: kInvalidArgument naming --constant and what is wrong, or when the bytes are no
// ONNX model.
absl::StatusOr<std::string> FixInputs(std::span<const std::byte> model,
                                      const std::string& constants);

}  // namespace omserve::omc
