// SPDX-License-Identifier: Apache-2.0
// What of the log may be changed while it is written. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace omserve {

// How a line of text begins.
enum class LogFormat {
  kDefault,  // "I1126 05:41:07.250123 1234] ", as Google's and Triton's lines do.
  kIso8601,  // "2026-11-26T05:41:07.250 I "
};

// Each kind of lines has a switch of its own.
struct LogSettings {
  bool info = true;
  bool warning = true;
  bool error = true;
  uint32_t verbose_level = 0;  // Above 0: kDebug lines.
  LogFormat format = LogFormat::kIso8601;
  // As InitLog was told; they stay.
  bool json = false;
  std::string file;
};

LogSettings CurrentLogSettings();

struct LogChange {
  std::optional<bool> info;
  std::optional<bool> warning;
  std::optional<bool> error;
  std::optional<uint32_t> verbose_level;
  std::optional<LogFormat> format;  // Of lines of text; JSON lines are as they are.
};

// Changes what is given and nothing else, at once for whoever asks for the settings. Lines that
// other threads write meanwhile may still be as before.
void ChangeLogSettings(const LogChange& change);

}  // namespace omserve
