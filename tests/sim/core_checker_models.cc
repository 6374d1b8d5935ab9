// SPDX-License-Identifier: Apache-2.0
// CoreChecker's view of models that come and go while others serve.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/core_checker.h"

namespace omserve::scheduler {

void CoreChecker::AddSubgraph(const Subgraph& subgraph, const Core::SubgraphOptions& options) {
  Expect(core_.output_sets(subgraph.index) > 0, "a subgraph has memory for its outputs");
  const auto lanes = static_cast<size_t>(options.lanes);
  const size_t gears = subgraph.shape.model_gear_count();
  SubgraphRef ref{&subgraph,
                  options,
                  std::vector<int>(lanes),
                  std::vector<bool>(lanes, !device_lost_),
                  options.costs.size() == gears ? options.costs : CostTable(gears),
                  std::vector<Turn>(lanes)};
  counts_.models_added += seen_.empty() ? 0 : 1;
  const auto index = static_cast<size_t>(subgraph.index);
  if (index == subgraphs_.size()) {
    subgraphs_.push_back(std::move(ref));
    return;
  }
  Expect(subgraphs_.at(index).gone, "a place is taken after the one before has gone");
  subgraphs_[index] = std::move(ref);
  ++counts_.places_reused;
}

bool CoreChecker::Names(const Plan& plan, const Subgraph* subgraph) {
  return std::any_of(plan.nodes.begin(), plan.nodes.end(), [subgraph](const PlanNode& node) {
    return node.on_device() && node.subgraph == subgraph;
  });
}

bool CoreChecker::IsUnloading(const Plan& plan) const {
  return std::any_of(subgraphs_.begin(), subgraphs_.end(), [&plan](const SubgraphRef& ref) {
    return ref.unloading && Names(plan, ref.subgraph);
  });
}

std::string CoreChecker::HolderOf(const SubgraphRef& ref) const {
  for (const auto& [id, request] : requests_) {
    if (Names(*request.arrival.plan, ref.subgraph)) {
      return fmt::format("r{}", id);
    }
  }
  for (const auto& [id, batch] : batches_) {
    if (batch.launch.subgraph == ref.subgraph->index && !released_.contains(id)) {
      return fmt::format("b{}", id);
    }
  }
  if (std::find(ref.serves.begin(), ref.serves.end(), false) != ref.serves.end()) {
    return "a lane that is being mended";
  }
  return device_lost_ ? "a lost device" : "";
}

void CoreChecker::Apply(const Unload& event) {
  SubgraphRef& ref = subgraphs_.at(static_cast<size_t>(event.subgraph));
  ref.unloading = true;
  ++counts_.unloads;
  counts_.unloads_busy += HolderOf(ref).empty() ? 0 : 1;
}

void CoreChecker::CheckCommand(const Unloaded& unloaded) {
  SubgraphRef& ref = subgraphs_.at(static_cast<size_t>(unloaded.subgraph));
  const std::string name = fmt::format("s{}", unloaded.subgraph);
  Expect(ref.unloading && !ref.gone, name + " goes once, when it was told to");
  const std::string holder = HolderOf(ref);
  Expect(holder.empty(), name + " goes while it is held by " + holder);
  Expect(std::none_of(ref.turns.begin(), ref.turns.end(),
                      [](const Turn& turn) { return turn.asked || turn.held; }),
         name + " goes with a turn");
  std::erase_if(sequences_, [&](const auto& entry) {
    const bool is_of = entry.second.subgraph == ref.subgraph;
    Expect(!is_of || entry.second.left.empty(), name + " goes with requests of a sequence");
    return is_of;
  });
  std::erase_if(company_,
                [&](const auto& entry) { return entry.first.first == unloaded.subgraph; });
  ref.gone = true;
}

void CoreChecker::CheckUnloadsAfter() {
  for (const SubgraphRef& ref : subgraphs_) {
    Expect(!ref.unloading || ref.gone || !HolderOf(ref).empty(),
           fmt::format("s{} goes as soon as nothing holds it", ref.subgraph->index));
    Expect(!ref.gone || (core_.output_sets(ref.subgraph->index) == 0 &&
                         core_.output_sets_used(ref.subgraph->index) == 0),
           fmt::format("s{} leaves its memory when it goes", ref.subgraph->index));
  }
}

}  // namespace omserve::scheduler
