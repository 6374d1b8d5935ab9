// SPDX-License-Identifier: Apache-2.0
// Traces in a file, in the form that tritonserver's trace_mode "triton" gives them, so that scripts
// that read those read these: a JSON array with the request, its times in nanoseconds of the
// steady clock, and, for each step of a pipeline, the same with the request as parent.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

#include "server/core/tracing/trace_exporter.h"

namespace omserve::server {

// With a log_frequency the files are PATH.0, PATH.1, ..., of so many traces each; else all is in
// PATH. The array is whole after each Write. Thread-compatible.
class TraceFile final : public TraceSink {
 public:
  explicit TraceFile(std::string path) : path_(std::move(path)) {}

  // Errors: kInternal when the file cannot be written.
  absl::Status Write(std::span<const RequestTraceHandle> traces,
                     const std::stop_token& hurry) override;
  absl::Status Close() override;

 private:
  absl::Status WriteOne(const RequestTrace& trace);
  absl::Status Open(uint32_t log_frequency);
  absl::Status Written() const;

  const std::string path_;
  std::ofstream file_;
  std::string name_;         // Of the open one.
  uint64_t next_index_ = 0;  // Of files.
  uint64_t traces_in_file_ = 0;
  uint64_t last_id_ = 0;  // Of traces, in all files.
};

// The elements of one trace, without the array's brackets. `id` is the request's; its steps have
// those that follow. Gives the last of them through `last_id`.
std::string TritonTraceJson(const RequestTrace& trace, uint64_t id, uint64_t* last_id);

}  // namespace omserve::server
