// SPDX-License-Identifier: Apache-2.0
// `omc compile`: an ONNX model into an `.om` file for the CPU device.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/om/model_description.h"
#include "tools/omc/gear_plan.h"

namespace omserve::omc {

struct CompileOptions {
  std::string model_path;   // The ONNX file.
  std::string output_path;  // The file to write; only CompileToFile uses it.
  std::string name;         // At most 31 bytes; empty: the ONNX file's name without its suffix.
  GearFlags gears;
  // Inputs that become part of the model, as FixInputs reads them; empty: none.
  std::string constants;
  std::string cost_us;  // What an execution takes, as om::ParseCosts reads it; empty: not recorded.
  std::string soc_version = om::kHostSocVersion;  // No other chip is possible.
  std::string ort_library;                        // See OnnxCheckerOptions.
};

struct CompiledModel {
  om::ModelDescription description;
  std::string file;  // The `.om` file's bytes.
};

// Splits off the weights, opens the graph in ONNX Runtime and runs it once at every gear, so that a
// file which comes out is known to run. With one release of ONNX Runtime, equal models and options
// give equal bytes. Blocks.
// Errors: kNotFound, kInvalidArgument naming what to change; kUnavailable without ONNX Runtime.
absl::StatusOr<CompiledModel> Compile(const CompileOptions& options);

// Compile, and the file put in place as a whole. Gives a one-line summary for people.
absl::StatusOr<std::string> CompileToFile(const CompileOptions& options);

}  // namespace omserve::omc
