// SPDX-License-Identifier: Apache-2.0
// Structured log lines through spdlog: level, component, message, `key=value`.
//
//   OMSERVE_LOG(kInfo, "registry", "model loaded name={} version={} ms={}", name, version, ms);
//
// The level is tested before anything is formatted. Nothing per request at kInfo; never payloads.
// Thread-safe. Before InitLog lines go to standard error at kInfo.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace omserve {

enum class LogLevel { kDebug = 0, kInfo = 1, kWarning = 2, kError = 3, kOff = 4 };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  bool json = false;  // One JSON object per line instead of text.
  std::string file;   // Empty: standard error.
};

void InitLog(const LogOptions& options);
bool LogEnabled(LogLevel level);
void WriteLog(LogLevel level, std::string_view component, std::string_view message);
// "debug", "info", "warning", "error", "off"; false when `text` is none of them.
bool ParseLogLevel(std::string_view text, LogLevel* level);

}  // namespace omserve

#define OMSERVE_LOG(level, component, ...)                                                    \
  do {                                                                                        \
    if (::omserve::LogEnabled(::omserve::LogLevel::level)) {                                  \
      ::omserve::WriteLog(::omserve::LogLevel::level, component, ::fmt::format(__VA_ARGS__)); \
    }                                                                                         \
  } while (false)
