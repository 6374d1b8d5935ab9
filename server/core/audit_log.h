// SPDX-License-Identifier: Apache-2.0
// Who has changed what the daemon serves: one JSON object a line for every control operation,
// whether it was done, refused or has failed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "runtime/base/descriptor.h"

namespace omserve::server {

struct ControlAction {
  std::string by;  // See Caller::Who: the client's name, and where it called from.
  std::string
      what;  // "load", "unload", "label", "traffic", "rollback", "epoch", "drain", "verify".
  std::string model;
  std::vector<std::pair<std::string, std::string>> arguments;
  absl::Status result;
  Clock::duration took{0};
};

// The line, without its end; `at_ms` since 1970.
std::string FormatAction(const ControlAction& action, int64_t at_ms);

// Thread-safe.
class AuditLog final {
 public:
  // `wall_time`: since 1970. An empty path: the lines go to the daemon's log, as "audit". Errors:
  // kInvalidArgument for a file that cannot be appended to.
  using WallTime = std::function<std::chrono::milliseconds()>;
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(const std::string& path,
                                                        WallTime wall_time);

  // A line is one write, so that lines of two threads are never mixed. That one cannot be written
  // is told in the daemon's log: the action has happened all the same. Blocks on the disk.
  void Note(const ControlAction& action) const;

 private:
  AuditLog(std::string path, Descriptor file, WallTime wall_time)
      : path_(std::move(path)), file_(std::move(file)), wall_time_(std::move(wall_time)) {}

  const std::string path_;
  const Descriptor file_;
  const WallTime wall_time_;
};

}  // namespace omserve::server
