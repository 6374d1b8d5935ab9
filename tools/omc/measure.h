// SPDX-License-Identifier: Apache-2.0
// `omc measure`: what one execution of a model takes at each gear, on the device that runs it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/om/model_description.h"

namespace omserve::omc {

struct MeasureOptions {
  std::string path;          // The .om file.
  int repeat = 20;           // Executions that count at each gear, 1..100000; one goes before.
  bool write = false;        // Record the medians in the file.
  bool as_json = false;      // JSON instead of a table.
  int intra_op_threads = 1;  // Of the CPU device.
  // libascendcl.so to run on; empty: the CPU device beside the program, else as omserved finds it.
  std::string acl_library;
  std::string ort_library;  // Of the CPU device; empty: as it finds it.
};

// Microseconds from the launch of an execution to its end, a stream alone on the device.
struct GearTime {
  double median_us = 0;
  double least_us = 0;
  double most_us = 0;
};

struct Measurement {
  om::ModelDescription description;  // With the medians as cost_us.
  std::vector<GearTime> times;       // By gear; one without gears.
  std::string device;                // The library's name.
};

// Loads the file on device 0 and runs it with inputs of zeros. Blocks. Tells the CPU device its
// settings through HOSTACL_CONFIG, so one thread at a time, before others start.
// Errors: kInvalidArgument for a file that the device does not run, naming it; those of
// acl::Runtime::Open; AscendCL's own.
absl::StatusOr<Measurement> Measure(const MeasureOptions& options);

// The bytes of a host file with these costs in place of its own. Errors: kInvalidArgument for a
// file of another chip or with contents that this program does not write.
absl::StatusOr<std::string> RecordCosts(std::span<const std::byte> file,
                                        const std::vector<int64_t>& cost_us);

// Measure, and the costs put into the file where that was asked for. Gives what to print, with a
// line feed at its end.
absl::StatusOr<std::string> MeasureFile(const MeasureOptions& options);

}  // namespace omserve::omc
