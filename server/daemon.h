// SPDX-License-Identifier: Apache-2.0
// The daemon put together: every object in order, and taken apart in the reverse one.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/omserve/server_config.pb.h"
#include "runtime/acl/device.h"
#include "runtime/base/clock.h"
#include "runtime/health/health_monitor.h"
#include "runtime/memory/host_pool.h"
#include "scheduler/dispatcher.h"
#include "server/core/audit_log.h"
#include "server/core/auth/access.h"
#include "server/core/catalog.h"
#include "server/core/device_recovery.h"
#include "server/core/heartbeats.h"
#include "server/core/http_counters.h"
#include "server/core/inference.h"
#include "server/core/large_answers.h"
#include "server/core/lifecycle.h"
#include "server/core/metrics.h"
#include "server/core/model_control.h"
#include "server/core/model_repository.h"
#include "server/core/model_trust.h"
#include "server/core/readiness.h"
#include "server/core/registry_state.h"
#include "server/core/source_fetcher.h"
#include "server/core/statistics.h"
#include "server/core/unloader.h"
#include "server/grpc/grpc_server.h"
#include "server/http/http_server.h"
#include "server/tracing_setup.h"

namespace omserve::server {

// Thread-compatible. Stop before destruction.
class Daemon final {
 public:
  struct Options {
    ServerConfig config;  // Valid.
    std::string version;
    // True: a model that cannot be loaded is a failed start.
    bool exit_on_error = true;
    // Runs when a device could not be recovered in device.recovery_attempts and a model is served
    // by no other; must not block.
    std::function<void()> on_device_given_up = nullptr;
    // Adds loops beside the daemon's own to those that are looked at.
    std::function<void(Heartbeats&)> add_loops = nullptr;
  };
  // Opens the devices, listens, and loads the models; returns when they are served. Health and
  // metrics answer, as "not ready", while models load. Errors name the part that failed.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(const Options& options, Clock& clock);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  int grpc_port() const { return grpc_->port(); }
  int http_port() const { return http_->port(); }
  // Where metrics are: http_port() where there is no other port for them; 0 where there are none.
  int metrics_port() const;
  // 0 where there are none, and for Unix sockets.
  int admin_grpc_port() const;
  int admin_http_port() const;
  int health_grpc_port() const;
  int health_http_port() const;
  size_t model_count() const;  // Model versions that are served.
  const std::string& device_name() const { return runtime_->soc_name(); }

  // Reports "not ready", waits for the configured delay, lets large answers leave, refuses new
  // requests, finishes those under way or cancels them when the drain's time is over, and closes
  // the ports. Blocks. Idempotent. kDeadlineExceeded when requests had to be cancelled; kInternal
  // when the device does not let go of its work: then nothing can be freed, and the process must
  // end without destroying this.
  absl::Status Stop();

 private:
  explicit Daemon(const Options& options, Clock& clock) : options_(options), clock_(clock) {}
  absl::Status OpenDevices();
  absl::Status StartScheduler();
  void NoteDeviceChange();
  void NoteDeviceGivenUp();
  absl::Status Listen();
  absl::Status ListenForScrapers();
  absl::Status ListenForProbes();
  absl::Status ListenForOperators();
  void WatchLoops();
  // Returns when gRPC's clients can be told to go without the loss of a large answer, or half-way
  // to `deadline`.
  void AwaitLargeAnswers(Clock::time_point deadline);
  // Before `deadline`, until when requests may take.
  void SendClientsAway(Clock::time_point deadline);
  void ClosePorts();
  void BringModels();
  absl::Status LoadModels();
  void Wait(std::chrono::milliseconds time);

  const Options options_;
  Clock& clock_;

  // In the order of construction; destroyed in the reverse one.
  Lifecycle lifecycle_;
  std::unique_ptr<acl::Runtime> runtime_;
  // By place: in the order of device.ids, or of the ids where that is empty.
  std::vector<std::unique_ptr<acl::Device>> devices_;
  std::vector<const acl::Device*> device_views_;
  std::unique_ptr<memory::HostPool> pool_;
  std::unique_ptr<Statistics> statistics_;
  std::vector<std::unique_ptr<DeviceRecovery>> recovery_;  // By place.
  // Both before the dispatcher, whose engines run what they hold.
  std::unique_ptr<Unloader> unloader_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<scheduler::Dispatcher> dispatcher_;
  std::unique_ptr<Readiness> readiness_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<RegistryState> registry_state_;
  std::unique_ptr<ModelTrust> trust_;
  std::unique_ptr<SourceFetcher> fetcher_;  // Null: models come from nowhere.
  std::unique_ptr<ModelRepository> repository_;
  std::unique_ptr<ModelControl> control_;
  std::unique_ptr<ReturningModels> returning_;
  std::unique_ptr<ResponseCache> cache_;         // Null: no answers are kept.
  std::unique_ptr<SharedMemory> shared_memory_;  // Null: clients may share none.
  std::unique_ptr<Inference> inference_;
  LargeAnswers large_answers_{clock_};
  std::unique_ptr<health::HealthMonitor> health_;  // Null when it is configured off.
  HttpCounters http_counters_;
  Tracing tracing_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<Heartbeats> heartbeats_;  // Null when it is configured off.
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<FrontDoor> door_;
  std::unique_ptr<FrontDoor> admin_door_;   // The same for operators,
  std::unique_ptr<FrontDoor> health_door_;  // and for probes.
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<HttpServer> scrapes_;     // Null without a port for metrics alone,
  std::unique_ptr<GrpcServer> admin_grpc_;  // for operators,
  std::unique_ptr<HttpServer> admin_http_;
  std::unique_ptr<GrpcServer> health_grpc_;  // and for probes.
  std::unique_ptr<HttpServer> health_http_;
};

}  // namespace omserve::server
