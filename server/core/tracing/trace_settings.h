// SPDX-License-Identifier: Apache-2.0
// The settings of tracing as clients see and change them, whatever the protocol: texts in both
// directions. The server has all of them; a model has those that were set for it, and follows the
// server in the others.
//
// Source: Triton's trace extension.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::server {

struct TraceLevel {
  bool timestamps = false;
  bool tensors = false;  // Names, types and shapes of tensors too; never what they hold.

  bool is_on() const { return timestamps || tensors; }
  bool operator==(const TraceLevel&) const = default;
};

struct TraceSettings {
  TraceLevel level;
  uint32_t rate = 1000;        // One request of so many is traced. 0: none, but who asks for it.
  int32_t count = -1;          // Traces that are still to be made; -1: without end.
  uint32_t log_frequency = 0;  // Traces in one file; 0: all in one.
};

// Names and values. No value: back to the default.
using TraceValues = std::map<std::string, std::vector<std::string>>;

// One setting of a change: not named, back to the default, or a value.
template <typename Value>
using TraceChangeOf = std::optional<std::optional<Value>>;

struct TraceChange {
  TraceChangeOf<TraceLevel> level;
  TraceChangeOf<uint32_t> rate;
  TraceChangeOf<int32_t> count;
  TraceChangeOf<uint32_t> log_frequency;
};

// {"OFF"}, {"TIMESTAMPS"}, ... kInvalidArgument for others, and for OFF beside others.
absl::StatusOr<TraceLevel> ReadTraceLevel(const std::vector<std::string>& names);
std::vector<std::string> TraceLevelNames(const TraceLevel& level);

// Errors: kInvalidArgument for a name that is no setting and for values that it cannot have;
// kUnimplemented for trace_file, which only whoever starts the daemon may choose.
absl::StatusOr<TraceChange> ReadTraceChange(const TraceValues& values);

}  // namespace omserve::server
