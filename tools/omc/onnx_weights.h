// SPDX-License-Identifier: Apache-2.0
// Takes an ONNX model apart into graph and weights, as a host `.om` holds them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::omc {

// Initialisers of fewer bytes stay in the graph: shapes and scales, which graph optimisers look at.
inline constexpr size_t kLeastMovedBytes = 1024;
// Where an initialiser begins in the weights: an aligned address once the partition is loaded.
inline constexpr size_t kWeightAlignment = 64;

struct SplitOnnx {
  std::string graph;    // Serialised ModelProto; moved initialisers are external.
  std::string weights;  // Location om::kWeightsLocation.
  // "node:index:name" of each output of the graph, as AscendCL shows them; ':' in a node's name
  // becomes '_', so that the parts can be told apart.
  std::vector<std::string> output_names;
};

// `folder` is where the model's own external data files are looked up.
// Errors: kInvalidArgument when the bytes are no ONNX model, when an initialiser's data do not fit
// its dims, or when its external data are outside the folder or not there. Reads files: blocks.
absl::StatusOr<SplitOnnx> SplitWeights(std::span<const std::byte> model, const std::string& folder);

}  // namespace omserve::omc
