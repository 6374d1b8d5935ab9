// SPDX-License-Identifier: Apache-2.0
// The ports of a daemon: the public ones, and those for operators, scrapers and probes.
#include <algorithm>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/status_macros.h"
#include "server/access_settings.h"
#include "server/daemon.h"
#include "server/http/routes.h"

namespace omserve::server {
namespace {
ChannelOptions ChannelOf(const GrpcConfig& config) {
  using std::chrono::milliseconds;
  return {.max_receive_bytes = config.max_receive_message_bytes(),
          .compression = config.compress_answers(),
          .keepalive_time = milliseconds(config.keepalive_time_ms()),
          .keepalive_timeout = milliseconds(config.keepalive_timeout_ms()),
          .max_age = milliseconds(config.max_connection_age_ms()),
          .max_age_grace = milliseconds(config.max_connection_age_grace_ms())};
}

constexpr uint32_t kAdminGrpcPort = 8003;
constexpr uint32_t kAdminHttpPort = 8004;

std::chrono::milliseconds Milliseconds(int32_t count) { return std::chrono::milliseconds(count); }

HttpLimits LimitsOf(const HttpConfig& config) {
  return {.max_connections = static_cast<size_t>(config.max_connections()),
          .max_body_bytes = static_cast<size_t>(config.max_body_bytes()),
          .max_handshakes = static_cast<size_t>(config.max_handshakes()),
          .idle_timeout = Milliseconds(config.idle_timeout_ms()),
          .header_timeout = Milliseconds(config.header_timeout_ms()),
          .slow_after = Milliseconds(config.slow_after_ms()),
          .least_bytes_per_second = config.least_bytes_per_second(),
          .compress_answers = config.compress_answers()};
}

// Small requests cost the sockets' thread a fraction of what the rest of the daemon spends on them.
size_t HttpThreads(const HttpConfig& config) {
  constexpr unsigned kCoresForOne = 4;
  constexpr unsigned kMost = 8;
  return config.threads() > 0
             ? static_cast<size_t>(config.threads())
             : std::clamp(std::thread::hardware_concurrency() / kCoresForOne, 1U, kMost);
}

// What is left out is a free port where the public one is, so that daemons can stand side by side.
int AdminPort(bool is_given, uint32_t given, uint32_t public_port, uint32_t usual) {
  return static_cast<int>(is_given ? given : public_port == 0 ? 0 : usual);
}

}  // namespace

absl::Status Daemon::Listen() {
  const ServerConfig& config = options_.config;
  for (const std::string& warning : AccessWarnings(config)) {
    OMSERVE_LOG(kWarning, "server", "{}", warning);
  }
  RETURN_IF_ERROR(ListenForProbes());
  ASSIGN_OR_RETURN(http_, HttpServer::Start({.address = config.http().address(),
                                             .port = static_cast<int>(config.http().port()),
                                             .unix_socket = config.http().unix_socket(),
                                             .tls = TlsFilesOf(config.http().tls()),
                                             .limits = LimitsOf(config.http()),
                                             .guard = HttpGuard(*door_),
                                             .threads = HttpThreads(config.http())},
                                            MakeRoutes(*door_), clock_, http_counters_));
  ASSIGN_OR_RETURN(grpc_, GrpcServer::Start({.address = config.grpc().address(),
                                             .port = static_cast<int>(config.grpc().port()),
                                             .unix_socket = config.grpc().unix_socket(),
                                             .channel = ChannelOf(config.grpc()),
                                             .tls = TlsFilesOf(config.grpc().tls())},
                                            *door_));
  RETURN_IF_ERROR(ListenForScrapers());
  RETURN_IF_ERROR(ListenForOperators());
  OMSERVE_LOG(kInfo, "server",
              "listening grpc={}:{} http={}:{} metrics_port={} admin_grpc_port={} "
              "admin_http_port={}",
              config.grpc().address(), grpc_->port(), config.http().address(), http_->port(),
              metrics_port(), admin_grpc_port(), admin_http_port());
  return absl::OkStatus();
}

absl::Status Daemon::ListenForScrapers() {
  const MetricsConfig& metrics = options_.config.metrics();
  const HttpConfig& http = options_.config.http();
  const bool is_shared =
      http.unix_socket().empty() && metrics.port() != 0 && metrics.port() == http.port();
  if (!metrics.allow() || is_shared) {
    return absl::OkStatus();
  }
  std::vector<Route> routes;
  AddMetricsRoutes(*door_, routes);
  ASSIGN_OR_RETURN(
      scrapes_,
      HttpServer::Start({.name = "metrics",
                         .settings = "--metrics-port or --metrics-address",
                         .address = metrics.address().empty() ? http.address() : metrics.address(),
                         .port = static_cast<int>(metrics.port()),
                         .limits = LimitsOf(http),
                         .guard = HttpGuard(*door_),
                         .body_workers = 1},
                        std::move(routes), clock_, http_counters_));
  return absl::OkStatus();
}

absl::Status Daemon::ListenForProbes() {
  const HealthConfig& health = options_.config.health();
  if (health.has_http_port()) {
    std::vector<Route> routes;
    AddHealthRoutes(*health_door_, routes);
    ASSIGN_OR_RETURN(health_http_,
                     HttpServer::Start({.name = "health.http",
                                        .settings = "health.http_port or health.address",
                                        .address = health.address(),
                                        .port = static_cast<int>(health.http_port()),
                                        .limits = LimitsOf(options_.config.http()),
                                        .body_workers = 1},
                                       std::move(routes), clock_, http_counters_));
  }
  if (health.has_grpc_port()) {
    ASSIGN_OR_RETURN(health_grpc_,
                     GrpcServer::Start({.name = "health.grpc",
                                        .settings = "health.grpc_port or health.address",
                                        .address = health.address(),
                                        .port = static_cast<int>(health.grpc_port()),
                                        .waits = QueueWaits::kNowAndThen},
                                       *health_door_));
  }
  return absl::OkStatus();
}

absl::Status Daemon::ListenForOperators() {
  const ServerConfig& config = options_.config;
  const AdminConfig& admin = config.admin();
  if (!admin.allow()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(admin_http_,
                   HttpServer::Start({.name = "admin.http",
                                      .settings = "--admin-http-port or admin.address",
                                      .address = admin.address(),
                                      .port = AdminPort(admin.has_http_port(), admin.http_port(),
                                                        config.http().port(), kAdminHttpPort),
                                      .unix_socket = admin.http_unix_socket(),
                                      .is_private = true,
                                      .tls = TlsFilesOf(admin.tls()),
                                      .limits = LimitsOf(config.http()),
                                      .guard = HttpGuard(*admin_door_)},
                                     MakeRoutes(*admin_door_), clock_, http_counters_));
  ASSIGN_OR_RETURN(admin_grpc_,
                   GrpcServer::Start({.name = "admin.grpc",
                                      .settings = "--admin-grpc-port or admin.address",
                                      .address = admin.address(),
                                      .port = AdminPort(admin.has_grpc_port(), admin.grpc_port(),
                                                        config.grpc().port(), kAdminGrpcPort),
                                      .unix_socket = admin.grpc_unix_socket(),
                                      .is_private = true,
                                      .channel = ChannelOf(config.grpc()),
                                      .tls = TlsFilesOf(admin.tls()),
                                      .pollers = 1,
                                      .waits = QueueWaits::kNowAndThen},
                                     *admin_door_));
  return absl::OkStatus();
}

void Daemon::ClosePorts() {
  // Their queues do not always wait: the public port's takes up their events.
  admin_grpc_.reset();
  health_grpc_.reset();
  grpc_.reset();
  http_.reset();
  admin_http_.reset();
  scrapes_.reset();
  health_http_.reset();
}

int Daemon::metrics_port() const {
  if (scrapes_ != nullptr) {
    return scrapes_->port();
  }
  return options_.config.metrics().allow() ? http_->port() : 0;
}

int Daemon::admin_grpc_port() const { return admin_grpc_ == nullptr ? 0 : admin_grpc_->port(); }
int Daemon::admin_http_port() const { return admin_http_ == nullptr ? 0 : admin_http_->port(); }
int Daemon::health_grpc_port() const { return health_grpc_ == nullptr ? 0 : health_grpc_->port(); }
int Daemon::health_http_port() const { return health_http_ == nullptr ? 0 : health_http_->port(); }

}  // namespace omserve::server
