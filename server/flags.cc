// SPDX-License-Identifier: Apache-2.0
// CLI11 reports by exceptions; this is the only file that meets them.
#include "server/flags.h"

#include <CLI/CLI.hpp>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

constexpr char kDescription[] =
    "omserved serves models compiled for Ascend NPUs (.om files) and pipelines of them over gRPC\n"
    "and REST (KServe v2 with Triton's extensions), with metrics for Prometheus.\n"
    "Without an NPU it runs on the CPU device that is shipped with it.";

constexpr char kFooter[] =
    "A repository is a folder of models:\n"
    "  repository/MODEL/VERSION/model.om     the compiled model, VERSION being 1, 2, ...\n"
    "  repository/MODEL/config.yaml          optional; config.pbtxt in Triton's format also does\n"
    "\n"
    "Examples:\n"
    "  omserved --model-repository ./repository\n"
    "      serve everything in the folder; gRPC on port 8001, REST on 8000, metrics on 8002\n"
    "  omserved --config omserve.yaml --log-level debug\n"
    "      settings from a file, with one of them changed\n"
    "  omserved --model-repository ./repository --check-config\n"
    "      say what would be served and how, and whether it is right; start nothing\n"
    "  omserved --model-repository ./repository --grpc-port 0 --http-port 0 --metrics-port 0 \\\n"
    "           --ready-file r.json\n"
    "      take free ports, and write them to r.json as soon as models are served\n"
    "\n"
    "SIGTERM or Ctrl-C stops it in order: requests under way are finished first. A second signal\n"
    "stops it at once. Exit status: 0 stopped in order, 1 could not start, 2 wrong command line.";

void AddFlags(CLI::App& app, Flags& flags) {
  app.add_option("--config", flags.config_file, "Settings file, YAML (see omserve.yaml)")
      ->type_name("FILE");
  app.add_option("--model-repository", flags.model_repositories,
                 "Folder of models; may be given several times. In place of the file's")
      ->type_name("DIR")
      ->take_all();
  app.add_option("--grpc-port", flags.grpc_port, "Port of gRPC; 0 takes a free one [8001]")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535));
  app.add_option("--grpc-address", flags.grpc_address, "Address gRPC listens on [0.0.0.0]")
      ->type_name("ADDRESS");
  app.add_option("--http-port", flags.http_port, "Port of REST; 0 takes a free one [8000]")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535));
  app.add_option("--http-address", flags.http_address, "Address REST listens on [0.0.0.0]")
      ->type_name("ADDRESS");
  app.add_option("--allow-metrics", flags.allow_metrics, "Give metrics to scrapers [true]")
      ->type_name("BOOL");
  app.add_option("--metrics-port", flags.metrics_port,
                 "Port of metrics; 0 takes a free one, REST's: they are there alone [8002]")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535));
  app.add_option("--metrics-address", flags.metrics_address, "Address metrics listen on [REST's]")
      ->type_name("ADDRESS");
  app.add_option("--admin-grpc-port", flags.admin_grpc_port,
                 "Port of gRPC for operators, on loopback; 0 takes a free one [8003]")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535));
  app.add_option("--admin-http-port", flags.admin_http_port,
                 "Port of REST for operators, on loopback; 0 takes a free one [8004]")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535));
  app.add_option("--control-on-public-ports", flags.control_on_public_ports,
                 "Load models and change settings there too, as Triton does [false]")
      ->type_name("BOOL");
  app.add_option("--auth-file", flags.auth_file, "Clients and their roles, YAML [everybody]")
      ->type_name("FILE");
  app.add_option("--device-library", flags.device_library,
                 "libascendcl.so to use [CANN's, else the CPU device's]")
      ->type_name("FILE");
  app.add_option("--log-level", flags.log_level, "debug, info, warning, error or off [info]")
      ->type_name("LEVEL");
  app.add_flag("--log-json", flags.log_json, "One JSON object per log line");
  app.add_option("--exit-on-error", flags.exit_on_error,
                 "Exit when a model cannot be loaded; false serves the others [true]")
      ->type_name("BOOL");
  app.add_option("--ready-file", flags.ready_file,
                 "Written when models are served: pid, ports, device; removed at the end")
      ->type_name("FILE");
  app.add_flag("--check-config", flags.check_config,
               "Check all settings, print the effective ones as JSON, and exit");
  AddTritonFlags(app, flags.triton);
}

void ApplyAccess(const Flags& flags, ServerConfig& config) {
  if (flags.admin_grpc_port.has_value()) {
    config.mutable_admin()->set_grpc_port(static_cast<uint32_t>(*flags.admin_grpc_port));
  }
  if (flags.admin_http_port.has_value()) {
    config.mutable_admin()->set_http_port(static_cast<uint32_t>(*flags.admin_http_port));
  }
  if (flags.control_on_public_ports.has_value()) {
    config.mutable_admin()->set_control_on_public_ports(*flags.control_on_public_ports);
  }
  if (flags.auth_file.has_value()) {
    config.mutable_auth()->set_file(*flags.auth_file);
  }
}

}  // namespace

std::variant<Flags, int> ParseFlags(int argc, const char* const* argv, const std::string& version) {
  Flags flags;
  CLI::App app(kDescription, "omserved");
  app.footer(kFooter);
  app.set_version_flag("--version", "omserved " + version);
  AddFlags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Prints the help, the version or what is wrong; CLI11's own numbers are not an interface.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return flags;
}

absl::StatusOr<ServerConfig> EffectiveConfig(const Flags& flags,
                                             std::vector<std::string>* warnings) {
  config::LoadedServerConfig loaded{.config = config::DefaultServerConfig()};
  if (!flags.config_file.empty()) {
    ASSIGN_OR_RETURN(loaded, config::LoadServerConfig(flags.config_file));
  }
  ServerConfig& config = loaded.config;
  if (!flags.model_repositories.empty()) {
    config.mutable_model_repository()->Assign(flags.model_repositories.begin(),
                                              flags.model_repositories.end());
  }
  ASSIGN_OR_RETURN(*warnings, ApplyTritonFlags(flags.triton, config));
  if (flags.grpc_port.has_value()) {
    config.mutable_grpc()->set_port(static_cast<uint32_t>(*flags.grpc_port));
  }
  if (flags.grpc_address.has_value()) {
    config.mutable_grpc()->set_address(*flags.grpc_address);
  }
  if (flags.http_port.has_value()) {
    config.mutable_http()->set_port(static_cast<uint32_t>(*flags.http_port));
  }
  if (flags.http_address.has_value()) {
    config.mutable_http()->set_address(*flags.http_address);
  }
  if (flags.allow_metrics.has_value()) {
    config.mutable_metrics()->set_allow(*flags.allow_metrics);
  }
  if (flags.metrics_port.has_value()) {
    config.mutable_metrics()->set_port(static_cast<uint32_t>(*flags.metrics_port));
  }
  if (flags.metrics_address.has_value()) {
    config.mutable_metrics()->set_address(*flags.metrics_address);
  }
  ApplyAccess(flags, config);
  if (flags.device_library.has_value()) {
    config.mutable_device()->set_library(*flags.device_library);
  }
  if (flags.log_level.has_value()) {
    config.mutable_log()->set_level(*flags.log_level);
  }
  if (flags.log_json) {
    config.mutable_log()->set_json(true);
  }
  RETURN_IF_ERROR(config::ValidateServerConfig(config, loaded.source));
  return config;
}

}  // namespace omserve::server
