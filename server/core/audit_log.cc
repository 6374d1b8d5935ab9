// SPDX-License-Identifier: Apache-2.0
#include "server/core/audit_log.h"

#include <fcntl.h>

#include <boost/json.hpp>
#include <cerrno>
#include <chrono>

#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

std::string UtcTime(int64_t at_ms) {
  const std::time_t seconds = at_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     at_ms % 1000);
}

}  // namespace

std::string FormatAction(const ControlAction& action, int64_t at_ms) {
  json::object arguments;
  for (const auto& [name, value] : action.arguments) {
    arguments[name] = value;
  }
  json::object line{
      {"time", UtcTime(at_ms)}, {"by", action.by}, {"what", action.what}, {"model", action.model}};
  if (!arguments.empty()) {
    line["arguments"] = std::move(arguments);
  }
  line["result"] = absl::StatusCodeToString(action.result.code());
  if (!action.result.ok()) {
    line["error"] = std::string(MessageOf(action.result));
  }
  line["ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(action.took).count();
  return json::serialize(line);
}

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(const std::string& path,
                                                         WallTime wall_time) {
  Descriptor file;
  if (!path.empty()) {
    file = Descriptor(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    if (file.get() < 0) {
      return InvalidArgument("log.audit_file '{}': cannot be appended to: {}", path, ErrnoText());
    }
  }
  // The constructor is private, which std::make_unique cannot reach.
  return std::unique_ptr<AuditLog>(new AuditLog(path, std::move(file), std::move(wall_time)));
}

void AuditLog::Note(const ControlAction& action) const {
  std::string line = FormatAction(action, wall_time_().count());
  if (file_.get() < 0) {
    OMSERVE_LOG(kInfo, "audit", "{}", line);
    return;
  }
  line += '\n';
  const ssize_t put = write(file_.get(), line.data(), line.size());
  if (put != static_cast<ssize_t>(line.size())) {
    OMSERVE_LOG(kError, "audit", "line not written to \"{}\" error=\"{}\" line={}", path_,
                put < 0 ? ErrnoText() : "the disk is full", line);
  }
}

}  // namespace omserve::server
