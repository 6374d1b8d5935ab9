// SPDX-License-Identifier: Apache-2.0
// The models that front_bench asks for: small enough that the front end and the scheduler are what
// is measured.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace omserve::bench {

// Compiles into the folder `repository`, all FP32 and batched up to 32 rows:
//   identity16      x [16] -> y
//   identity150528  x [150528] -> y, one picture of 224x224; up to 8 rows
//   picture         the same, one row at a time
//   mlp             x [256] -> y [256] by way of 1024; dynamic_batching
//   tiny_diamond    x [16] -> left, right (a multiplication each) -> join (an addition) -> y
//   mlp_diamond     the same shape; each step an MLP 64-256-64
//   one_step        a pipeline of identity16 alone
// Blocks for seconds: each model is run at each gear.
absl::Status MakeFrontModels(const std::string& repository, const std::string& ort_library);

}  // namespace omserve::bench
