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

// Set once by InitLog before other threads start; read by all. Never destroyed, so that a line
// written during exit still has somewhere to go.
std::atomic<spdlog::logger*> g_logger{nullptr};               // NOLINT
std::atomic<bool> g_json{false};                              // NOLINT
std::atomic<int> g_level{static_cast<int>(LogLevel::kInfo)};  // NOLINT

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

}  // namespace

void InitLog(const LogOptions& options) {
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (options.file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
  }
  auto logger = std::make_unique<spdlog::logger>("omserve", std::move(sink));
  logger->set_level(ToSpd(options.level));
  logger->flush_on(spdlog::level::info);
  logger->set_pattern(options.json
                          ? R"({"time":"%Y-%m-%dT%H:%M:%S.%f","level":"%l","thread":%t,%v})"
                          : "%Y-%m-%dT%H:%M:%S.%e %L %v");
  g_json.store(options.json, std::memory_order_relaxed);
  g_level.store(static_cast<int>(options.level), std::memory_order_relaxed);
  g_logger.store(logger.get(), std::memory_order_release);
  Keep(std::move(logger));
}

bool LogEnabled(LogLevel level) {
  return static_cast<int>(level) >= g_level.load(std::memory_order_relaxed);
}

void WriteLog(LogLevel level, std::string_view component, std::string_view message) {
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
