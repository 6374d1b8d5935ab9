// SPDX-License-Identifier: Apache-2.0
// A step of a pipeline that runs on the host: bytes to tensors and back, on a worker thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/tensor.h"

namespace omserve::hostops {

// One input of one request: `rows` rows, each of the op's declared dims.
struct HostInput {
  Dims dims;                         // [rows, ...].
  std::span<const std::byte> bytes;  // kBytes: u32 length + bytes per element.
};

// Where one output goes: a buffer of at least MaxOutputBytes. Run sets `bytes_used` and, where the
// declared dims hold -1, `dims`.
struct HostOutput {
  Dims dims;  // [rows, ...]; preset to the declared dims.
  std::span<std::byte> buffer;
  size_t bytes_used = 0;
};

// Thread-safe: Run is called from many threads at once and keeps nothing between calls.
class HostOp {
 public:
  virtual ~HostOp() = default;

  // Dims here are of one row, without the batch dimension; inputs of the kBytes type have dims [1].
  virtual const std::vector<TensorSpec>& inputs() const = 0;
  virtual const std::vector<TensorSpec>& outputs() const = 0;
  // Upper bound of output `index` for `rows` rows.
  virtual size_t MaxOutputBytes(size_t index, int rows) const = 0;
  // `inputs` and `outputs` in the declared order. Errors: kInvalidArgument for data that can never
  // be right (a corrupt picture), naming the row and what is wrong.
  virtual absl::Status Run(int rows, std::span<const HostInput> inputs,
                           std::span<HostOutput> outputs) const = 0;
};

// What a pipeline's host step says: the op's name and its parameters, all text. File names are
// relative to `folder`, must stay inside it, and are read here, once.
struct HostOpConfig {
  std::string op;  // "image_decode", "tokenize", "argmax_label", "at_least".
  std::map<std::string, std::string> parameters;
  std::string folder;
};

// Errors: kInvalidArgument naming the parameter, its value, what was expected, and the known ones;
// kNotFound for a missing file.
absl::StatusOr<std::unique_ptr<HostOp>> MakeHostOp(const HostOpConfig& config);

// The ops that exist, in alphabetical order.
std::vector<std::string> HostOpNames();

}  // namespace omserve::hostops
