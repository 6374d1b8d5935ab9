// SPDX-License-Identifier: Apache-2.0
// An ONNX graph opened in ONNX Runtime: which tensors it has, and does it run at given dims.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/tensor.h"

namespace omserve::omc {

// An input or output of the graph.
struct OnnxTensor {
  std::string name;
  DataType type = DataType::kInvalid;  // Never kInvalid or kBytes in an opened graph.
  Dims dims;                           // -1 where the graph leaves the size open.
  std::vector<std::string> dim_names;  // One per dim; empty where the graph gives no name.
};

// What fills the inputs of a trial run.
enum class Fill { kZeros, kOnes };

// Thread-compatible.
class OnnxChecker {
 public:
  virtual ~OnnxChecker() = default;

  virtual const std::vector<OnnxTensor>& inputs() const = 0;
  virtual const std::vector<OnnxTensor>& outputs() const = 0;

  // Runs once on one thread and gives the dims of every output. Blocks while it runs.
  // Errors: kInvalidArgument with ONNX Runtime's words, or when the inputs would take over 8 GiB.
  virtual absl::StatusOr<std::vector<Dims>> Run(std::span<const Dims> input_dims, Fill fill) = 0;

  // The most bytes that the runs so far held at once beside the weights; 0 when the library is too
  // old to tell (before 1.23).
  virtual uint64_t PeakBytes() const = 0;
};

struct OnnxCheckerOptions {
  // Serialised ModelProto; external initialisers at location om::kWeightsLocation are in `weights`.
  std::span<const std::byte> graph;
  std::span<const std::byte> weights;  // Both must outlive the checker.
  // File of ONNX Runtime to open; empty: beside the program (../lib, .), then the loader's path.
  std::string ort_library;
};

// Errors: kUnavailable when ONNX Runtime cannot be opened, naming the places; kInvalidArgument when
// it refuses the graph or a tensor has a type that is not served, naming both.
absl::StatusOr<std::unique_ptr<OnnxChecker>> OpenOnnx(const OnnxCheckerOptions& options);

}  // namespace omserve::omc
