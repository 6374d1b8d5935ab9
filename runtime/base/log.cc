// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/base/log_settings.h"
#include "runtime/base/mutex.h"

namespace omserve {
namespace {

spdlog::level::level_enum ToSpd(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

// Set by InitLog, once in a program; read by all. Never destroyed, so that a line
// written during exit still has somewhere to go.
std::atomic<spdlog::logger*> g_logger{nullptr};  // NOLINT
std::atomic<bool> g_json{false};                 // NOLINT

constexpr unsigned BitOf(LogLevel level) { return 1U << static_cast<unsigned>(level); }

// The kinds of lines that are written: BitOf each. Read on its own, so relaxed.
std::atomic<unsigned> g_enabled{BitOf(LogLevel::kInfo) | BitOf(LogLevel::kWarning) |  // NOLINT
                                BitOf(LogLevel::kError)};

// What g_enabled and the logger's pattern were made from. Never destroyed, as g_logger.
struct Settings {
  Mutex mu;
  LogSettings now ABSL_GUARDED_BY(mu);
};
Settings& TheSettings() {
  static auto* const settings = new Settings();  // NOLINT: never freed.
  return *settings;
}

// Another thread may still be writing through a logger that was replaced: all are kept, reachable.
void Keep(std::unique_ptr<spdlog::logger> logger) {
  static Mutex mu;
  static auto* kept = new std::vector<std::unique_ptr<spdlog::logger>>();  // NOLINT: never freed.
  const MutexLock lock(mu);
  kept->push_back(std::move(logger));
}

spdlog::logger* Logger() {
  spdlog::logger* logger = g_logger.load(std::memory_order_acquire);
  if (logger == nullptr) {
    static spdlog::logger* const fallback = [] {  // NOLINT: as g_logger.
      auto* made = new spdlog::logger("omserve", std::make_shared<spdlog::sinks::stderr_sink_mt>());
      made->set_level(spdlog::level::trace);
      made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %L %v");
      return made;
    }();
    return fallback;
  }
  return logger;
}

std::string JsonEscaped(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 8);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

const char* PatternOf(const LogSettings& settings) {
  if (settings.json) {
    return R"({"time":"%Y-%m-%dT%H:%M:%S.%f","level":"%l","thread":%t,%v})";
  }
  return settings.format == LogFormat::kIso8601 ? "%Y-%m-%dT%H:%M:%S.%e %L %v"
                                                : "%L%m%d %H:%M:%S.%f %t] %v";
}

unsigned EnabledBy(const LogSettings& settings) {
  return (settings.verbose_level > 0 ? BitOf(LogLevel::kDebug) : 0U) |
         (settings.info ? BitOf(LogLevel::kInfo) : 0U) |
         (settings.warning ? BitOf(LogLevel::kWarning) : 0U) |
         (settings.error ? BitOf(LogLevel::kError) : 0U);
}

// A level is itself and all above it.
LogSettings SettingsOf(const LogOptions& options) {
  return {.info = options.level <= LogLevel::kInfo,
          .warning = options.level <= LogLevel::kWarning,
          .error = options.level <= LogLevel::kError,
          .verbose_level = options.level <= LogLevel::kDebug ? 1U : 0U,
          .json = options.json,
          .file = options.file};
}

}  // namespace

void InitLog(const LogOptions& options) {
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (options.file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
  }
  auto logger = std::make_unique<spdlog::logger>("omserve", std::move(sink));
  logger->set_level(spdlog::level::trace);  // What is written is decided before.
  logger->flush_on(spdlog::level::info);
  Settings& settings = TheSettings();
  const MutexLock lock(settings.mu);
  LogSettings& now = settings.now;
  now = SettingsOf(options);
  logger->set_pattern(PatternOf(now));
  g_json.store(options.json, std::memory_order_relaxed);
  g_enabled.store(EnabledBy(now), std::memory_order_relaxed);
  g_logger.store(logger.get(), std::memory_order_release);
  Keep(std::move(logger));
}

LogSettings CurrentLogSettings() {
  Settings& settings = TheSettings();
  const MutexLock lock(settings.mu);
  return settings.now;
}

void ChangeLogSettings(const LogChange& change) {
  Settings& settings = TheSettings();
  const MutexLock lock(settings.mu);
  LogSettings& now = settings.now;
  now.info = change.info.value_or(now.info);
  now.warning = change.warning.value_or(now.warning);
  now.error = change.error.value_or(now.error);
  now.verbose_level = change.verbose_level.value_or(now.verbose_level);
  if (change.format.has_value() && *change.format != now.format) {
    now.format = *change.format;
    Logger()->set_pattern(PatternOf(now));  // Each of its sinks has a lock of its own.
  }
  g_enabled.store(EnabledBy(now), std::memory_order_relaxed);
}

bool LogEnabled(LogLevel level) {
  return (g_enabled.load(std::memory_order_relaxed) & BitOf(level)) != 0;
}

void WriteLog(LogLevel level, std::string_view component, std::string_view message) {
  // Not asked again whether it is enabled: some lines have to be written whatever is switched off.
  if (g_json.load(std::memory_order_relaxed)) {
    Logger()->log(ToSpd(level), R"("component":"{}","message":"{}")", component,
                  JsonEscaped(message));
  } else {
    Logger()->log(ToSpd(level), "{}: {}", component, message);
  }
}

bool ParseLogLevel(std::string_view text, LogLevel* level) {
  constexpr std::pair<std::string_view, LogLevel> kNames[] = {{"debug", LogLevel::kDebug},
                                                              {"info", LogLevel::kInfo},
                                                              {"warning", LogLevel::kWarning},
                                                              {"error", LogLevel::kError},
                                                              {"off", LogLevel::kOff}};
  for (const auto& [name, value] : kNames) {
    if (name == text) {
      *level = value;
      return true;
    }
  }
  return false;
}

}  // namespace omserve
