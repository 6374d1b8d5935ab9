// SPDX-License-Identifier: Apache-2.0
// Source: tritonserver's command line.
#include "server/triton_flags.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <string_view>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

constexpr char kGroup[] = "As tritonserver has them";

// Taken and passed over, and why.
struct Ignored {
  const char* name;
  const char* why;
};
constexpr Ignored kIgnored[] = {
    {"--allow-cpu-metrics", "all metrics are always there"},
    {"--allow-gpu-metrics", "all metrics are always there"},
    {"--backend-config", "there are no backends: the compiled model is what runs"},
    {"--backend-directory", "there are no backends: the compiled model is what runs"},
    {"--buffer-manager-thread-count", "tensors are copied by the thread that received them"},
    {"--cache-directory", "the cache is built in"},
    {"--cuda-memory-pool-byte-size", "device.memory_pool_bytes is the memory of an NPU"},
    {"--disable-auto-complete-config", "what a configuration leaves out comes from the .om file"},
    {"--enable-peer-access", "a CUDA setting"},
    {"--grpc-infer-allocation-pool-size", "calls are allocated as they come"},
    {"--grpc-infer-thread-count", "threads of gRPC follow the number of cores"},
    {"--host-policy", "instances are placed by instance_group"},
    {"--metrics-interval-ms", "metrics are read when they are asked for"},
    {"--min-supported-compute-capability", "a CUDA setting"},
    {"--model-load-thread-count", "models load one after the other"},
    {"--model-load-retry-count", "a model that cannot be loaded is told"},
    {"--model-load-gpu-limit", "what does not fit is refused with the numbers"},
    {"--repoagent-directory", "there are no repository agents"},
    {"--reuse-grpc-port", "a port has one daemon"},
    {"--reuse-http-port", "a port has one daemon"},
    {"--strict-model-config", "what a configuration leaves out comes from the .om file"},
};

// Right in one value only; anything else would be a difference that is not built.
struct Fixed {
  const char* name;
  const char* value;
  const char* why;
};
constexpr Fixed kFixed[] = {
    {"--allow-grpc", "true", "gRPC is always served"},
    {"--allow-http", "true", "HTTP is always served"},
    {"--allow-sagemaker", "false", "SageMaker's endpoint is not supported"},
    {"--allow-vertex-ai", "false", "Vertex AI's endpoint is not supported"},
    {"--model-namespacing", "false", "model names are those of their folders"},
};

bool ToInt(std::string_view text, int64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

std::vector<std::string_view> Split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(by);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(at + 1);
  }
}

absl::Status ApplyCache(const std::string& given, ServerConfig& config) {
  const size_t comma = given.find(',');
  constexpr std::string_view kSize = "size=";
  int64_t bytes = 0;
  const std::string_view setting =
      comma == std::string::npos ? "" : std::string_view(given).substr(comma + 1);
  if (given.substr(0, comma) != "local" || !setting.starts_with(kSize) ||
      !ToInt(setting.substr(kSize.size()), &bytes)) {
    return InvalidArgument("--cache-config: expected local,size=BYTES, got '{}'", given);
  }
  config.mutable_cache()->set_response_bytes(bytes);
  return absl::OkStatus();
}

// Counters are always there.
absl::Status ApplyMetrics(const std::string& given, ServerConfig& config,
                          std::vector<std::string>& warnings) {
  const size_t equals = given.find('=');
  const std::string_view key = std::string_view(given).substr(0, equals);
  const std::string_view value =
      equals == std::string::npos ? "" : std::string_view(given).substr(equals + 1);
  if (key == "histogram_latencies" && (value == "true" || value == "false")) {
    config.mutable_metrics()->set_first_response(value == "true");
    return absl::OkStatus();
  }
  if (key == "summary_latencies" && (value == "true" || value == "false")) {
    config.mutable_metrics()->set_summary_latencies(value == "true");
    return absl::OkStatus();
  }
  if (key == "summary_quantiles") {
    config.mutable_metrics()->set_summary_quantiles(std::string(value));
    return absl::OkStatus();
  }
  if (key != "counter_latencies") {
    return InvalidArgument(
        "--metrics-config: expected histogram_latencies=true or false, summary_latencies=true or "
        "false, summary_quantiles= or counter_latencies=, got '{}'",
        given);
  }
  if (value != "true") {
    warnings.push_back(fmt::format(
        "--metrics-config={} is accepted and ignored: counters are always there", given));
  }
  return absl::OkStatus();
}

absl::Status ApplyResource(const std::string& given, ServerConfig& config) {
  const std::vector<std::string_view> parts = Split(given, ':');
  int64_t count = 0;
  int64_t device = 0;
  if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() || !ToInt(parts[1], &count) ||
      (parts.size() == 3 && !ToInt(parts[2], &device)) || count < 0 || count > INT32_MAX ||
      device < 0 || device > INT32_MAX) {
    return InvalidArgument(
        "--rate-limit-resource: expected NAME:COUNT or NAME:COUNT:DEVICE, got '{}'", given);
  }
  RateLimitConfig::Resource& resource = *config.mutable_rate_limit()->add_resources();
  resource.set_name(std::string(parts[0]));
  resource.set_count(static_cast<int32_t>(count));
  if (parts.size() == 3) {
    resource.set_device(static_cast<int32_t>(device));
  }
  return absl::OkStatus();
}

// Collectors take OTLP over HTTP at 4318 and over gRPC at 4317; here it is sent over gRPC.
absl::Status ApplyCollector(std::string_view url, TraceConfig& trace) {
  if (url.ends_with(":4318") || url.ends_with("/v1/traces")) {
    return Unimplemented(
        "--trace-config opentelemetry,url={}: traces are sent over gRPC; give the collector's gRPC "
        "port, HOST:4317",
        url);
  }
  trace.mutable_otlp()->set_endpoint(std::string(url));
  return absl::OkStatus();
}

absl::Status ApplyTrace(const std::string& given, TraceConfig& trace) {
  const size_t equals = given.find('=');
  const std::string name = given.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : given.substr(equals + 1);
  const auto number = [&](int64_t low, int64_t high) -> absl::StatusOr<int64_t> {
    int64_t parsed = 0;
    if (!ToInt(value, &parsed) || parsed < low || parsed > high) {
      return InvalidArgument("--trace-config: expected {} as a number from {} to {}, got '{}'",
                             name, low, high, value);
    }
    return parsed;
  };
  if (name == "mode") {
    trace.set_mode(value);
  } else if (name == "level") {
    trace.add_level(value);
  } else if (name == "rate") {
    ASSIGN_OR_RETURN(const int64_t rate, number(0, UINT32_MAX));
    trace.set_rate(static_cast<uint32_t>(rate));
  } else if (name == "count") {
    ASSIGN_OR_RETURN(const int64_t count, number(-1, INT32_MAX));
    trace.set_count(static_cast<int32_t>(count));
  } else if (name == "triton,file") {
    trace.set_file(value);
  } else if (name == "triton,log-frequency") {
    ASSIGN_OR_RETURN(const int64_t frequency, number(0, UINT32_MAX));
    trace.set_log_frequency(static_cast<uint32_t>(frequency));
  } else if (name == "opentelemetry,url") {
    return ApplyCollector(value, trace);
  } else if (name == "opentelemetry,resource") {
    trace.mutable_otlp()->add_resource(value);
  } else if (name == "opentelemetry,bsp_max_queue_size") {
    ASSIGN_OR_RETURN(const int64_t size, number(1, INT32_MAX));
    trace.mutable_otlp()->set_queue_requests(static_cast<int32_t>(size));
  } else if (name == "opentelemetry,bsp_max_export_batch_size") {
    ASSIGN_OR_RETURN(const int64_t size, number(1, INT32_MAX));
    trace.mutable_otlp()->set_batch_requests(static_cast<int32_t>(size));
  } else if (name == "opentelemetry,bsp_schedule_delay") {
    ASSIGN_OR_RETURN(const int64_t delay, number(1, INT32_MAX));
    trace.mutable_otlp()->set_delay_ms(static_cast<int32_t>(delay));
  } else {
    return InvalidArgument("--trace-config: unknown setting '{}'", name);
  }
  return absl::OkStatus();
}

absl::Status ApplyRestricted(const char* flag, const std::vector<std::string>& all,
                             google::protobuf::RepeatedPtrField<RestrictedConfig>* restricted) {
  if (!all.empty()) {
    restricted->Clear();  // A flag is in place of the file's.
  }
  for (const std::string& given : all) {
    const size_t colon = given.find(':');
    const size_t equals = given.find('=', colon == std::string::npos ? 0 : colon);
    if (colon == std::string::npos || equals == std::string::npos) {
      // What follows may be the secret.
      return InvalidArgument("{}: expected GROUP[,GROUP...]:KEY=VALUE, got '{}...'", flag,
                             given.substr(0, colon));
    }
    RestrictedConfig& added = *restricted->Add();
    for (const std::string_view group : Split(std::string_view(given).substr(0, colon), ',')) {
      added.add_groups(std::string(group));
    }
    added.set_key(given.substr(colon + 1, equals - colon - 1));
    added.set_value(given.substr(equals + 1));
  }
  return absl::OkStatus();
}

void ApplyGrpc(const TritonFlags& flags, GrpcConfig& grpc) {
  if (flags.grpc_header_pattern.has_value()) {
    grpc.set_header_forward_pattern(*flags.grpc_header_pattern);
  }
  if (flags.grpc_compression.has_value()) {
    grpc.set_compress_answers(*flags.grpc_compression);
  }
  if (flags.keepalive_time_ms.has_value()) {
    grpc.set_keepalive_time_ms(*flags.keepalive_time_ms);
  }
  if (flags.keepalive_timeout_ms.has_value()) {
    grpc.set_keepalive_timeout_ms(*flags.keepalive_timeout_ms);
  }
  if (flags.max_age_ms.has_value()) {
    grpc.set_max_connection_age_ms(*flags.max_age_ms);
  }
  if (flags.max_age_grace_ms.has_value()) {
    grpc.set_max_connection_age_grace_ms(*flags.max_age_grace_ms);
  }
}

void ApplyLog(const TritonFlags& flags, ServerConfig& config) {
  LogConfig& log = *config.mutable_log();
  if (flags.log_file.has_value()) {
    log.set_file(*flags.log_file);
  }
  if (flags.log_verbose.has_value()) {
    log.set_verbose_level(*flags.log_verbose);
  }
  if (flags.log_info.has_value()) {
    log.set_info(*flags.log_info);
  }
  if (flags.log_warning.has_value()) {
    log.set_warning(*flags.log_warning);
  }
  if (flags.log_error.has_value()) {
    log.set_error(*flags.log_error);
  }
  if (flags.log_format.has_value()) {
    log.set_format(*flags.log_format);
  }
}

// Asked for TLS, nobody gets plain text.
absl::Status ApplyTls(const TritonFlags& flags, ServerConfig& config) {
  if (!flags.use_ssl.value_or(false) && !flags.use_ssl_mutual.value_or(false)) {
    return absl::OkStatus();
  }
  if (flags.server_certificate.value_or("").empty() || flags.server_key.value_or("").empty()) {
    return InvalidArgument(
        "--grpc-use-ssl: expected --grpc-server-cert and --grpc-server-key, PEM files, beside it");
  }
  TlsConfig& tls = *config.mutable_grpc()->mutable_tls();
  tls.set_certificate_file(*flags.server_certificate);
  tls.set_key_file(*flags.server_key);
  if (flags.use_ssl_mutual.value_or(false)) {
    if (flags.root_certificate.value_or("").empty()) {
      return InvalidArgument("--grpc-use-ssl-mutual: expected --grpc-root-cert beside it");
    }
    tls.set_client_ca_file(*flags.root_certificate);
  }
  return absl::OkStatus();
}

absl::Status ApplyOthers(const TritonFlags& flags, std::vector<std::string>& warnings) {
  for (const TritonFlags::Other& other : flags.others) {
    if (other.values.empty()) {
      continue;
    }
    for (const Ignored& ignored : kIgnored) {
      if (other.name == ignored.name) {
        warnings.push_back(fmt::format("{} is accepted and ignored: {}", other.name, ignored.why));
      }
    }
    for (const Fixed& fixed : kFixed) {
      for (const std::string& value : other.values) {
        if (other.name == fixed.name && value != fixed.value) {
          return Unimplemented("{}={}: {}; leave the flag out", other.name, value, fixed.why);
        }
      }
    }
  }
  return absl::OkStatus();
}

void ApplyRepository(const TritonFlags& flags, ServerConfig& config) {
  RepositoryConfig& repository = *config.mutable_repository();
  if (flags.control_mode.has_value()) {
    repository.set_control_mode(*flags.control_mode);
  }
  if (!flags.load_models.empty()) {
    repository.mutable_load_models()->Assign(flags.load_models.begin(), flags.load_models.end());
  }
  if (flags.poll_seconds.value_or(0) > 0) {  // Triton's 0: no looks, as in the other modes.
    repository.set_poll_seconds(*flags.poll_seconds);
  }
}

void ApplyModes(const TritonFlags& flags, std::vector<std::string>& warnings) {
  for (const std::string& mode : flags.rate_limit) {
    if (mode != "execution_count") {
      warnings.push_back(
          "--rate-limit=" + mode +
          " is accepted and ignored: instances that name resources wait for their turn always");
    }
  }
}

}  // namespace

void AddTritonFlags(CLI::App& app, TritonFlags& flags) {
  app.add_option("--id,--server-id", flags.server_id, "server_id")->group(kGroup);
  app.add_option("--exit-timeout-secs", flags.exit_timeout_s, "shutdown.drain_timeout_ms")
      ->check(CLI::Range(0.0, 86400.0))
      ->group(kGroup);
  app.add_option("--http-max-input-size", flags.max_input_bytes, "http.max_body_bytes")
      ->group(kGroup);
  app.add_option("--http-thread-count", flags.http_threads, "http.threads")->group(kGroup);
  app.add_option("--pinned-memory-pool-byte-size", flags.pinned_pool_bytes,
                 "device.pinned_pool_bytes")
      ->group(kGroup);
  app.add_option("--model-control-mode", flags.control_mode,
                 "repository.control_mode: none, poll or explicit")
      ->group(kGroup);
  app.add_option("--load-model", flags.load_models,
                 "repository.load_models, with explicit; * is all; may be given several times")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--repository-poll-secs", flags.poll_seconds, "repository.poll_seconds")
      ->check(CLI::Range(0, 86400))
      ->group(kGroup);
  app.add_option("--cache-config", flags.caches, "cache.response_bytes, as local,size=BYTES")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--metrics-config", flags.metrics,
                 "metrics.first_response, as histogram_latencies=true; metrics.summary_latencies, "
                 "metrics.summary_quantiles, as summary_latencies=true, summary_quantiles=0.5:0.05")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--rate-limit", flags.rate_limit, "execution_count")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--trace-config", flags.traces,
                 "trace: level=, rate=, count=, mode=; triton,file=, triton,log-frequency=; "
                 "opentelemetry,url=HOST:PORT, opentelemetry,resource=NAME=VALUE")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--rate-limit-resource", flags.resources,
                 "rate_limit.resources, as NAME:COUNT[:DEVICE]")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--grpc-infer-response-compression-level", flags.grpc_compression,
                 "grpc.compress_answers: none, low, medium or high")
      ->group(kGroup);
  app.add_option("--grpc-keepalive-time", flags.keepalive_time_ms, "grpc.keepalive_time_ms")
      ->group(kGroup);
  app.add_option("--grpc-keepalive-timeout", flags.keepalive_timeout_ms,
                 "grpc.keepalive_timeout_ms")
      ->group(kGroup);
  app.add_option("--grpc-max-connection-age", flags.max_age_ms, "grpc.max_connection_age_ms")
      ->group(kGroup);
  app.add_option("--grpc-max-connection-age-grace", flags.max_age_grace_ms,
                 "grpc.max_connection_age_grace_ms")
      ->group(kGroup);
  app.add_option("--grpc-header-forward-pattern", flags.grpc_header_pattern,
                 "grpc.header_forward_pattern")
      ->group(kGroup);
  app.add_option("--http-header-forward-pattern", flags.http_header_pattern,
                 "http.header_forward_pattern")
      ->group(kGroup);
  app.add_option("--grpc-use-ssl", flags.use_ssl, "TLS on the gRPC port")->group(kGroup);
  app.add_option("--grpc-use-ssl-mutual", flags.use_ssl_mutual,
                 "the same, with certificates of clients")
      ->group(kGroup);
  app.add_option("--grpc-server-cert", flags.server_certificate, "grpc.tls.certificate_file")
      ->group(kGroup);
  app.add_option("--grpc-server-key", flags.server_key, "grpc.tls.key_file")->group(kGroup);
  app.add_option("--grpc-root-cert", flags.root_certificate, "grpc.tls.client_ca_file")
      ->group(kGroup);
  app.add_option("--grpc-restricted-protocol", flags.grpc_restricted,
                 "auth.grpc_restricted, as GROUPS:KEY=VALUE")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--http-restricted-api", flags.http_restricted,
                 "auth.http_restricted, as GROUPS:HEADER=VALUE")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--log-file", flags.log_file, "log.file")->group(kGroup);
  app.add_option("--log-verbose", flags.log_verbose, "log.verbose_level")->group(kGroup);
  app.add_option("--log-info", flags.log_info, "log.info")->group(kGroup);
  app.add_option("--log-warning", flags.log_warning, "log.warning")->group(kGroup);
  app.add_option("--log-error", flags.log_error, "log.error")->group(kGroup);
  app.add_option("--log-format", flags.log_format, "log.format: default or ISO8601")->group(kGroup);
  app.add_option("--strict-readiness", flags.strict_readiness, "health.strict_readiness")
      ->group(kGroup);
  app.add_option("--allow-client-shm", flags.allow_client_shm, "shared_memory.allow")
      ->group(kGroup);
  const auto add_other = [&](const char* name) {
    TritonFlags::Other& other = flags.others.emplace_back();
    other.name = name;
    // Not in the help: it would be longer than what matters. docs/migrating-from-triton.md has
    // them.
    app.add_option(name, other.values)->allow_extra_args(false)->group("");
  };
  for (const Ignored& ignored : kIgnored) {
    add_other(ignored.name);
  }
  for (const Fixed& fixed : kFixed) {
    add_other(fixed.name);
  }
}

absl::StatusOr<std::vector<std::string>> ApplyTritonFlags(const TritonFlags& flags,
                                                          ServerConfig& config) {
  std::vector<std::string> warnings;
  if (flags.server_id.has_value()) {
    config.set_server_id(*flags.server_id);
  }
  if (flags.exit_timeout_s.has_value()) {
    config.mutable_shutdown()->set_drain_timeout_ms(
        static_cast<int32_t>(*flags.exit_timeout_s * 1000));
  }
  if (flags.http_header_pattern.has_value()) {
    config.mutable_http()->set_header_forward_pattern(*flags.http_header_pattern);
  }
  if (flags.max_input_bytes.has_value()) {
    config.mutable_http()->set_max_body_bytes(*flags.max_input_bytes);
  }
  if (flags.http_threads.has_value()) {
    config.mutable_http()->set_threads(*flags.http_threads);
  }
  if (flags.pinned_pool_bytes.has_value()) {
    config.mutable_device()->set_pinned_pool_bytes(*flags.pinned_pool_bytes);
  }
  for (const std::string& cache : flags.caches) {
    RETURN_IF_ERROR(ApplyCache(cache, config));
  }
  ApplyGrpc(flags, *config.mutable_grpc());
  for (const std::string& metrics : flags.metrics) {
    RETURN_IF_ERROR(ApplyMetrics(metrics, config, warnings));
  }
  for (const std::string& resource : flags.resources) {
    RETURN_IF_ERROR(ApplyResource(resource, config));
  }
  for (const std::string& trace : flags.traces) {
    RETURN_IF_ERROR(ApplyTrace(trace, *config.mutable_trace()));
  }
  RETURN_IF_ERROR(ApplyTls(flags, config));
  RETURN_IF_ERROR(ApplyRestricted("--grpc-restricted-protocol", flags.grpc_restricted,
                                  config.mutable_auth()->mutable_grpc_restricted()));
  RETURN_IF_ERROR(ApplyRestricted("--http-restricted-api", flags.http_restricted,
                                  config.mutable_auth()->mutable_http_restricted()));
  ApplyLog(flags, config);
  if (flags.strict_readiness.has_value()) {
    config.mutable_health()->set_strict_readiness(*flags.strict_readiness);
  }
  if (flags.allow_client_shm.has_value()) {
    config.mutable_shared_memory()->set_allow(*flags.allow_client_shm);
  }
  ApplyRepository(flags, config);
  ApplyModes(flags, warnings);
  RETURN_IF_ERROR(ApplyOthers(flags, warnings));
  return warnings;
}

}  // namespace omserve::server
