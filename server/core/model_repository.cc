// SPDX-License-Identifier: Apache-2.0
// The repository's thread, and what is asked of it.
#include "server/core/model_repository.h"

#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"
#include "server/core/places.h"

namespace omserve::server {
ModelRepository::ModelRepository(const Options& options, const LoadContext& context,
                                 Catalog& catalog, Statistics& statistics, const ModelTrust& trust,
                                 RegistryState& state, const AuditLog& audit,
                                 std::function<void()> on_change)
    : options_(options),
      context_(context),
      catalog_(catalog),
      statistics_(statistics),
      trust_(trust),
      state_(state),
      audit_(audit),
      on_change_(std::move(on_change)),
      pace_(std::make_shared<Pace>(options.load_bytes_per_second, context.clock)) {
  if (options_.mode == ControlMode::kPoll) {
    Watch();
  }
  thread_ = StartThread("models", [this] {
    Yield(options_.load_niceness);
    Run();
  });
}

void ModelRepository::Submit(std::function<absl::Status()> run, Done done) {
  {
    const MutexLock lock(mu_);
    if (!stopping_.stop_requested()) {
      jobs_.push_back({std::move(run), std::move(done)});
      changed_.NotifyAll();
      return;
    }
  }
  done(Unavailable("the server is shutting down"));
}

absl::Status ModelRepository::LoadInitial() {
  return AwaitDone(
      [this](Done done) { Submit([this] { return DoLoadInitial(); }, std::move(done)); });
}

ModelRepository::Done ModelRepository::Noted(const char* what, const std::string& model,
                                             std::vector<std::pair<std::string, std::string>> with,
                                             const Requester& by, Done done) {
  ControlAction action{.by = by.who, .what = what, .model = model, .arguments = std::move(with)};
  return [this, action = std::move(action), start = context_.clock.Now(),
          done = std::move(done)](const absl::Status& status) mutable {
    action.result = status;
    action.took = context_.clock.Now() - start;
    audit_.Note(action);
    done(status);
  };
}

absl::Status ModelRepository::CheckAllowed(const std::string& name) {
  absl::Status allowed = CheckModelName(name);
  if (allowed.ok() && options_.mode != ControlMode::kExplicit) {
    allowed = Unavailable("explicit model load / unload is not allowed if polling is enabled");
  }
  if (!allowed.ok()) {
    counters_.refusals.fetch_add(1, std::memory_order_relaxed);
  }
  return allowed;
}

void ModelRepository::Load(const std::string& name, LoadParameters parameters, const Requester& by,
                           Done done) {
  std::vector<std::pair<std::string, std::string>> with;
  if (parameters.config.has_value()) {
    with.emplace_back("config", *parameters.config);
  }
  for (const auto& [file, bytes] : parameters.files) {
    with.emplace_back(fmt::format("file:{}", file), fmt::format("{} bytes", bytes.size()));
  }
  done = Noted("load", name, std::move(with), by, std::move(done));
  absl::Status allowed = CheckAllowed(name);
  if (allowed.ok() && !parameters.files.empty() && !parameters.config.has_value()) {
    counters_.refusals.fetch_add(1, std::memory_order_relaxed);
    allowed = InvalidArgument(
        "failed to load '{}', override model directory requires the parameter 'config' beside its "
        "files",
        name);
  }
  if (!allowed.ok()) {
    done(allowed);
    return;
  }
  Submit([this, name, asked = std::move(parameters), by] { return DoLoad(name, asked, by); },
         std::move(done));
}

void ModelRepository::Drain(const std::string& name, int64_t version, const Requester& by,
                            Done done) {
  std::vector<std::pair<std::string, std::string>> with;
  if (version != 0) {
    with.emplace_back("version", std::to_string(version));
  }
  done = Noted("drain", name, std::move(with), by, std::move(done));
  absl::Status allowed = CheckAllowed(name);
  if (allowed.ok() && version < 0) {
    allowed = InvalidArgument("version {}: expected one of 1 or more, or 0 for all", version);
  }
  if (!allowed.ok()) {
    done(allowed);
    return;
  }
  Submit(
      [this, name, version, by] {
        return version == 0 ? DoUnload(name, /*parts=*/false, by) : DoDrain(name, version);
      },
      std::move(done));
}

void ModelRepository::Bring(const std::string& name, Done done) {
  Submit([this, name] { return DoBring(name); }, std::move(done));
}

void ModelRepository::Unload(const std::string& name, bool parts, const Requester& by, Done done) {
  std::vector<std::pair<std::string, std::string>> with;
  if (parts) {
    with.emplace_back("unload_dependents", "true");
  }
  done = Noted("unload", name, std::move(with), by, std::move(done));
  const absl::Status allowed = CheckAllowed(name);
  if (!allowed.ok()) {
    done(allowed);
    return;
  }
  Submit([this, name, parts, by] { return DoUnload(name, parts, by); }, std::move(done));
}

ModelRepository::~ModelRepository() {
  Stop(Clock::time_point::max()).IgnoreError();
  if (thread_.joinable()) {
    thread_.join();
  }
}

absl::Status ModelRepository::Stop(Clock::time_point deadline) {
  std::deque<Job> left;
  {
    const MutexLock lock(mu_);
    stopping_.request_stop();
    left.swap(jobs_);
  }
  pace_->Lift();
  changed_.NotifyAll();
  for (const Job& job : left) {
    job.done(Unavailable("the server is shutting down"));
  }
  const MutexLock lock(mu_);
  while (busy_ && context_.clock.WaitUntil(changed_, mu_, deadline)) {
  }
  return busy_ ? DeadlineExceeded("a model is still being loaded") : absl::OkStatus();
}

std::optional<ModelRepository::Job> ModelRepository::NextJob() {
  const MutexLock lock(mu_);
  busy_ = false;
  changed_.NotifyAll();
  while (jobs_.empty() && !stopping_.stop_requested() && context_.clock.Now() < NextTask()) {
    context_.clock.WaitUntil(changed_, mu_, NextTask());
  }
  if (stopping_.stop_requested()) {
    return std::nullopt;
  }
  busy_ = true;
  // A verdict does not wait behind loads without end.
  if (jobs_.empty() || context_.clock.Now() >= next_verdict_) {
    return Job{.run =
                   [this] {
                     LookAndJudge();
                     return absl::OkStatus();
                   },
               .done = [](const absl::Status& /*result*/) {}};
  }
  std::optional<Job> job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

void ModelRepository::Run() {
  while (std::optional<Job> job = NextJob()) {
    absl::Status result = job->run();
    on_change_();
    job->done(std::move(result));
  }
}

absl::Status ModelRepository::UnloadedStatus() { return Unavailable("unloaded"); }

absl::Status ModelRepository::ForClients(const absl::Status& status, const Source* source) const {
  std::vector<std::string> places = options_.folders;
  if (source != nullptr && source->files != nullptr) {
    places.insert(places.begin(), source->files->path());
  }
  return WithoutPlaces(status, places);
}

absl::Status AwaitDone(const std::function<void(ModelRepository::Done)>& start) {
  Mutex mu;
  CondVar ended;
  std::optional<absl::Status> result;
  start([&](absl::Status status) {
    const MutexLock lock(mu);
    result = std::move(status);
    ended.NotifyOne();  // Under the lock: `ended` dies as soon as the waiter sees `result`.
  });
  const MutexLock lock(mu);
  while (!result.has_value()) {
    ended.Wait(mu);
  }
  return *result;
}

}  // namespace omserve::server
