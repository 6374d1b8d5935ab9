// SPDX-License-Identifier: Apache-2.0
#include "server/core/catalog.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include "config/nearest_name.h"
#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "server/core/version_policy.h"

namespace omserve::server {
namespace {

// Names come from clients; a message shows no more of them than this.
constexpr size_t kShownNameBytes = 256;

using CacheSet = std::set<std::shared_ptr<scheduler::StepCache>>;

void AddCaches(const Model& model, CacheSet& caches) {
  for (const scheduler::PlanNode& node : model.plan->nodes) {
    if (node.cache != nullptr) {
      caches.insert(node.cache);
    }
  }
}

void LogLoaded(const Model& model) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(model.load_time).count();
  if (model.is_pipeline) {
    OMSERVE_LOG(kInfo, "catalog", "pipeline ready name={} version={} steps={} max_batch={}",
                model.name, model.version, model.plan->nodes.size(), model.config.max_batch_size());
    return;
  }
  OMSERVE_LOG(kInfo, "catalog",
              "model ready name={} version={} max_batch={} gears=\"{}\" load_ms={}", model.name,
              model.version, model.config.max_batch_size(), model.subgraph->shape.BucketsToString(),
              ms);
  for (const DeviceShare& share : model.shares) {
    OMSERVE_LOG(kInfo, "catalog",
                "model placed name={} version={} device={} instances={} weight_bytes={} "
                "work_bytes={}",
                model.name, model.version, share.device, share.instances, share.weight_bytes,
                share.work_bytes);
  }
}

}  // namespace

bool MayPass(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kResourceExhausted;
}

// The line of `version`, or of the highest version served when it is 0 or below (the highest of all
// when none is served); null when there is none.
const Catalog::Line* Catalog::Choose(const Lines& lines, int64_t version) {
  if (version > 0) {
    const auto found = lines.find(version);
    return found == lines.end() ? nullptr : &found->second;
  }
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (line->second.model != nullptr) {
      return &line->second;
    }
  }
  return lines.empty() ? nullptr : &lines.rbegin()->second;
}

const Catalog::Line* Catalog::ChooseShare(const Lines& lines, const ModelRoutes& routes,
                                          uint64_t place) {
  const size_t first = ShareAt(routes.traffic, place);
  for (size_t i = 0; i < routes.traffic.size(); ++i) {
    const TrafficShare& share = routes.traffic[(first + i) % routes.traffic.size()];
    const auto line = lines.find(routes.labels.at(share.label));
    if (line != lines.end() && line->second.model != nullptr) {
      return &line->second;
    }
  }
  return nullptr;
}

const ModelRoutes* Catalog::RoutesOf(const std::string& name) const {
  const auto found = routes_.find(name);
  return found == routes_.end() ? nullptr : &found->second;
}

absl::StatusOr<ModelHandle> Catalog::Find(const std::string& name, const std::string& version,
                                          std::string_view key, Turn turn) const {
  const std::string shown = name.substr(0, kShownNameBytes);
  const MutexLock lock(mu_);
  const ModelRoutes* routes = RoutesOf(name);
  std::optional<int64_t> wanted;
  if (routes != nullptr && routes->labels.contains(version)) {
    wanted = routes->labels.at(version);
  } else {
    ASSIGN_OR_RETURN(wanted, ParseVersion(version));
  }
  const auto found = models_.find(name);
  const bool is_known =
      found != models_.end() && (found->second.size() > 1 || found->second.begin()->first != 0 ||
                                 found->second.begin()->second.wanted);
  if (!is_known) {
    return NotFound("Request for unknown model: '{}' is not found", shown);
  }
  if (routes != nullptr && !wanted.has_value() && !routes->traffic.empty()) {
    const bool is_first = key.empty() && turn == Turn::kFirst;
    const uint64_t place =
        is_first ? 0 : (key.empty() ? PlaceOfNumber(next_turn_++) : PlaceOfKey(name, key));
    const Line* line = ChooseShare(found->second, *routes, place);
    if (line != nullptr && key.empty() && line->model->config.has_sequence_batching()) {
      line = ChooseShare(found->second, *routes, 0);
    }
    if (line == nullptr) {
      // Not to a version that no share names: that is what shares are there for.
      return Unavailable(
          "Request for unknown model: '{}' has shares of traffic, and none of their versions is at "
          "ready state",
          shown);
    }
    return line->model;
  }
  const Line* line = Choose(found->second, wanted.value_or(0));
  if (line == nullptr) {
    return NotFound("Request for unknown model: '{}' version {} is not found", shown, *wanted);
  }
  if (line->model == nullptr && wanted.has_value()) {
    return Unavailable("Request for unknown model: '{}' version {} is not at ready state: {}",
                       shown, *wanted, MessageOf(line->status));
  }
  if (line->model == nullptr) {
    return Unavailable("Request for unknown model: '{}' has no available versions: {}", shown,
                       MessageOf(line->status));
  }
  return line->model;
}

absl::StatusOr<ModelHandle> Catalog::FindStep(const std::string& name, int64_t version) const {
  const MutexLock lock(mu_);
  const auto found = models_.find(name);
  if (found == models_.end()) {
    std::vector<std::string> known;
    for (const auto& [model, lines] : models_) {
      known.push_back(model);
    }
    return NotFound("model '{}' is {}", name, config::UnknownName(name, "models", known));
  }
  const Line* line = Choose(found->second, version);
  if (line == nullptr) {
    return NotFound("model '{}' has no version {} among those served", name, version);
  }
  if (line->model == nullptr && !line->wanted) {
    return Unavailable("model '{}' is not loaded", name);
  }
  if (line->model == nullptr) {
    return WithContext(line->status, fmt::format("model '{}' could not be loaded", name));
  }
  return line->model;
}

std::vector<ModelHandle> Catalog::Versions(const std::string& name) const {
  std::vector<ModelHandle> served;
  const MutexLock lock(mu_);
  const auto found = models_.find(name);
  if (found == models_.end()) {
    return served;
  }
  for (const auto& [version, line] : found->second) {
    if (line.model != nullptr) {
      served.push_back(line.model);
    }
  }
  return served;
}

std::vector<CatalogEntry> Catalog::List() const {
  std::vector<CatalogEntry> all;
  const MutexLock lock(mu_);
  for (const auto& [name, lines] : models_) {
    for (const auto& [version, line] : lines) {
      const long handles = line.model != nullptr ? line.model.use_count() - 1  // NOLINT: the type.
                                                 : line.drained.use_count();
      all.push_back(
          {.name = name,
           .version = version,
           .state = line.state,
           .next = line.next,
           .reason = line.reason,
           .since = line.since,
           .model = line.model,
           .status = line.status,
           .wanted = line.wanted,
           .holders = static_cast<size_t>(handles),
           .is_parked = line.leaving == Leaving::kParked,
           .is_overwritten = line.model != nullptr && line.overwritten == line.model->load});
    }
  }
  return all;
}

std::vector<std::shared_ptr<scheduler::StepCache>> Catalog::Caches(const std::string& but,
                                                                   int64_t but_version) const {
  CacheSet caches;
  CacheSet replaced;
  CacheSet of_steps;
  const MutexLock lock(mu_);
  for (const auto& [name, lines] : models_) {
    for (const auto& [version, line] : lines) {
      if (line.model == nullptr) {
        continue;
      }
      const bool is_replaced = name == but && version == but_version;
      AddCaches(*line.model, is_replaced ? replaced : caches);
      for (size_t i = 0; is_replaced && i < line.model->steps.size(); ++i) {
        AddCaches(*line.model->steps[i], of_steps);
      }
    }
  }
  // A pipeline over another one has the caches of that one too, and those stay: only what was made
  // for this version goes, also where pipelines above it have it.
  for (const auto& cache : replaced) {
    if (!of_steps.contains(cache)) {
      caches.erase(cache);
    }
  }
  return {caches.begin(), caches.end()};
}

size_t Catalog::CachedBytes(const std::string& replaced, int64_t version) const {
  size_t bytes = 0;
  for (const auto& cache : Caches(replaced, version)) {
    bytes += cache->max_bytes();
  }
  return bytes;
}

void Catalog::ClearCaches() const {
  for (const auto& cache : Caches("", 0)) {
    cache->Clear();
  }
}

std::string Catalog::Holders() const {
  constexpr size_t kMostShown = 5;
  std::vector<std::pair<size_t, std::string>> holders;
  {
    const MutexLock lock(mu_);
    for (const auto& [name, lines] : models_) {
      for (const auto& [version, line] : lines) {
        for (size_t i = 0; line.model != nullptr && i < line.model->shares.size(); ++i) {
          const DeviceShare& share = line.model->shares[i];
          holders.emplace_back(share.loaded_bytes(), fmt::format("'{}' version {} on device {}",
                                                                 name, version, share.device));
        }
      }
    }
  }
  std::sort(holders.rbegin(), holders.rend());
  std::string text;
  for (size_t i = 0; i < std::min(kMostShown, holders.size()); ++i) {
    text += fmt::format("{}{} has {}", i == 0 ? "; of others " : ", ", holders[i].second,
                        holders[i].first);
  }
  return text;
}

void Catalog::Move(const std::string& name, int64_t version, Line& line, VersionState to,
                   const std::string& reason) {
  const bool is_beside = line.next.has_value();
  VersionState& state = is_beside ? *line.next : line.state;
  const VersionState from = state;
  Transition(state, to);
  ++transitions_[name].at(static_cast<size_t>(to));
  OMSERVE_LOG(kInfo, "catalog", "version state name={} version={} from={} to={} reason=\"{}\"",
              name, version, VersionStateName(from), VersionStateName(to), reason);
  line.reason = reason;
  line.since = wall_time_();
  if (is_beside && !IsComing(to)) {
    line.next.reset();
  }
}

void Catalog::Know(const std::string& name) {
  const MutexLock lock(mu_);
  if (models_.find(name) == models_.end()) {
    models_[name][0] = {.reason = "not loaded",
                        .since = wall_time_(),
                        .status = Unavailable("not loaded"),
                        .wanted = false};
  }
}

void Catalog::PassOver(const std::string& name, int64_t version, const std::string& reason) {
  const MutexLock lock(mu_);
  Lines& lines = models_[name];
  lines.erase(0);
  const Line line{.reason = reason,
                  .since = wall_time_(),
                  .status = Unavailable("{}", reason),
                  .wanted = false};
  if (lines.try_emplace(version, line).second) {
    OMSERVE_LOG(kWarning, "catalog", "version passed over name={} version={} reason=\"{}\"", name,
                version, reason);
  }
}

void Catalog::Begin(const std::string& name, int64_t version, const std::string& reason) {
  const MutexLock lock(mu_);
  Lines& lines = models_[name];
  lines.erase(0);  // From now on there are versions to tell of.
  Line& line = lines[version];
  line.wanted = true;
  line.forgotten = false;
  if (line.state == VersionState::kReady) {
    line.next = VersionState::kDiscovered;
  } else {
    line.status = Unavailable("loading");
  }
  Move(name, version, line, VersionState::kVerifying, reason);
}

void Catalog::Advance(const std::string& name, int64_t version, VersionState to,
                      const std::string& reason) {
  const MutexLock lock(mu_);
  Move(name, version, models_.at(name).at(version), to, reason);
}

void Catalog::Serve(ModelHandle model, const std::string& reason) {
  LogLoaded(*model);
  ModelHandle before;  // Let go outside the lock.
  const MutexLock lock(mu_);
  Line& line = models_[model->name][model->version];
  Move(model->name, model->version, line, VersionState::kReady, reason);
  line.status = absl::OkStatus();
  line.leaving = Leaving::kUnloaded;
  before = std::exchange(line.model, std::move(model));
}

void Catalog::PutBack(ModelHandle model, const std::string& reason) {
  ModelHandle before;  // Let go outside the lock.
  const MutexLock lock(mu_);
  Line& line = models_.at(model->name).at(model->version);
  line.next = VersionState::kWarming;  // It is warm.
  Move(model->name, model->version, line, VersionState::kReady, reason);
  before = std::exchange(line.model, std::move(model));
}

bool Catalog::IsParked(const std::string& name) const {
  const MutexLock lock(mu_);
  const auto found = models_.find(name);
  bool is_any = false;
  if (found != models_.end()) {
    for (const auto& [version, line] : found->second) {
      if (line.model != nullptr) {
        return false;
      }
      is_any = is_any || line.leaving == Leaving::kParked;
    }
  }
  return is_any;
}

void Catalog::Fail(const std::string& name, int64_t version, const absl::Status& why) {
  OMSERVE_LOG(kError, "catalog", "model not loaded name={} version={} error=\"{}\"", name, version,
              MessageOf(why));
  const MutexLock lock(mu_);
  Lines& lines = models_[name];
  if (version == 0) {
    const Line* line = Choose(lines, 0);
    if (line != nullptr && line->model != nullptr) {
      return;
    }
  }
  Line& line = lines[version];
  line.wanted = true;
  if (line.next.has_value() || line.state != VersionState::kFailed) {
    Move(name, version, line, VersionState::kFailed, std::string(MessageOf(why)));
  }
  if (line.state == VersionState::kFailed) {
    line.status = why;
    if (!MayPass(why)) {
      line.leaving = Leaving::kUnloaded;
    }
  }
}

void Catalog::Withdraw(const std::string& name, int64_t version, const absl::Status& why,
                       bool wanted, Leaving leaving) {
  ModelHandle before;  // Let go outside the lock.
  {
    const MutexLock lock(mu_);
    Line& line = models_[name][version];
    line.wanted = wanted;
    line.leaving = leaving;
    if (!why.ok()) {
      line.status = why;
    }
    if (line.state == VersionState::kFailed && !wanted) {
      Move(name, version, line, VersionState::kUnloaded, std::string(MessageOf(why)));
    }
    if (line.state != VersionState::kReady) {
      return;
    }
    const std::optional<VersionState> coming = std::exchange(line.next, std::nullopt);
    Move(name, version, line, VersionState::kDraining, std::string(MessageOf(why)));
    line.draining = line.model->load;
    line.drained = line.model;
    if (coming.has_value()) {
      line.state = *coming;  // The line is now that of the load that comes.
    }
    before = std::move(line.model);
  }
}

void Catalog::NoteGone(const Model& model) {
  const MutexLock lock(mu_);
  const auto found = models_.find(model.name);
  if (found == models_.end()) {
    return;
  }
  const auto at = found->second.find(model.version);
  if (at == found->second.end() || at->second.state != VersionState::kDraining ||
      at->second.draining != model.load) {
    return;  // Another load of it has its place.
  }
  Line& line = at->second;
  Move(model.name, model.version, line,
       line.leaving == Leaving::kFailed ? VersionState::kFailed : VersionState::kUnloaded,
       std::string(MessageOf(line.status)));
  if (line.forgotten) {
    found->second.erase(at);
    DropEmpty(model.name);
  }
}

void Catalog::NoteOverwritten(const Model& model) {
  const MutexLock lock(mu_);
  const auto found = models_.find(model.name);
  if (found == models_.end()) {
    return;
  }
  const auto line = found->second.find(model.version);
  if (line != found->second.end() && line->second.model != nullptr &&
      line->second.model->load == model.load) {
    line->second.overwritten = model.load;
  }
}

bool Catalog::IsKnown(const std::string& name) const {
  const MutexLock lock(mu_);
  return models_.contains(name);
}

void Catalog::SetRoutes(const std::string& name, const ModelRoutes& routes) {
  const MutexLock lock(mu_);
  routes_[name] = routes;
  if (routes == ModelRoutes()) {
    routes_.erase(name);
  }
  shares_traffic_.store(
      std::any_of(routes_.begin(), routes_.end(),
                  [](const auto& entry) { return !entry.second.traffic.empty(); }),
      std::memory_order_relaxed);
}

ModelRoutes Catalog::Routes(const std::string& name) const {
  const MutexLock lock(mu_);
  const ModelRoutes* routes = RoutesOf(name);
  return routes == nullptr ? ModelRoutes() : *routes;
}

void Catalog::Forget(const std::string& name) {
  const MutexLock lock(mu_);
  const auto found = models_.find(name);
  if (found == models_.end()) {
    return;
  }
  for (auto& [version, line] : found->second) {
    OMSERVE_CHECK(line.model == nullptr, "a model is withdrawn before it is forgotten");
    line.forgotten = true;
  }
  std::erase_if(found->second,
                [](const auto& entry) { return entry.second.state != VersionState::kDraining; });
  DropEmpty(name);
}

void Catalog::DropEmpty(const std::string& name) {
  if (models_.at(name).empty()) {
    models_.erase(name);
    transitions_.erase(name);
  }
}

}  // namespace omserve::server
