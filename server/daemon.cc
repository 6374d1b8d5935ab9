// SPDX-License-Identifier: Apache-2.0
#include "server/daemon.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "config/metrics_check.h"
#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "server/access_settings.h"
#include "server/device_settings.h"

namespace omserve::server {
namespace {

// For answers that were given to gRPC and are on their way.
constexpr std::chrono::milliseconds kFlushGrace{5000};
// gRPC lets go of the last slices a moment after its server has ended.
constexpr std::chrono::milliseconds kReleaseGrace{2000};
constexpr std::chrono::milliseconds kReleasePoll{5};
// For a model that is being loaded, and warmed up.
constexpr std::chrono::milliseconds kLoadGrace{30'000};
// For one whose memory is being freed.
constexpr std::chrono::milliseconds kUnloadGrace{10'000};
// For a driver that is being asked how the devices are.
constexpr std::chrono::milliseconds kHealthGrace{2000};
// How often loops are asked whether they turn.
constexpr std::chrono::milliseconds kBeatInterval{1000};
constexpr int kBeatsInLimit = 8;

std::chrono::milliseconds WallMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

std::chrono::nanoseconds WallTime() { return std::chrono::system_clock::now().time_since_epoch(); }

std::chrono::milliseconds Milliseconds(int32_t count) { return std::chrono::milliseconds(count); }

int HostWorkers(const SchedulerConfig& config) {
  return config.host_workers() > 0
             ? config.host_workers()
             : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

size_t QueueBytes(const ServerConfig& config) {
  return static_cast<size_t>(config.scheduler().has_max_queue_bytes()
                                 ? config.scheduler().max_queue_bytes()
                                 : config.device().pinned_pool_bytes() / 4 * 3);
}

// Errors: kInvalidArgument for a device that is not served on.
absl::StatusOr<std::vector<scheduler::ResourceSetting>> SharedResources(
    const RateLimitConfig& config, const std::vector<const acl::Device*>& devices) {
  std::vector<scheduler::ResourceSetting> settings;
  for (const RateLimitConfig::Resource& resource : config.resources()) {
    scheduler::ResourceSetting& setting = settings.emplace_back();
    setting.name = resource.name();
    setting.count = static_cast<uint32_t>(resource.count());
    if (!resource.has_device()) {
      continue;
    }
    setting.device = resource.device();
    if (std::none_of(devices.begin(), devices.end(), [&resource](const acl::Device* device) {
          return device->id() == resource.device();
        })) {
      return InvalidArgument(
          "rate_limit.resources: '{}' is given to device {}, which is not served on",
          resource.name(), resource.device());
    }
  }
  return settings;
}

ModelRepository::Options RepositoryOptions(const ServerConfig& config) {
  const RepositoryConfig& repository = config.repository();
  ModelRepository::Options options{
      .folders = {config.model_repository().begin(), config.model_repository().end()},
      .load_models = {repository.load_models().begin(), repository.load_models().end()},
      .poll_every = std::chrono::seconds(repository.poll_seconds()),
      .load_bytes_per_second = static_cast<uint64_t>(repository.load_bytes_per_second()),
      .load_niceness = repository.load_niceness(),
      .evict_idle = std::chrono::seconds(repository.evict_idle_seconds())};
  if (repository.control_mode() == "poll") {
    options.mode = ControlMode::kPoll;
  } else if (repository.control_mode() == "explicit") {
    options.mode = ControlMode::kExplicit;
  }
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const Options& options, Clock& clock) {
  std::unique_ptr<Daemon> daemon(new Daemon(options, clock));  // NOLINT: private constructor.
  absl::Status status = daemon->OpenDevices();
  if (status.ok()) {
    status = daemon->StartScheduler();
  }
  if (status.ok()) {
    status = daemon->Listen();
  }
  if (status.ok()) {
    daemon->WatchLoops();
    status = daemon->LoadModels();
  }
  if (!status.ok()) {
    // Nothing was accepted yet, so there is nothing that could not be stopped.
    if (daemon->dispatcher_ != nullptr && daemon->Stop().code() == absl::StatusCode::kInternal) {
      // A driver hangs in a call. Waiting for it would hide why the start failed.
      static_cast<void>(daemon.release());
    }
    return status;
  }
  daemon->lifecycle_.Transition(LifecycleState::kReady);
  daemon->readiness_->Update();
  return daemon;
}

absl::Status Daemon::OpenDevices() {
  const DeviceConfig& config = options_.config.device();
  ASSIGN_OR_RETURN(runtime_, OpenRuntime(config));
  std::vector<int> ids(config.ids().begin(), config.ids().end());
  for (uint32_t id = 0; config.ids().empty() && id < runtime_->device_count(); ++id) {
    ids.push_back(static_cast<int>(id));
  }
  if (ids.size() > scheduler::Dispatcher::kMostDevices) {
    return InvalidArgument("{} devices, where {} can be served on; name fewer with device.ids",
                           ids.size(), scheduler::Dispatcher::kMostDevices);
  }
  for (const int id : ids) {
    ASSIGN_OR_RETURN(std::unique_ptr<acl::Device> device, runtime_->OpenDevice(id));
    device_views_.push_back(device.get());
    devices_.push_back(std::move(device));
  }
  // One pool for all: pinned memory is the process's, any device copies from and to it, and inputs
  // are there before their device is chosen. AscendCL ties it to the context it was made in only
  // for the call that makes it.
  RETURN_IF_ERROR(devices_.front()->Bind());
  ASSIGN_OR_RETURN(pool_, memory::HostPool::Create(
                              *devices_.front(),
                              static_cast<size_t>(config.pinned_pool_bytes()) * devices_.size()));
  return absl::OkStatus();
}

absl::Status Daemon::StartScheduler() {
  const ServerConfig& config = options_.config;
  ASSIGN_OR_RETURN(tracing_, MakeTracing(config, options_.version, &WallTime, clock_));
  statistics_ = std::make_unique<Statistics>(&WallMilliseconds);
  unloader_ = std::make_unique<Unloader>(clock_, config.repository().load_niceness());
  catalog_ = std::make_unique<Catalog>(&WallMilliseconds);
  ASSIGN_OR_RETURN(audit_, AuditLog::Open(config.log().audit_file(), &WallMilliseconds));
  ASSIGN_OR_RETURN(registry_state_, RegistryState::Open(config.repository().state_file()));
  ASSIGN_OR_RETURN(
      trust_, ModelTrust::Make(config.repository(),
                               {config.model_repository().begin(), config.model_repository().end()},
                               &WallTime));
  ASSIGN_OR_RETURN(fetcher_, SourceFetcher::Make(config, clock_, &WallMilliseconds));
  unloader_->SetListener([this](const Model& model) { catalog_->NoteGone(model); });
  std::vector<scheduler::Dispatcher::DeviceParts> parts;
  for (const std::unique_ptr<acl::Device>& device : devices_) {
    recovery_.push_back(std::make_unique<DeviceRecovery>(
        device->id(), statistics_->AddShard(), [this] { NoteDeviceChange(); },
        [this] { NoteDeviceGivenUp(); }));
    parts.push_back({.device = device.get(), .observer = recovery_.back().get()});
  }
  ASSIGN_OR_RETURN(std::vector<scheduler::ResourceSetting> resources,
                   SharedResources(config.rate_limit(), device_views_));
  const SchedulerConfig& scheduler = config.scheduler();
  const int devices = static_cast<int>(devices_.size());
  ASSIGN_OR_RETURN(
      dispatcher_,
      scheduler::Dispatcher::Start(
          parts, *pool_, clock_,
          {.device_pool_bytes = static_cast<size_t>(config.device().memory_pool_bytes()),
           .host_workers = (HostWorkers(scheduler) + devices - 1) / devices,
           .core = {.batches_per_lane = scheduler.in_flight_per_instance(),
                    .max_rows = scheduler.max_queue_rows(),
                    .max_input_bytes = QueueBytes(config),
                    .max_queue_time = Milliseconds(scheduler.max_queue_time_ms()),
                    .run_budget = {.floor = Milliseconds(scheduler.hang_floor_ms()),
                                   .ceiling = Milliseconds(scheduler.hang_timeout_ms())}},
           .recovery = {.attempts = config.device().recovery_attempts()},
           .warm_up_runs = scheduler.warm_up_runs()},
          std::move(resources)));
  readiness_ = std::make_unique<Readiness>(*catalog_, *dispatcher_, lifecycle_,
                                           config.health().strict_readiness());
  repository_ = std::make_unique<ModelRepository>(
      RepositoryOptions(config),
      LoadContext{.devices = device_views_,
                  .dispatcher = *dispatcher_,
                  .pinned_pool = *pool_,
                  .clock = clock_,
                  .unloader = *unloader_,
                  .wall_time = &WallMilliseconds,
                  .max_queue_rows = scheduler.max_queue_rows()},
      *catalog_, *statistics_, *trust_, *registry_state_, *audit_, [this] { NoteDeviceChange(); });
  returning_ = std::make_unique<ReturningModels>(
      *catalog_, *repository_, clock_, Milliseconds(config.repository().return_wait_ms()));
  control_ = std::make_unique<ModelControl>(
      std::vector<std::string>(config.model_repository().begin(), config.model_repository().end()),
      *catalog_, *registry_state_, *trust_, *audit_, clock_);
  if (config.cache().response_bytes() > 0) {
    cache_ = std::make_unique<ResponseCache>(static_cast<size_t>(config.cache().response_bytes()));
  }
  if (config.shared_memory().allow()) {
    shared_memory_ = std::make_unique<SharedMemory>(devices_.front().get());
  }
  inference_ = std::make_unique<Inference>(*dispatcher_, *pool_, clock_, *statistics_, cache_.get(),
                                           shared_memory_.get());
  if (config.device().health_interval_ms() != 0) {
    health_ = health::HealthMonitor::Start(
        MakeHealthSource(config.device(), *runtime_, device_views_, clock_),
        std::chrono::milliseconds(config.device().health_interval_ms()), clock_);
  }
  const std::chrono::milliseconds limit(config.health().loop_timeout_ms());
  if (limit.count() > 0) {
    heartbeats_ = std::make_unique<Heartbeats>(
        clock_,
        Heartbeats::Options{.interval = std::clamp(limit / kBeatsInLimit,
                                                   std::chrono::milliseconds(1), kBeatInterval),
                            .limit = limit},
        [this](const std::string& stuck) { lifecycle_.SetStuck(stuck); });
  }
  ASSIGN_OR_RETURN(access_, Access::Make(AccessOptionsOf(config), clock_));
  std::vector<double> quantiles;
  if (config.metrics().summary_latencies()) {
    ASSIGN_OR_RETURN(quantiles, config::ReadQuantiles(config.metrics().summary_quantiles()));
  }
  metrics_ = std::make_unique<Metrics>(
      Metrics::Sources{.catalog = *catalog_,
                       .repository = *repository_,
                       .unloader = *unloader_,
                       .statistics = *statistics_,
                       .dispatcher = *dispatcher_,
                       .pinned_pool = *pool_,
                       .response_cache = cache_.get(),
                       .shared_memory = shared_memory_.get(),
                       .lifecycle = lifecycle_,
                       .clock = clock_,
                       .health = health_.get(),
                       .recovery = recovery_,
                       .http = http_counters_,
                       .first_response = config.metrics().first_response(),
                       .summary_quantiles = std::move(quantiles),
                       .tracer = *tracing_.tracer,
                       .access = access_->counters(),
                       .heartbeats = heartbeats_.get(),
                       .fetcher = fetcher_.get()},
      Metrics::Build{.version = options_.version,
                     .device = runtime_->soc_name(),
                     .library = runtime_->library()});
  ASSIGN_OR_RETURN(config::HeaderPattern grpc_headers,
                   HeaderPatternOf(config, config.grpc().header_forward_pattern()));
  ASSIGN_OR_RETURN(config::HeaderPattern http_headers,
                   HeaderPatternOf(config, config.http().header_forward_pattern()));
  door_ = std::make_unique<FrontDoor>(
      FrontDoor{.catalog = *catalog_,
                .repository = *repository_,
                .control = *control_,
                .inference = *inference_,
                .large_answers = large_answers_,
                .returning = *returning_,
                .statistics = *statistics_,
                .lifecycle = lifecycle_,
                .readiness = *readiness_,
                .tracer = *tracing_.tracer,
                .metrics = config.metrics().allow() ? metrics_.get() : nullptr,
                .shared_memory = shared_memory_.get(),
                .clock = clock_,
                .access = *access_,
                .name = config.server_id(),
                .version = options_.version,
                .grpc_headers = std::move(grpc_headers),
                .http_headers = std::move(http_headers)});
  admin_door_ = std::make_unique<FrontDoor>(*door_);
  admin_door_->port = PortKind::kAdmin;
  health_door_ = std::make_unique<FrontDoor>(*door_);
  health_door_->port = PortKind::kHealth;
  return absl::OkStatus();
}

void Daemon::NoteDeviceChange() {
  // Before that the daemon is not ready anyway, and Start looks once more.
  if (lifecycle_.state() != LifecycleState::kStarting) {
    readiness_->Update();
  }
}

void Daemon::NoteDeviceGivenUp() {
  const bool serves_all =
      lifecycle_.state() == LifecycleState::kReady && readiness_->IsEveryModelServed();
  if (options_.on_device_given_up && !serves_all) {
    options_.on_device_given_up();
  }
}

// What is loaded at the start should be there already; a source that does not answer must not keep
// the daemon from serving what it has.
void Daemon::BringModels() {
  if (fetcher_ == nullptr) {
    return;
  }
  fetcher_->Start();
  const std::chrono::seconds wait(options_.config.repository().start_wait_seconds());
  if (!fetcher_->AwaitFirst(clock_.Now() + wait)) {
    OMSERVE_LOG(kWarning, "sources",
                "not all models are there after start_wait_seconds={}; going on with what is in "
                "the folders",
                wait.count());
  }
}

absl::Status Daemon::LoadModels() {
  BringModels();
  RETURN_IF_ERROR(repository_->LoadInitial());
  std::vector<std::string> failed;
  for (const CatalogEntry& entry : catalog_->List()) {
    if (entry.wanted && !entry.is_parked && entry.model == nullptr) {
      failed.push_back(entry.name);
    }
  }
  if (!failed.empty() && options_.exit_on_error) {
    return FailedPrecondition(
        "{} of the models could not be loaded ({}; the reasons are above); mend them, or serve the "
        "others with --exit-on-error=false",
        failed.size(), fmt::join(failed, ", "));
  }
  return absl::OkStatus();
}

Daemon::~Daemon() {
  OMSERVE_CHECK(dispatcher_ == nullptr || lifecycle_.state() == LifecycleState::kStopped,
                "a daemon is stopped before it is destroyed");
}

size_t Daemon::model_count() const {
  const std::vector<CatalogEntry> entries = catalog_->List();
  return static_cast<size_t>(
      std::count_if(entries.begin(), entries.end(),
                    [](const CatalogEntry& entry) { return entry.model != nullptr; }));
}

void Daemon::Wait(std::chrono::milliseconds time) {
  Mutex mu;
  CondVar nobody_notifies;
  const Clock::time_point until = clock_.Now() + time;
  const MutexLock lock(mu);
  while (clock_.WaitUntil(nobody_notifies, mu, until)) {
  }
}

void Daemon::WatchLoops() {
  if (heartbeats_ == nullptr) {
    return;
  }
  for (const auto* server : {&grpc_, &admin_grpc_, &health_grpc_}) {
    if (*server != nullptr) {
      (*server)->AddLoops(*heartbeats_);
    }
  }
  for (const auto* server : {&http_, &scrapes_, &admin_http_, &health_http_}) {
    if (*server != nullptr) {
      (*server)->AddLoops(*heartbeats_);
    }
  }
  for (size_t place = 0; place < devices_.size(); ++place) {
    heartbeats_->Add("device-" + std::to_string(devices_[place]->id()),
                     [&engine = dispatcher_->engine(place)](std::function<void()> beat) {
                       engine.RunSoon(std::move(beat));
                     });
  }
  if (options_.add_loops) {
    options_.add_loops(*heartbeats_);
  }
  heartbeats_->Start();
}

void Daemon::AwaitLargeAnswers(Clock::time_point deadline) {
  dispatcher_->Hurry();  // Also those that others wait for.
  // The other half of the time is for requests that come meanwhile.
  const Clock::time_point latest = deadline - (deadline - clock_.Now()) / 2;
  large_answers_.AwaitMade(latest);
  // As at the end: a client that takes nothing does not hold the others up.
  large_answers_.AwaitLeft(kFlushGrace, latest);
}

void Daemon::SendClientsAway(Clock::time_point deadline) {
  large_answers_.Close();
  for (const std::unique_ptr<HttpServer>* server : {&http_, &admin_http_}) {
    if (*server != nullptr) {
      (*server)->Drain();
    }
  }
  AwaitLargeAnswers(deadline);
  const auto grace = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock_.Now());
  for (const std::unique_ptr<GrpcServer>* server : {&grpc_, &admin_grpc_}) {
    if (*server != nullptr) {
      (*server)->Drain(grace + kFlushGrace);
    }
  }
}

absl::Status Daemon::Stop() {
  if (lifecycle_.state() == LifecycleState::kStopped) {
    return absl::OkStatus();
  }
  const ShutdownConfig& shutdown = options_.config.shutdown();
  const bool was_ready = lifecycle_.ready();
  lifecycle_.Transition(LifecycleState::kDraining);
  if (was_ready) {
    Wait(std::chrono::milliseconds(shutdown.drain_delay_ms()));
  }
  if (control_ != nullptr) {
    control_->EndVerification();
  }
  if (returning_ != nullptr) {
    returning_->Stop();  // Who waits for a model is refused, as all who come from now on.
  }
  const Clock::time_point deadline =
      clock_.Now() + std::chrono::milliseconds(shutdown.drain_timeout_ms());
  SendClientsAway(deadline);
  absl::Status drained = dispatcher_->Drain(deadline);
  const bool stuck = !drained.ok() && dispatcher_->request_count() > 0;
  if (fetcher_ != nullptr) {
    fetcher_->Stop();
  }
  if (repository_ != nullptr && !stuck) {
    // Who waits for a load is answered, before the front ends end.
    const absl::Status loaded = repository_->Stop(clock_.Now() + kLoadGrace);
    if (!loaded.ok()) {
      lifecycle_.Transition(LifecycleState::kStopped);
      return Internal("{}, on a device that does not finish it", MessageOf(loaded));
    }
  }
  if (heartbeats_ != nullptr) {
    heartbeats_->Stop();
  }
  lifecycle_.Transition(LifecycleState::kStopped);
  tracing_.tracer->capture().Stop();  // Whoever waits for one gets what there is.
  for (const std::unique_ptr<GrpcServer>* server : {&grpc_, &admin_grpc_, &health_grpc_}) {
    if (*server != nullptr) {
      (*server)->Stop(stuck ? std::chrono::milliseconds(0) : kFlushGrace);
    }
  }
  if (stuck) {
    return Internal("{} requests are still on the device, which does not finish them",
                    dispatcher_->request_count());
  }
  // As gRPC has it: answers that were given to it are on their way.
  const Clock::time_point flushed = clock_.Now() + kFlushGrace;
  while (http_counters_.answering > 0 && clock_.Now() < flushed) {
    Wait(kReleasePoll);
  }
  ClosePorts();
  if (tracing_.exporter != nullptr) {
    tracing_.exporter->Stop();  // All requests were answered.
  }
  catalog_->ClearCaches();
  if (unloader_ != nullptr) {
    const absl::Status freed = unloader_->Stop(clock_.Now() + kUnloadGrace);
    if (!freed.ok()) {
      return Internal("{}, on a device that does not finish it", MessageOf(freed));
    }
  }
  const Clock::time_point patience = clock_.Now() + kReleaseGrace;
  while (pool_->used_bytes() > 0 && clock_.Now() < patience) {
    Wait(kReleasePoll);
  }
  if (pool_->used_bytes() > 0) {
    return Internal("{} bytes of pinned memory are still held by connections", pool_->used_bytes());
  }
  if (health_ != nullptr) {
    RETURN_IF_ERROR(health_->Stop(clock_.Now() + kHealthGrace));
  }
  return drained;
}

}  // namespace omserve::server
