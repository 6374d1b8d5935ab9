// SPDX-License-Identifier: Apache-2.0
// Loads on probation: what they replaced stays loaded until they have shown that they do no worse.
#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "runtime/base/digest.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "server/core/model_repository.h"
#include "server/core/version_policy.h"

namespace omserve::server {
namespace {

// Between two looks at how loads on probation do.
constexpr std::chrono::milliseconds kVerdictEvery{250};

}  // namespace

// Empty where they cannot be read.
std::string ModelRepository::PrintOf(const registry::ModelFolder& folder, int64_t version) {
  const absl::StatusOr<std::string> print = registry::Fingerprint(folder, version);
  return print.ok() ? HexOf(DigestOf(*print)) : "";
}

ServedCounts ModelRepository::CountsOf(const std::string& name, int64_t version) const {
  for (const ModelStatistics& counted : statistics_.Snapshot()) {
    if (counted.name == name && counted.version == version) {
      return server::CountsOf(counted);
    }
  }
  return {};
}

bool ModelRepository::WasRolledBack(const Source& source, int64_t version) const {
  const ModelRecord record = state_.Get(source.folder.name);
  const auto found = record.rolled_back.find(version);
  return found != record.rolled_back.end() && !found->second.empty() &&
         found->second == PrintOf(source.folder, version);
}

std::optional<ModelRepository::Trial> ModelRepository::PrepareTrial(const Source& source,
                                                                    int64_t version,
                                                                    std::string print) const {
  const std::string& name = source.folder.name;
  const ProbationBounds bounds = BoundsOf(source.config.config.replacement());
  if (bounds.duration == Clock::duration::zero()) {
    return std::nullopt;
  }
  Trial trial{.model = name, .version = version, .bounds = bounds, .print = std::move(print)};
  const absl::StatusOr<ModelHandle> same = catalog_.FindStep(name, version);
  const absl::StatusOr<ModelHandle> last = catalog_.FindStep(name, 0);
  const auto kept = SelectVersions(source.config.config.version_policy(), source.folder.versions);
  if (same.ok()) {
    trial.previous = *same;
  } else if (last.ok() && (*last)->version < version &&
             !(kept.ok() && std::ranges::find(*kept, (*last)->version) != kept->end())) {
    trial.previous = *last;  // Which the policy no longer asks for.
  } else {
    return std::nullopt;  // It takes nobody's place.
  }
  trial.previous_counts = CountsOf(name, trial.previous->version);
  // What is on probation itself has not shown yet that it can be gone back to.
  for (const Trial& other : trials_) {
    if (other.model == name && other.version == trial.previous->version) {
      trial.previous = other.previous;
      trial.previous_counts = other.previous_counts;
    }
  }
  trial.at_start = CountsOf(name, version);
  return trial;
}

void ModelRepository::BeginTrial(Trial trial, const Model& model) {
  trial.load = model.load;
  const Clock::time_point now = context_.clock.Now();
  trial.until = now + trial.bounds.duration;
  std::erase_if(trials_, [&](const Trial& other) {
    return other.model == trial.model &&
           (other.version == trial.version || other.previous == trial.previous);
  });
  trials_.push_back(std::move(trial));
  const MutexLock lock(mu_);
  next_verdict_ = now + kVerdictEvery;
}

void ModelRepository::EndTrials(const std::string& name) {
  std::erase_if(trials_, [&name](const Trial& trial) { return trial.model == name; });
}

void ModelRepository::JudgeTrials() {
  const Clock::time_point now = context_.clock.Now();
  // A copy: what is done about one may end others, and those that go on must be seen meanwhile.
  for (const Trial& trial : std::vector<Trial>(trials_)) {
    const auto is_this = [&trial](const Trial& other) {
      return other.model == trial.model && other.load == trial.load;
    };
    if (std::none_of(trials_.begin(), trials_.end(), is_this)) {
      continue;
    }
    const absl::StatusOr<ModelHandle> serves = catalog_.FindStep(trial.model, trial.version);
    if (!serves.ok() || (*serves)->load != trial.load) {
      std::erase_if(trials_, is_this);
      WithdrawOthers(trial.model);  // Somebody has taken it away.
      continue;
    }
    const std::string worse =
        FindWorse(trial.bounds, trial.previous_counts,
                  Since(trial.at_start, CountsOf(trial.model, trial.version)));
    if (!worse.empty()) {
      std::erase_if(trials_, is_this);
      RollBack(trial, worse);
    } else if (now >= trial.until) {
      std::erase_if(trials_, is_this);
      OMSERVE_LOG(kInfo, "catalog", "probation over name={} version={} load={}", trial.model,
                  trial.version, trial.load);
      WithdrawOthers(trial.model);
    }
  }
  const MutexLock lock(mu_);
  next_verdict_ = trials_.empty() ? Clock::time_point::max() : now + kVerdictEvery;
}

void ModelRepository::RollBack(const Trial& trial, const std::string& why) {
  const std::string& name = trial.model;
  const int64_t before = trial.previous->version;
  const std::string reason = fmt::format("rolled back to version {}: {}", before, why);
  OMSERVE_LOG(kError, "catalog", "version rolled back name={} version={} load={} to={} why=\"{}\"",
              name, trial.version, trial.load, before, why);
  counters_.rollbacks.fetch_add(1, std::memory_order_relaxed);
  if (before == trial.version) {
    catalog_.PutBack(trial.previous, reason);
  } else {
    catalog_.Withdraw(name, trial.version, Unavailable("{}", reason), /*wanted=*/false,
                      Catalog::Leaving::kFailed);
  }
  ControlAction action{.by = Anybody().who,
                       .what = "rollback",
                       .model = name,
                       .arguments = {{"version", std::to_string(trial.version)}, {"why", why}}};
  const auto change = [&](ModelRecord& record) {
    record.rolled_back[trial.version] = trial.print;
    for (auto& [label, version] : record.routes.labels) {
      if (version == trial.version) {
        version = before;  // And not there and back again, as an operator may.
        record.routes.previous.erase(label);
      }
    }
    return absl::OkStatus();
  };
  action.result = state_.Change(
      name, change, [&](const ModelRecord& record) { catalog_.SetRoutes(name, record.routes); });
  if (!action.result.ok()) {
    // It cannot be kept, and counts all the same until the daemon ends.
    ModelRecord record = state_.Get(name);
    change(record).IgnoreError();
    catalog_.SetRoutes(name, record.routes);
    OMSERVE_LOG(kError, "catalog", "rollback not kept name={} error=\"{}\"", name,
                MessageOf(action.result));
  }
  audit_.Note(action);
  FollowSteps({name}, {});
}

void ModelRepository::WithdrawOthers(const std::string& name) {
  const auto wanted = wanted_.find(name);
  if (wanted == wanted_.end()) {
    return;
  }
  absl::StatusOr<std::vector<int64_t>> kept = Selected(name, wanted->second.source);
  if (!kept.ok()) {
    return;
  }
  for (const Trial& trial : trials_) {
    if (trial.model == name) {
      kept->push_back(trial.previous->version);
    }
  }
  Withdraw(name, *kept, UnloadedStatus(), /*wanted=*/false);
}

}  // namespace omserve::server
