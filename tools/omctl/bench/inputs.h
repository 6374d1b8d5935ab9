// SPDX-License-Identifier: Apache-2.0
// What a benchmark's requests carry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/tensor.h"
#include "tools/client/grpc_client.h"

namespace omserve::bench {

struct InputOptions {
  std::string data = "random";      // "random", "zero", or a JSON file.
  std::vector<std::string> values;  // NAME=VALUE as `omctl infer --input` takes it; comes first.
  std::vector<std::string> shapes;  // NAME:3,224,224 for open sizes, without the batch.
  int64_t batch = 1;                // Rows of a request, where the model's inputs begin with -1.
  uint64_t seed = 1;
};

// The tensors of each request that is sent in turn, for inputs `specs` (full dims, -1 open).
//
// Random integers are 0 or 1, which fit every vocabulary; floats lie in [0, 1); texts have 16
// letters. The JSON file is perf_analyzer's: {"data": [{NAME: [elements], ...}, ...]}, where an
// input may also be {"content": [...], "shape": [...]} or {"b64": "raw bytes"}; every element of
// `data` makes one request. Errors: kInvalidArgument naming the input and what is missing or does
// not fit; the file's.
absl::StatusOr<std::vector<std::vector<client::Tensor>>> MakePayloads(
    const std::vector<TensorSpec>& specs, const InputOptions& options);

}  // namespace omserve::bench
