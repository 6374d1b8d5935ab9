// SPDX-License-Identifier: Apache-2.0
// What a registry of models does to the core while requests come: versions that follow each other,
// go back, fail to load, make room first; models that are evicted and return; a pipeline that is
// built anew with its step. Requests go to the version that serves when they are made.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/scheduler/core_harness.h"
#include "tests/sim/simulation.h"

namespace omserve::scheduler {

namespace {

constexpr int kPipeline = -1;  // Called in place of a model.

}  // namespace

void Simulation::MakeRegistry() {
  if (!random_.Percent(35)) {
    return;
  }
  // When all that was drawn before is there, whose places are numbered.
  const Instant from = added_at_.back();
  registry_.resize(static_cast<size_t>(random_.Between(1, 2)));
  has_pipeline_ = random_.Percent(60);
  Post(from, RegistryStep{.left = random_.Between(1, 12), .is_first = true});
  Instant at = from;
  const int gap_us = random_.Percent(40) ? 50 : random_.Between(1, 1500);
  for (int calls = random_.Between(1, 30); calls > 0; --calls) {
    at += std::chrono::microseconds(random_.Between(0, gap_us));
    const int last = static_cast<int>(registry_.size()) - 1;
    Post(at, Call{.model = random_.Between(has_pipeline_ ? kPipeline : 0, last),
                  .request = next_request_++});
  }
}

int Simulation::AddVersion(bool is_step) {
  int index = static_cast<int>(subgraphs_.size());
  if (!free_places_.empty() && random_.Percent(70)) {
    index = *free_places_.begin();
    free_places_.erase(index);
  } else {
    subgraphs_.push_back(nullptr);
  }
  Forget(index);
  std::unique_ptr<Subgraph>& subgraph = subgraphs_[static_cast<size_t>(index)];
  subgraph = RandomSubgraph(index);
  if (is_step) {
    subgraph->sequence.reset();
  }
  Add(static_cast<size_t>(index), RandomOptions(*subgraph));
  serving_.erase(index);  // It goes when the registry says so.
  return index;
}

void Simulation::Serve(RegisteredModel& model, int index) {
  model.serving = index;
  if (&model == registry_.data()) {
    RebuildPipeline();
  }
}

// The new version first: whoever fails to load changes nothing.
int Simulation::LoadVersion(RegisteredModel& model) {
  const int index = AddVersion(/*is_step=*/has_pipeline_ && &model == registry_.data());
  model.versions[index].plan =
      MakePlan({{.subgraph = subgraphs_[static_cast<size_t>(index)].get()}});
  return index;
}

void Simulation::UnloadVersion(int index) {
  registered_going_.insert(index);
  FeedAndRest(Unload{index});
}

// Over the version of its step that serves now; with none it is withdrawn.
void Simulation::RebuildPipeline() {
  if (!has_pipeline_) {
    return;
  }
  const int step = registry_.front().serving;
  const bool is_anew = pipeline_.plan != nullptr && step >= 0;
  const bool is_busy = IsHeld(pipeline_);
  pipeline_.plan = nullptr;
  if (step >= 0 && pipeline_own_ < 0) {
    pipeline_own_ = AddVersion(/*is_step=*/true);
    step_is_first_ = random_.Percent(50);
  }
  ReadOutputsOf(step < 0 ? -1 : step_is_first_ ? step : pipeline_own_);
  if (step < 0) {
    return;
  }
  const Subgraph* own = subgraphs_[static_cast<size_t>(pipeline_own_)].get();
  const Subgraph* other = subgraphs_[static_cast<size_t>(step)].get();
  pipeline_.plan = MakePlan({{.subgraph = step_is_first_ ? other : own},
                             {.subgraph = step_is_first_ ? own : other, .producers = {0}}});
  if (is_anew) {
    NoteRegistry("the pipeline is rebuilt", &CheckerCounts::pipelines_rebuilt);
    checker_->Count(&CheckerCounts::pipelines_rebuilt_busy, is_busy ? 1 : 0);
  }
}

// What later steps read has twice the memory while there is a plan of them, as engines have it.
void Simulation::ReadOutputsOf(int index) {
  if (index == read_) {
    return;
  }
  if (read_ >= 0) {
    checker_->Count(&CheckerCounts::sets_taken_busy,
                    core_->output_sets_used(read_) > sets_alone_ ? 1 : 0);
    core_->SetOutputSets(read_, sets_alone_);
  }
  read_ = index;
  if (read_ >= 0) {
    sets_alone_ = core_->output_sets(read_);
    core_->SetOutputSets(read_, 2 * sets_alone_);
    checker_->Count(&CheckerCounts::sets_given);
  }
}

bool Simulation::IsHeld(const Version& version) const {
  return std::any_of(version.calls.begin(), version.calls.end(),
                     [this](RequestId id) { return !checker_->answered(id); });
}

void Simulation::NoteRegistry(const std::string& what, size_t CheckerCounts::*count) {
  Log(fmt::format("{}us {}", now_.time_since_epoch().count() / 1000, what));
  checker_->Count(count);
  checker_->Count(&CheckerCounts::registry_lost, device_lost_ ? 1 : 0);
  checker_->Count(&CheckerCounts::registry_mending, abandoned_.empty() ? 0 : 1);
  checker_->Count(&CheckerCounts::registry_draining, draining_ ? 1 : 0);
}

void Simulation::Switch(RegisteredModel& model) {
  const int old = model.serving;
  Serve(model, LoadVersion(model));
  NoteRegistry(fmt::format("s{} follows s{}", model.serving, old),
               &CheckerCounts::versions_switched);
  checker_->Count(&CheckerCounts::versions_switched_busy, IsHeld(model.versions[old]) ? 1 : 0);
  const int before = std::exchange(model.kept, random_.Percent(50) ? old : -1);
  if (model.kept < 0) {
    UnloadVersion(old);
  }
  if (before >= 0) {
    UnloadVersion(before);
  }
}

void Simulation::SwitchBack(RegisteredModel& model) {
  const int old = model.serving;
  Serve(model, std::exchange(model.kept, old));
  NoteRegistry(fmt::format("back from s{} to s{}", old, model.serving),
               &CheckerCounts::versions_switched_back);
}

void Simulation::GiveUpLoad() {
  const int index = AddVersion(/*is_step=*/false);
  NoteRegistry(fmt::format("s{} is given up", index), &CheckerCounts::loads_given_up);
  UnloadVersion(index);
}

// Nothing serves until the old one has gone, and its memory with it.
void Simulation::ReplaceMemoryFirst(RegisteredModel& model) {
  model.replaced = std::exchange(model.serving, -1);
  Serve(model, -1);
  if (model.kept >= 0) {
    UnloadVersion(std::exchange(model.kept, -1));
  }
  UnloadVersion(model.replaced);
}

void Simulation::Evict(RegisteredModel& model) {
  const int old = std::exchange(model.serving, -1);
  Serve(model, -1);
  model.evicted = true;
  NoteRegistry(fmt::format("s{} is evicted", old), &CheckerCounts::models_evicted);
  UnloadVersion(old);
}

// An evicted model comes back for the requests that wait for it, perhaps while its last load still
// goes; one that makes room first comes when that is done.
void Simulation::Return(RegisteredModel& model) {
  NoteRegistry("a model returns", model.replaced >= 0 ? &CheckerCounts::replaced_memory_first
                                                      : &CheckerCounts::models_returned);
  model.evicted = false;
  model.replaced = -1;
  Serve(model, LoadVersion(model));
  for (const RequestId request : std::exchange(model.waiting, {})) {
    Send(model.versions[model.serving], request);
  }
}

void Simulation::Step(const RegistryStep& step) {
  if (step.is_first) {
    for (RegisteredModel& model : registry_) {
      Serve(model, LoadVersion(model));
    }
  } else {
    RegisteredModel& model =
        registry_[static_cast<size_t>(random_.Between(0, static_cast<int>(registry_.size()) - 1))];
    const int kind = random_.Between(0, 9);
    if (kind == 0) {
      GiveUpLoad();
    } else if (model.serving < 0) {
      // It makes room, or is evicted.
    } else if (model.kept >= 0 && kind <= 3) {
      SwitchBack(model);
    } else if (kind == 4) {
      ReplaceMemoryFirst(model);
    } else if (kind <= 7 && model.kept < 0 && !IsHeld(model.versions[model.serving]) &&
               !(has_pipeline_ && IsHeld(pipeline_))) {
      Evict(model);
    } else {
      Switch(model);
    }
  }
  if (step.left > 0 && checker_->violation().empty()) {
    Post(Later(2000), RegistryStep{.left = step.left - 1});
  }
}

void Simulation::Happen(const Call& call) {
  if (call.model == kPipeline) {
    if (pipeline_.plan != nullptr) {  // Else it is unavailable, and no request reaches the core.
      Send(pipeline_, call.request);
    }
    return;
  }
  RegisteredModel& model = registry_[static_cast<size_t>(call.model)];
  if (model.serving >= 0) {
    Send(model.versions[model.serving], call.request);
  } else if (model.evicted) {
    if (model.waiting.empty()) {
      Post(Later(1000), ModelReturns{static_cast<size_t>(call.model)});
    }
    model.waiting.push_back(call.request);
  }
}

void Simulation::Send(Version& version, RequestId request) {
  version.calls.push_back(request);
  FeedAndRest(ArrivalFor(request, now_, version.plan));
}

bool Simulation::GoneFromRegistry(int index) {
  if (registered_going_.erase(index) == 0) {
    return false;
  }
  free_places_.insert(index);
  for (size_t m = 0; m < registry_.size(); ++m) {
    registry_[m].versions.erase(index);
    if (registry_[m].replaced == index) {
      Post(Later(500), ModelReturns{m});
    }
  }
  return true;
}

void Simulation::NoteAnswer(const Respond& respond) {
  if (respond.outcome != Outcome::kOk) {
    return;
  }
  const auto found = requests_.find(respond.request);
  for (const RegisteredModel& model : registry_) {
    for (const auto& [index, version] : model.versions) {
      const bool is_of = found != requests_.end() && found->second.plan == version.plan;
      checker_->Count(&CheckerCounts::answers_by_replaced, is_of && index != model.serving ? 1 : 0);
    }
  }
}

}  // namespace omserve::scheduler
