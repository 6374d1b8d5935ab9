// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tests/scheduler/core_harness.h"
#include "tests/sim/core_checker.h"

namespace omserve::scheduler {

void CheckerCounts::Add(const CheckerCounts& other) {
  for (size_t i = 0; i < outcomes.size(); ++i) {
    outcomes[i] += other.outcomes[i];
  }
  for (size_t i = 0; i < reasons.size(); ++i) {
    reasons[i] += other.reasons[i];
  }
  for (size_t i = 0; i < refusals.size(); ++i) {
    refusals[i] += other.refusals[i];
  }
  launches += other.launches;
  launches_ahead += other.launches_ahead;
  launches_behind += other.launches_behind;
  launches_overtaken += other.launches_overtaken;
  waits_for_siblings += other.waits_for_siblings;
  models_added += other.models_added;
  unloads += other.unloads;
  unloads_busy += other.unloads_busy;
  places_reused += other.places_reused;
  versions_switched += other.versions_switched;
  versions_switched_busy += other.versions_switched_busy;
  versions_switched_back += other.versions_switched_back;
  answers_by_replaced += other.answers_by_replaced;
  loads_given_up += other.loads_given_up;
  pipelines_rebuilt += other.pipelines_rebuilt;
  pipelines_rebuilt_busy += other.pipelines_rebuilt_busy;
  replaced_memory_first += other.replaced_memory_first;
  models_evicted += other.models_evicted;
  models_returned += other.models_returned;
  sets_given += other.sets_given;
  sets_taken_busy += other.sets_taken_busy;
  registry_lost += other.registry_lost;
  registry_mending += other.registry_mending;
  registry_draining += other.registry_draining;
  shared += other.shared;
  two_steps += other.two_steps;
  host_steps += other.host_steps;
  delayed += other.delayed;
  together_accepted += other.together_accepted;
  together_refused += other.together_refused;
  launches_delayed += other.launches_delayed;
  kept_in_order += other.kept_in_order;
  cache_hits += other.cache_hits;
  cache_misses += other.cache_misses;
  company_waits += other.company_waits;
  turns_asked += other.turns_asked;
  turns_waited += other.turns_waited;
  turns_used += other.turns_used;
  turns_unused += other.turns_unused;
  turns_renewed += other.turns_renewed;
  turns_lost += other.turns_lost;
  turns_late += other.turns_late;
  abandoned += other.abandoned;
  lanes_up += other.lanes_up;
  devices_lost += other.devices_lost;
  sequences += other.sequences;
  sequence_launches += other.sequence_launches;
  sequence_gaps += other.sequence_gaps;
  sequences_shared += other.sequences_shared;
  sequences_idle += other.sequences_idle;
  sequences_broken += other.sequences_broken;
  pairs_together += other.pairs_together;
  pairs_apart += other.pairs_apart;
  waits_apart += other.waits_apart;
  arena += other.arena;
  arena_together += other.arena_together;
}

std::vector<CheckerCounts::Named> CheckerCounts::All() const {
  std::vector<Named> all = {{"launches", launches, 10000},
                            {"launches ahead of their inputs", launches_ahead, 1000},
                            {"launches behind another batch", launches_behind, 1000},
                            {"launches before less urgent rows", launches_overtaken, 100},
                            {"waits for a sibling", waits_for_siblings, 100},
                            {"models added while others serve", models_added, 500},
                            {"models unloaded", unloads, 1000},
                            {"models unloaded at work", unloads_busy, 300},
                            {"models in the place of another", places_reused, 500},
                            {"versions switched", versions_switched, 1000},
                            {"versions switched at work", versions_switched_busy, 400},
                            {"versions switched back", versions_switched_back, 200},
                            {"answers by a version that was replaced", answers_by_replaced, 1000},
                            {"loads given up", loads_given_up, 300},
                            {"pipelines rebuilt", pipelines_rebuilt, 600},
                            {"pipelines rebuilt at work", pipelines_rebuilt_busy, 400},
                            {"versions replaced memory first", replaced_memory_first, 200},
                            {"models evicted", models_evicted, 400},
                            {"models returned", models_returned, 150},
                            {"output sets given to a pipeline", sets_given, 700},
                            {"output sets taken away in use", sets_taken_busy, 10},
                            {"registry events on a lost device", registry_lost, 30},
                            {"registry events while lanes are mended", registry_mending, 60},
                            {"registry events in a drain", registry_draining, 500},
                            {"batches of several requests", shared, 1000},
                            {"batches of several steps", two_steps, 1000},
                            {"host steps", host_steps, 1000},
                            {"groups accepted together", together_accepted, 1000},
                            {"groups refused together", together_refused, 100},
                            {"requests delayed", delayed, 1000},
                            {"launches of delayed rows", launches_delayed, 100},
                            {"answers kept in order", kept_in_order, 1000},
                            {"cache hits", cache_hits, 500},
                            {"cache misses", cache_misses, 500},
                            {"waits for company", company_waits, 300},
                            {"turns asked for", turns_asked, 1000},
                            {"turns waited for", turns_waited, 1000},
                            {"turns used", turns_used, 1000},
                            {"turns given back unused", turns_unused, 100},
                            {"turns renewed", turns_renewed, 500},
                            {"turns lost with the device", turns_lost, 50},
                            {"turns granted too late", turns_late, 50},
                            {"lanes abandoned", abandoned, 1000},
                            {"lanes mended", lanes_up, 1000},
                            {"devices lost", devices_lost, 500},
                            {"sequences", sequences, 1000},
                            {"batches of sequences", sequence_launches, 1000},
                            {"batches with a row left out", sequence_gaps, 100},
                            {"batches of several sequences", sequences_shared, 100},
                            {"sequences that idled out", sequences_idle, 100},
                            {"sequences that were broken", sequences_broken, 100},
                            {"pairs left together", pairs_together, 40},
                            {"pairs kept apart", pairs_apart, 15},
                            {"waits for what is kept apart", waits_apart, 100},
                            {"batches in the arena", arena, 1000},
                            {"batches together in the arena", arena_together, 30}};
  for (size_t i = 0; i < outcomes.size(); ++i) {
    all.push_back({"answers: " + OutcomeName(static_cast<Outcome>(i)), outcomes[i], 100});
  }
  for (size_t i = 0; i < reasons.size(); ++i) {
    all.push_back({fmt::format("batches: {}", ReleaseReasonName(static_cast<ReleaseReason>(i))),
                   reasons[i], 100});
  }
  for (const RefusalReason reason :
       {RefusalReason::kDeadlinePassed, RefusalReason::kDeadlineTooShort,
        RefusalReason::kDeadlineUnreachable, RefusalReason::kQueueRows, RefusalReason::kQueueBytes,
        RefusalReason::kQueueTime, RefusalReason::kDraining, RefusalReason::kDeviceLost,
        RefusalReason::kUnloading}) {
    all.push_back({fmt::format("refusals: {}", RefusalReasonName(reason)),
                   refusals[static_cast<size_t>(reason)], 100});
  }
  return all;
}

std::string CheckerCounts::Missing(size_t schedules) const {
  std::string missing;
  for (const Named& named : All()) {
    if (named.count * 4000 < named.least * schedules) {
      missing += (missing.empty() ? "" : ", ") + named.name;
    }
  }
  return missing;
}

std::string CheckerCounts::ToText() const {
  std::string text;
  for (const Named& named : All()) {
    text += fmt::format("{:>12}  {}\n", named.count, named.name);
  }
  return text;
}

}  // namespace omserve::scheduler
