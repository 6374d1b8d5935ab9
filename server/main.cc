// SPDX-License-Identifier: Apache-2.0
// omserved: from the command line to a running daemon and back.
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "config/model_config.h"
#include "runtime/base/clock.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/log_settings.h"
#include "runtime/registry/registry.h"
#include "server/daemon.h"
#include "server/flags.h"
#include "server/open_files.h"
#include "server/stop_signals.h"

namespace omserve::server {
namespace {

constexpr int kStopped = 0;
constexpr int kFailed = 1;

// Protobuf prints a line for each message that it refuses, which a client could send without end.
// Whoever sent it is told anyway.
void LogProtobuf(google::protobuf::LogLevel /*level*/, const char* /*file*/, int /*line*/,
                 const std::string& message) {
  OMSERVE_LOG(kDebug, "protobuf", "{}", message);
}

void SetUpLog(const LogConfig& config) {
  LogOptions options{.json = config.json(), .file = config.file()};
  ParseLogLevel(config.level(), &options.level);  // Validated before.
  InitLog(options);
  LogChange change;
  if (config.has_info()) {
    change.info = config.info();
  }
  if (config.has_warning()) {
    change.warning = config.warning();
  }
  if (config.has_error()) {
    change.error = config.error();
  }
  if (config.has_verbose_level()) {
    change.verbose_level = config.verbose_level();
  }
  change.format = config.format() == "default" ? LogFormat::kDefault : LogFormat::kIso8601;
  ChangeLogSettings(change);
  google::protobuf::SetLogHandler(&LogProtobuf);
}

// Every model's configuration, without a device. The number of errors; each is printed.
int CheckModelConfigs(const ServerConfig& config) {
  absl::StatusOr<std::vector<registry::ModelFolder>> folders = registry::ScanRepositories(
      {config.model_repository().begin(), config.model_repository().end()});
  if (!folders.ok()) {
    fmt::print(stderr, "omserved: {}\n", MessageOf(folders.status()));
    return 1;
  }
  int errors = 0;
  for (const registry::ModelFolder& folder : *folders) {
    const absl::Status status = config::LoadModelConfig(folder.path).status();
    if (!status.ok()) {
      fmt::print(stderr, "{}\n", MessageOf(status));
      ++errors;
    }
  }
  return errors;
}

// Values of headers that open restricted methods are secrets.
ServerConfig WithoutSecrets(ServerConfig config) {
  AuthConfig& auth = *config.mutable_auth();
  for (auto* all : {auth.mutable_grpc_restricted(), auth.mutable_http_restricted()}) {
    for (RestrictedConfig& restricted : *all) {
      restricted.set_value("***");
    }
  }
  return config;
}

int CheckConfig(const ServerConfig& config) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(WithoutSecrets(config), &json, options).ok()) {
    return kFailed;
  }
  fmt::print("{}", json);
  return CheckModelConfigs(config) == 0 ? kStopped : kFailed;
}

// The file by which whoever started the daemon learns that it is ready; gone again at the end.
class ReadyFile final {
 public:
  static absl::StatusOr<std::unique_ptr<ReadyFile>> Write(const std::string& path,
                                                          const Daemon& daemon) {
    auto file = std::make_unique<ReadyFile>(path);
    if (path.empty()) {
      return file;
    }
    const boost::json::object json{{"pid", getpid()},
                                   {"grpc_port", daemon.grpc_port()},
                                   {"http_port", daemon.http_port()},
                                   {"metrics_port", daemon.metrics_port()},
                                   {"admin_grpc_port", daemon.admin_grpc_port()},
                                   {"admin_http_port", daemon.admin_http_port()},
                                   {"health_grpc_port", daemon.health_grpc_port()},
                                   {"health_http_port", daemon.health_http_port()},
                                   {"models", daemon.model_count()},
                                   {"device", daemon.device_name()}};
    RETURN_IF_ERROR(WriteFileAtomically(path, boost::json::serialize(json) + "\n"));
    return file;
  }
  explicit ReadyFile(std::string path) : path_(std::move(path)) {}
  ReadyFile(const ReadyFile&) = delete;
  ReadyFile& operator=(const ReadyFile&) = delete;
  ~ReadyFile() {
    std::error_code ignored;  // It may have been taken away already.
    std::filesystem::remove(path_, ignored);
  }

 private:
  const std::string path_;
};

int Fail(const absl::Status& status) {
  OMSERVE_LOG(kError, "server", "omserved could not start: {}", MessageOf(status));
  return kFailed;
}

int Stop(Daemon& daemon) {
  const absl::Status stopped = daemon.Stop();
  if (stopped.code() == absl::StatusCode::kInternal) {
    OMSERVE_LOG(kError, "server", "stopped by force: {}", MessageOf(stopped));
    std::_Exit(kFailed);  // Destructors would wait for what does not come.
  }
  if (!stopped.ok()) {
    OMSERVE_LOG(kWarning, "server", "{}", MessageOf(stopped));
  }
  return kStopped;
}

// Each connection is an open file.
void RaiseLimits(const HttpConfig& config) {
  constexpr size_t kOthers = 512;  // Libraries' and devices' files, and connections of gRPC.
  const size_t files = RaiseOpenFileLimit();
  if (files < static_cast<size_t>(config.max_connections()) + kOthers) {
    OMSERVE_LOG(kWarning, "server",
                "the system allows {} open files, too few for http.max_connections={}; raise the "
                "hard limit (ulimit -Hn, LimitNOFILE), or lower the setting",
                files, config.max_connections());
  }
}

int Serve(const ServerConfig& config, const Flags& flags,
          const std::vector<std::string>& warnings) {
  SetUpLog(config.log());
  StopSignals signals;  // Before every other thread.
  OMSERVE_LOG(kInfo, "server", "omserved version={} pid={}", OMSERVE_VERSION, getpid());
  for (const std::string& warning : warnings) {
    OMSERVE_LOG(kWarning, "server", "{}", warning);
  }
  RaiseLimits(config.http());
  std::atomic<bool> device_given_up{false};  // Sequentially consistent, as the default is.
  const auto on_device_given_up = [&device_given_up] {
    OMSERVE_LOG(kError, "server", "the device could not be recovered; ending");
    device_given_up.store(true);
    kill(getpid(), SIGTERM);
  };
  absl::StatusOr<std::unique_ptr<Daemon>> started = Daemon::Start(
      {.config = config,
       .version = OMSERVE_VERSION,
       .exit_on_error = flags.exit_on_error,
       .on_device_given_up = config.device().exit_on_lost() ? std::function(on_device_given_up)
                                                            : std::function<void()>()},
      SteadyClock());
  if (!started.ok()) {
    return Fail(started.status());
  }
  Daemon& daemon = **started;
  absl::StatusOr<std::unique_ptr<ReadyFile>> ready = ReadyFile::Write(flags.ready_file, daemon);
  if (!ready.ok()) {
    Stop(daemon);
    return Fail(WithContext(ready.status(), "--ready-file"));
  }
  OMSERVE_LOG(kInfo, "server", "ready models={} device={} grpc_port={} http_port={}",
              daemon.model_count(), daemon.device_name(), daemon.grpc_port(), daemon.http_port());
  signals.Await();
  ready->reset();
  const int status = Stop(daemon);
  OMSERVE_LOG(kInfo, "server", "stopped");
  return device_given_up.load() ? kFailed : status;
}

int Main(int argc, const char* const* argv) {
  std::variant<Flags, int> parsed = ParseFlags(argc, argv, OMSERVE_VERSION);
  if (const int* status = std::get_if<int>(&parsed)) {
    return *status;
  }
  const Flags& flags = std::get<Flags>(parsed);
  std::vector<std::string> warnings;
  const absl::StatusOr<ServerConfig> config = EffectiveConfig(flags, &warnings);
  if (!config.ok()) {
    fmt::print(stderr, "omserved: {}\n", MessageOf(config.status()));
    return kFailed;
  }
  if (!flags.check_config) {
    return Serve(*config, flags, warnings);
  }
  for (const std::string& warning : warnings) {
    fmt::print(stderr, "{}\n", warning);
  }
  return CheckConfig(*config);
}

}  // namespace
}  // namespace omserve::server

int main(int argc, char** argv) {
  // gRPC's own mutexes: Debian builds it and absl so that each lock is looked at for deadlocks,
  // which takes about a twentieth of the time of a small request.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return omserve::server::Main(argc, argv);
}
