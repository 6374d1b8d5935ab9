// SPDX-License-Identifier: Apache-2.0
// Outputs of numbers as texts that name the largest of them. Pure.
//
// Source: Triton's classification extension.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "runtime/base/tensor.h"

namespace omserve::server {

struct InferResult;

// Of a row at most, so that a request cannot ask for work without end: a text is made for each.
inline constexpr uint64_t kMostClasses = uint64_t{1} << 20;

// Whether `spec`, an output of `model`, can be answered as its `count` first classes, which are cut
// to those it has. Errors: kInvalidArgument for types that are no numbers, and for more classes
// than kMostClasses that it has or may have.
absl::Status CheckClassification(const std::string& model, const TensorSpec& spec, bool batched,
                                 uint64_t count);

// A tensor to be named.
struct ClassScores {
  DataType type = DataType::kInvalid;  // A number's.
  Dims dims;                           // The batch first, when `batched`.
  std::span<const std::byte> bytes;    // As many as `dims` say; of any alignment.
  bool batched = false;
};

struct ClassTexts {
  Dims dims;          // [rows, classes], or [classes] where there is no batch.
  std::string bytes;  // A BYTES tensor.
};

// The `count` largest elements of each row, fewer where it has fewer, each as "VALUE:INDEX", and
// ":LABEL" after it where labels[index] is there and not empty. The largest comes first, and of
// equal ones the first; NaN is less than any number. A float is written with six decimals.
ClassTexts NameClasses(const ClassScores& scores, uint64_t count,
                       std::span<const std::string> labels);

// Puts texts in the place of the outputs of `result` that are wanted so, and lets go of what they
// had.
void ClassifyOutputs(InferResult& result);

}  // namespace omserve::server
