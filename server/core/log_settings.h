// SPDX-License-Identifier: Apache-2.0
// The settings of the log as clients see and change them, whatever the protocol.
//
// Source: Triton's logging extension.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/log_settings.h"

namespace omserve::server {

// std::monostate: a value of a kind that no setting has.
using LogValue = std::variant<std::monostate, bool, uint64_t, std::string>;
using LogValues = std::map<std::string, LogValue>;

// log_file, log_info, log_warning, log_error, log_verbose_level and log_format.
LogValues LogValuesOf(const LogSettings& settings);

// What `values` ask for; `now` is what they would change. Errors: kInvalidArgument for a name that
// is no setting, a value of another kind and one that the setting cannot have; kUnimplemented for
// log_file, which only whoever starts the daemon may choose.
absl::StatusOr<LogChange> ReadLogChange(const LogValues& values, const LogSettings& now);

// Changes the process's log: all of `values`, or nothing where one of them is refused. `who` asked
// stands in a line of the log that no setting switches off. Errors: ReadLogChange's.
absl::Status ChangeLog(const LogValues& values, std::string_view who);

}  // namespace omserve::server
