// SPDX-License-Identifier: Apache-2.0
// Memory for a load: what has to go, and what comes back when it is asked for.
#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "runtime/acl/shortage.h"
#include "runtime/base/errors.h"
#include "server/core/model_repository.h"

namespace omserve::server {
namespace {

// How long a load waits for the memory of those that are being unloaded.
constexpr std::chrono::seconds kFreeingGrace{10};

}  // namespace

bool ModelRepository::MakeRoom(const Source& source, int64_t version, const absl::Status& refused,
                               std::vector<int64_t>& taken) {
  const Clock::time_point until = context_.clock.Now() + kFreeingGrace;
  if (stopping_.stop_requested()) {
    return false;
  }
  // What was unloaded a moment ago had the memory that this one needs.
  if (context_.unloader.waiting() > 0 && context_.unloader.AwaitFreed(until)) {
    return true;
  }
  if (source.config.config.replacement().memory_first()) {
    const std::vector<int64_t> gone = TakeReplaced(source, version);
    taken.insert(taken.end(), gone.begin(), gone.end());
    if (!gone.empty()) {
      return true;
    }
  }
  const std::vector<std::string> idle = IdleModels(source);
  const std::optional<acl::Shortage> shortage = acl::ShortageOf(refused);
  if (idle.empty() || !shortage.has_value() || !CanFree(idle, *shortage)) {
    return false;
  }
  Park(idle.front(), source.folder.name);
  return true;
}

std::vector<int64_t> ModelRepository::TakeReplaced(const Source& source, int64_t version) {
  const std::string& name = source.folder.name;
  const std::vector<int64_t> kept = Selected(name, source).value_or(std::vector<int64_t>());
  std::vector<int64_t> gone;
  std::vector<uint64_t> loads;
  EndTrials(name);
  for (const ModelHandle& model : catalog_.Versions(name)) {
    if (model->version == version ||
        std::find(kept.begin(), kept.end(), model->version) == kept.end()) {
      gone.push_back(model->version);
      loads.push_back(model->load);
    }
  }
  for (const int64_t going : gone) {
    counters_.unloads.fetch_add(1, std::memory_order_relaxed);
    catalog_.Withdraw(
        name, going,
        Unavailable("unloaded first: there is no memory for it beside version {}", version),
        /*wanted=*/true);
  }
  if (!gone.empty()) {
    FollowSteps({name}, {});  // Pipelines over it hold it.
    context_.unloader.AwaitGone(loads, context_.clock.Now() + kFreeingGrace);
  }
  return gone;
}

std::vector<std::string> ModelRepository::IdleModels(const Source& source) const {
  if (options_.evict_idle == std::chrono::milliseconds::zero()) {
    return {};
  }
  std::map<std::pair<std::string, int64_t>, uint64_t> last_inference_ms;
  for (const ModelStatistics& counted : statistics_.Snapshot()) {
    last_inference_ms[{counted.name, counted.version}] = counted.last_inference_ms;
  }
  std::map<std::string, std::chrono::milliseconds> last_used;
  std::set<std::string> in_use{source.folder.name};
  in_use.insert(source.steps.begin(), source.steps.end());
  in_use.insert(kept_.begin(), kept_.end());
  for (const CatalogEntry& entry : catalog_.List()) {
    if (entry.model == nullptr) {
      continue;
    }
    // The catalog's handle and the entry's; a pipeline, a request or a trial would have one more.
    // What keeps state for its clients between their requests is never idle.
    if (entry.model.use_count() > 2 || entry.next.has_value() ||
        entry.model->config.has_sequence_batching()) {
      in_use.insert(entry.name);
    }
    const std::chrono::milliseconds asked(
        static_cast<int64_t>(last_inference_ms[{entry.name, entry.version}]));
    std::chrono::milliseconds& last = last_used[entry.name];
    last = std::max({last, entry.model->loaded_at, asked});
  }
  const std::chrono::milliseconds latest = context_.wall_time() - options_.evict_idle;
  std::vector<std::string> idle;
  for (const auto& [name, last] : last_used) {
    if (!in_use.contains(name) && last <= latest) {
      idle.push_back(name);
    }
  }
  std::stable_sort(idle.begin(), idle.end(), [&](const std::string& a, const std::string& b) {
    return last_used.at(a) < last_used.at(b);
  });
  return idle;
}

bool ModelRepository::CanFree(const std::vector<std::string>& models,
                              const acl::Shortage& shortage) const {
  uint64_t held = 0;
  for (const std::string& name : models) {
    for (const ModelHandle& model : catalog_.Versions(name)) {
      if (config::IsPipeline(model->config)) {
        return true;  // It has none of its own, and its steps may be idle once it has gone.
      }
      for (const DeviceShare& share : model->shares) {
        held += share.device == shortage.device ? share.loaded_bytes() : 0;
      }
    }
  }
  // What a device rounds up and keeps beside comes back too: one eighth more.
  return held + held / 8 >= shortage.missing_bytes;
}

void ModelRepository::Park(const std::string& name, const std::string& for_model) {
  std::vector<uint64_t> loads;
  for (const ModelHandle& model : catalog_.Versions(name)) {
    loads.push_back(model->load);
    counters_.unloads.fetch_add(1, std::memory_order_relaxed);
    catalog_.Withdraw(
        name, model->version,
        Unavailable("it was idle and made room for '{}'; the next request brings it back",
                    for_model),
        /*wanted=*/true, Catalog::Leaving::kParked);
  }
  counters_.parked.fetch_add(1, std::memory_order_relaxed);
  context_.unloader.AwaitGone(loads, context_.clock.Now() + kFreeingGrace);
}

void ModelRepository::ReleaseParked(const std::string& name, const std::string& step) {
  for (const CatalogEntry& entry : catalog_.List()) {
    if (entry.name == name && entry.is_parked) {
      catalog_.Withdraw(name, entry.version,
                        Unavailable("pipeline '{}': model '{}' is not loaded", name, step),
                        /*wanted=*/true);
    }
  }
}

absl::Status ModelRepository::DoBring(const std::string& name) {
  const auto wanted = wanted_.find(name);
  if (wanted == wanted_.end() || !catalog_.IsParked(name)) {
    return absl::OkStatus();
  }
  Source source = wanted->second.source;
  source.why = "it was idle, and a request asks for it";
  Want(name, source);
  std::set<std::string> tried;
  const Outcome loaded = LoadWithParts(source, tried);
  FollowSteps(loaded.changed, {name});
  counters_.returned.fetch_add(loaded.status.ok() ? 1 : 0, std::memory_order_relaxed);
  return loaded.status;
}

}  // namespace omserve::server
