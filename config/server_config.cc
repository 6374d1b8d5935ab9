// SPDX-License-Identifier: Apache-2.0
#include "config/server_config.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "config/access_check.h"
#include "config/header_pattern.h"
#include "config/metrics_check.h"
#include "config/text_binding.h"
#include "config/trace_check.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"

namespace omserve::config {
namespace {

constexpr int64_t kMaxMessageBytes = (int64_t{1} << 31) - 1;  // gRPC counts in int32.
constexpr int64_t kMostHangMs = 3'600'000;
constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
// Faster, reading would be a load; slower, a counter of energy could go round unseen.
constexpr int64_t kMinHealthIntervalMs = 100;
constexpr int64_t kMaxHealthIntervalMs = 60'000;
constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();

constexpr size_t kMostUnixPathBytes = 108;  // Of sockaddr_un.
constexpr int64_t kMostPollSeconds = 86'400;
constexpr int64_t kMostIdleSeconds = 30 * 86'400;
constexpr int64_t kMostReturnWaitMs = 600'000;
// Slower, a piece of what a line brings would take longer than a stalled one is waited for.
constexpr int64_t kLeastBytesPerSecond = 4096;
constexpr int64_t kMostConnections = 1'000'000;
constexpr int64_t kMostBytesPerSecond = 1'000'000'000;

class ServerChecker final {
 public:
  ServerChecker(const ServerConfig& config, const SourceMap& source)
      : config_(config), findings_(source) {}

  absl::Status Check() {
    CheckRepositories();
    NotEmpty("server_id", config_.server_id());
    CheckListeners();
    CheckDevice();
    CheckRateLimit();
    CheckRepository();
    CheckSources();
    Range("cache.response_bytes", config_.cache().response_bytes(), 0, kMaxInt64);
    Range("scheduler.max_queue_rows", config_.scheduler().max_queue_rows(), 1, kMaxInt32);
    Range("scheduler.host_workers", config_.scheduler().host_workers(), 0, 4096);
    Range("scheduler.in_flight_per_instance", config_.scheduler().in_flight_per_instance(), 1, 64);
    Range("scheduler.hang_timeout_ms", config_.scheduler().hang_timeout_ms(), 0, kMostHangMs);
    Range("scheduler.max_queue_bytes", config_.scheduler().max_queue_bytes(), 0, kMaxInt64);
    Range("scheduler.max_queue_time_ms", config_.scheduler().max_queue_time_ms(), 0, kMaxInt32);
    Range("scheduler.warm_up_runs", config_.scheduler().warm_up_runs(), 0, 1000);
    Range("scheduler.hang_floor_ms", config_.scheduler().hang_floor_ms(), 1, kMostHangMs);
    LogLevel level = LogLevel::kInfo;
    if (!ParseLogLevel(config_.log().level(), &level)) {
      findings_.Error("log.level",
                      fmt::format("expected debug, info, warning, error or off, got {}",
                                  Quoted(config_.log().level())));
    }
    if (config_.log().format() != "ISO8601" && config_.log().format() != "default") {
      findings_.Error("log.format", fmt::format("expected ISO8601 or default, got {}",
                                                Quoted(config_.log().format())));
    }
    CheckTrace(config_.trace(), findings_);
    Range("health.loop_timeout_ms", config_.health().loop_timeout_ms(), 0, kMaxInt32);
    Range("shutdown.drain_timeout_ms", config_.shutdown().drain_timeout_ms(), 0, kMaxInt32);
    Range("shutdown.drain_delay_ms", config_.shutdown().drain_delay_ms(), 0, kMaxInt32);
    return findings_.ToStatus();
  }

 private:
  void Range(const std::string& path, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high) {
      const std::string expected = high == kMaxInt64
                                       ? fmt::format("{} or more", low)
                                       : fmt::format("a number from {} to {}", low, high);
      findings_.Error(path, fmt::format("expected {}, got {}", expected, value));
    }
  }

  void CheckRepository() {
    const RepositoryConfig& repository = config_.repository();
    const std::string& mode = repository.control_mode();
    if (mode != "none" && mode != "poll" && mode != "explicit") {
      findings_.Error("repository.control_mode",
                      fmt::format("expected none, poll or explicit, got {}", Quoted(mode)));
    }
    Range("repository.poll_seconds", repository.poll_seconds(), 1, kMostPollSeconds);
    Range("repository.load_bytes_per_second", repository.load_bytes_per_second(), 0, kMaxInt64);
    Range("repository.load_niceness", repository.load_niceness(), 0, kOnlyWhenIdle);
    Range("repository.evict_idle_seconds", repository.evict_idle_seconds(), 0, kMostIdleSeconds);
    Range("repository.return_wait_ms", repository.return_wait_ms(), 0, kMostReturnWaitMs);
    if (repository.load_models_size() > 0 && mode != "explicit") {
      findings_.Error("repository.load_models",
                      fmt::format("expected control_mode explicit beside it, got {}; the other "
                                  "modes load every model",
                                  Quoted(mode)));
    }
    const auto& names = repository.load_models();
    if (repository.load_models_size() > 1 &&
        std::find(names.begin(), names.end(), "*") != names.end()) {
      findings_.Error("repository.load_models", "expected \"*\" alone, got other names beside it");
    }
  }

  void CheckSources() {
    const RepositoryConfig& repository = config_.repository();
    Range("repository.start_wait_seconds", repository.start_wait_seconds(), 0, kMostPollSeconds);
    std::set<std::pair<std::string, std::string>> seen;
    for (int i = 0; i < repository.sources_size(); ++i) {
      const SourceConfig& source = repository.sources(i);
      const std::string path = IndexedPath("repository.sources", static_cast<size_t>(i));
      const bool is_https = source.url().starts_with("https://");
      // Not shown: somebody may have put a password into it. The rest is checked where it is used.
      if (!is_https && !source.url().starts_with("http://") &&
          !source.url().starts_with("file:///") && !source.url().starts_with("oci:/")) {
        findings_.Error(FieldPath(path, "url"),
                        "expected https://HOST/PATH, http://HOST/PATH, file:///FOLDER or "
                        "oci:/FOLDER");
      }
      const auto& folders = config_.model_repository();
      if (source.folder().empty()
              ? folders.size() != 1
              : std::find(folders.begin(), folders.end(), source.folder()) == folders.end()) {
        findings_.Error(FieldPath(path, "folder"),
                        fmt::format("expected one of model_repository, written as there, got {}",
                                    Quoted(source.folder())));
      }
      const std::string& folder =
          source.folder().empty() && folders.size() == 1 ? folders[0] : source.folder();
      if (!seen.emplace(source.url(), folder).second) {
        findings_.Error(path, "the same url and folder are listed twice");
      }
      if (source.has_every_seconds()) {
        Range(FieldPath(path, "every_seconds"), source.every_seconds(), 1, kMostPollSeconds);
      }
      if (source.max_bytes_per_second() != 0) {
        Range(FieldPath(path, "max_bytes_per_second"), source.max_bytes_per_second(),
              kLeastBytesPerSecond, kMostBytesPerSecond);
      }
      if (!is_https && !source.ca_file().empty()) {
        findings_.Error(FieldPath(path, "ca_file"), "expected an url that begins with https://");
      }
      if (!is_https && !source.token_file().empty()) {
        findings_.Error(FieldPath(path, "token_file"),
                        "expected an url that begins with https://: a token is not sent in plain "
                        "text");
      }
    }
  }

  void NotEmpty(const std::string& path, const std::string& value) {
    if (value.empty()) {
      findings_.Error(path, "expected text, got nothing; leave the key out for the default");
    }
  }

  void CheckRepositories() {
    if (config_.model_repository().empty()) {
      findings_.Error("model_repository",
                      "expected at least one folder of models, got none; add one here or on the "
                      "command line");
    }
    std::set<std::string> seen;
    for (int i = 0; i < config_.model_repository_size(); ++i) {
      const std::string& folder = config_.model_repository(i);
      const std::string path = IndexedPath("model_repository", static_cast<size_t>(i));
      if (folder.empty()) {
        findings_.Error(path, "expected a folder of models, got nothing");
      } else if (!seen.insert(folder).second) {
        findings_.Error(path, fmt::format("{} is listed twice", Quoted(folder)));
      }
    }
  }

  void CheckListeners() {
    NotEmpty("grpc.address", config_.grpc().address());
    NotEmpty("http.address", config_.http().address());
    Range("grpc.port", config_.grpc().port(), 0, 65535);
    Range("http.port", config_.http().port(), 0, 65535);
    if (config_.grpc().port() != 0 && config_.grpc().port() == config_.http().port()) {
      findings_.Error("http.port", fmt::format("{} is grpc.port as well; choose another",
                                               config_.http().port()));
    }
    Range("metrics.port", config_.metrics().port(), 0, 65535);
    if (config_.grpc().port() != 0 && config_.metrics().allow() &&
        config_.grpc().port() == config_.metrics().port()) {
      findings_.Error("metrics.port", fmt::format("{} is grpc.port as well; choose another",
                                                  config_.metrics().port()));
    }
    CheckTls("grpc.tls", config_.grpc().tls());
    CheckTls("http.tls", config_.http().tls());
    CheckTls("admin.tls", config_.admin().tls());
    CheckAccess(config_, findings_);
    CheckGrpcConnections();
    const absl::Status quantiles = ReadQuantiles(config_.metrics().summary_quantiles()).status();
    if (!quantiles.ok()) {
      findings_.Error("metrics.summary_quantiles", std::string(MessageOf(quantiles)));
    }
    CheckPattern("grpc.header_forward_pattern", config_.grpc().header_forward_pattern());
    CheckPattern("http.header_forward_pattern", config_.http().header_forward_pattern());
    Range("grpc.max_receive_message_bytes", config_.grpc().max_receive_message_bytes(), 1,
          kMaxMessageBytes);
    CheckHttpLimits();
  }

  void CheckPattern(const char* key, const std::string& pattern) {
    const absl::Status made = HeaderPattern::Make(pattern).status();
    if (!made.ok()) {
      findings_.Error(key, std::string(MessageOf(made)));
    }
  }

  void CheckGrpcConnections() {
    const GrpcConfig& grpc = config_.grpc();
    const std::set<std::string> levels = {"none", "low", "medium", "high"};
    if (!levels.contains(grpc.compress_answers())) {
      findings_.Error("grpc.compress_answers",
                      fmt::format("expected none, low, medium or high, got {}",
                                  Quoted(grpc.compress_answers())));
    }
    Range("grpc.keepalive_time_ms", grpc.keepalive_time_ms(), 1000, kMaxInt32);
    Range("grpc.keepalive_timeout_ms", grpc.keepalive_timeout_ms(), 1, kMaxInt32);
    Range("grpc.max_connection_age_ms", grpc.max_connection_age_ms(), 0, kMaxInt32);
    Range("grpc.max_connection_age_grace_ms", grpc.max_connection_age_grace_ms(), 0, kMaxInt32);
  }

  void CheckHttpLimits() {
    const HttpConfig& http = config_.http();
    Range("http.max_body_bytes", http.max_body_bytes(), 1, kMaxMessageBytes);
    Range("http.max_connections", http.max_connections(), 1, kMostConnections);
    Range("http.threads", http.threads(), 0, 256);
    Range("http.max_handshakes", http.max_handshakes(), 1, kMostConnections);
    Range("http.idle_timeout_ms", http.idle_timeout_ms(), 1, kMaxInt32);
    Range("http.header_timeout_ms", http.header_timeout_ms(), 1, kMaxInt32);
    Range("http.least_bytes_per_second", http.least_bytes_per_second(), 0, kMostBytesPerSecond);
    Range("http.slow_after_ms", http.slow_after_ms(), 1, kMaxInt32);
    if (http.unix_socket().size() >= kMostUnixPathBytes) {
      findings_.Error("http.unix_socket",
                      fmt::format("expected a path of less than {} bytes, got {}",
                                  kMostUnixPathBytes, http.unix_socket().size()));
    }
  }

  void CheckTls(const std::string& path, const TlsConfig& tls) {
    if (tls.certificate_file().empty() != tls.key_file().empty()) {
      findings_.Error(FieldPath(path, tls.key_file().empty() ? "key_file" : "certificate_file"),
                      "expected a file: a certificate and its key come together");
    }
    if (tls.certificate_file().empty() && !tls.client_ca_file().empty()) {
      findings_.Error(FieldPath(path, "client_ca_file"),
                      "clients show certificates where the server has one; set certificate_file "
                      "and key_file");
    }
    if (tls.has_reload_seconds()) {
      Range(FieldPath(path, "reload_seconds"), tls.reload_seconds(), 1, 86400);
    }
  }

  void CheckDevice() {
    const DeviceConfig& device = config_.device();
    std::set<int> seen;
    for (int i = 0; i < device.ids_size(); ++i) {
      const std::string path = IndexedPath("device.ids", static_cast<size_t>(i));
      Range(path, device.ids(i), 0, kMaxInt32);
      if (!seen.insert(device.ids(i)).second) {
        findings_.Error(path, fmt::format("device {} is listed twice", device.ids(i)));
      }
    }
    Range("device.memory_pool_bytes", device.memory_pool_bytes(), 1, kMaxInt64);
    Range("device.pinned_pool_bytes", device.pinned_pool_bytes(), 1, kMaxInt64);
    const int64_t health_interval_ms = device.health_interval_ms();
    if (health_interval_ms != 0 &&
        (health_interval_ms < kMinHealthIntervalMs || health_interval_ms > kMaxHealthIntervalMs)) {
      findings_.Error("device.health_interval_ms",
                      fmt::format("expected 0 or a number from {} to {}, got {}",
                                  kMinHealthIntervalMs, kMaxHealthIntervalMs, health_interval_ms));
    }
    Range("device.recovery_attempts", device.recovery_attempts(), 0, kMaxInt32);
    if (device.exit_on_lost() && device.recovery_attempts() == 0) {
      findings_.Error("device.exit_on_lost",
                      "needs device.recovery_attempts of 1 or more: without, the device is never "
                      "given up");
    }
    const HostDeviceConfig& host = device.host();
    if (host.has_device_count()) {
      Range("device.host.device_count", host.device_count(), 1, 1024);
    }
    if (host.has_cores()) {
      Range("device.host.cores", host.cores(), 1, 4096);
    }
    if (host.has_memory_bytes()) {
      Range("device.host.memory_bytes", host.memory_bytes(), 1, kMaxInt64);
    }
    if (host.has_intra_op_threads()) {
      Range("device.host.intra_op_threads", host.intra_op_threads(), 1, 4096);
    }
    if (host.has_run_mode() && host.run_mode() != "host" && host.run_mode() != "device") {
      findings_.Error("device.host.run_mode",
                      fmt::format("expected host or device, got {}", Quoted(host.run_mode())));
    }
  }

  void CheckRateLimit() {
    std::set<std::pair<std::string, int>> seen;  // With device -1: of each.
    for (int i = 0; i < config_.rate_limit().resources_size(); ++i) {
      const RateLimitConfig::Resource& resource = config_.rate_limit().resources(i);
      const std::string path = IndexedPath("rate_limit.resources", static_cast<size_t>(i));
      if (resource.name().empty()) {
        findings_.Error(FieldPath(path, "name"), "expected the resource's name, got nothing");
      }
      Range(FieldPath(path, "count"), resource.count(), 1, kMaxInt32);
      if (resource.has_device()) {
        Range(FieldPath(path, "device"), resource.device(), 0, kMaxInt32);
      }
      if (!seen.emplace(resource.name(), resource.has_device() ? resource.device() : -1).second) {
        findings_.Error(path, fmt::format("{} is listed twice", Quoted(resource.name())));
      }
    }
  }

  const ServerConfig& config_;
  Findings findings_;
};

}  // namespace

ServerConfig DefaultServerConfig() {
  ServerConfig config;
  config.set_server_id("omserve");
  config.mutable_grpc()->set_address("0.0.0.0");
  config.mutable_grpc()->set_port(8001);
  config.mutable_grpc()->set_max_receive_message_bytes(kMaxMessageBytes);
  config.mutable_grpc()->set_compress_answers("none");
  config.mutable_grpc()->set_keepalive_time_ms(7'200'000);
  config.mutable_grpc()->set_keepalive_timeout_ms(20'000);
  config.mutable_http()->set_address("0.0.0.0");
  config.mutable_http()->set_port(8000);
  config.mutable_http()->set_max_body_bytes(int64_t{64} << 20);
  config.mutable_http()->set_max_connections(16384);
  config.mutable_http()->set_idle_timeout_ms(120'000);
  config.mutable_http()->set_header_timeout_ms(10'000);
  config.mutable_http()->set_least_bytes_per_second(1024);
  config.mutable_http()->set_slow_after_ms(20'000);
  config.mutable_http()->set_compress_answers(true);
  config.mutable_http()->set_max_handshakes(1024);
  config.mutable_metrics()->set_allow(true);
  config.mutable_metrics()->set_port(8002);
  config.mutable_metrics()->set_summary_quantiles(
      "0.5:0.05,0.9:0.01,0.95:0.001,0.99:0.001,0.999:0.001");
  config.mutable_device()->set_memory_pool_bytes(int64_t{1} << 30);
  config.mutable_device()->set_pinned_pool_bytes(int64_t{256} << 20);
  config.mutable_device()->set_health_interval_ms(5000);
  config.mutable_scheduler()->set_max_queue_rows(1024);
  config.mutable_scheduler()->set_in_flight_per_instance(2);
  config.mutable_scheduler()->set_hang_timeout_ms(10000);
  config.mutable_scheduler()->set_hang_floor_ms(200);
  config.mutable_scheduler()->set_max_queue_time_ms(30'000);
  config.mutable_scheduler()->set_warm_up_runs(3);
  config.mutable_health()->set_strict_readiness(true);
  config.mutable_health()->set_address("0.0.0.0");
  config.mutable_health()->set_loop_timeout_ms(30'000);
  config.mutable_auth()->set_open_metrics(true);
  config.mutable_admin()->set_allow(true);
  config.mutable_admin()->set_address("127.0.0.1");
  config.mutable_repository()->set_control_mode("none");
  config.mutable_repository()->set_poll_seconds(15);
  config.mutable_repository()->set_load_niceness(10);
  config.mutable_repository()->set_return_wait_ms(30'000);
  config.mutable_repository()->set_start_wait_seconds(30);
  config.mutable_log()->set_level("info");
  config.mutable_log()->set_format("ISO8601");
  config.mutable_shutdown()->set_drain_timeout_ms(30'000);
  SetTraceDefaults(*config.mutable_trace());
  return config;
}

absl::StatusOr<LoadedServerConfig> ParseServerConfig(const std::string& text,
                                                     const std::string& file) {
  LoadedServerConfig loaded{.config = DefaultServerConfig(), .source = SourceMap(file)};
  ASSIGN_OR_RETURN(loaded.source, BindText(TextFormat::kYaml, text, file, loaded.config));
  return loaded;
}

absl::StatusOr<LoadedServerConfig> LoadServerConfig(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigBytes));
  return ParseServerConfig(text, path);
}

absl::Status ValidateServerConfig(const ServerConfig& config, const SourceMap& source) {
  return ServerChecker(config, source).Check();
}

}  // namespace omserve::config
