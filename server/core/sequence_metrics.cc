// SPDX-License-Identifier: Apache-2.0
#include "server/core/sequence_metrics.h"

#include <string>

#include "server/core/metric_family.h"

namespace omserve::server {

using prometheus::MetricType;
using Counts = scheduler::SequenceTable::Counts;
using Loads = std::vector<scheduler::Engine::Load>;

namespace {

// Of all devices that hold the model.
Counts CountsOf(const Model& model, const Loads& loads) {
  Counts sum;
  for (size_t place = 0; place < loads.size(); ++place) {
    const auto& plan = model.placement->plans[place];
    if (plan == nullptr) {
      continue;
    }
    const auto index = static_cast<size_t>(plan->nodes.front().subgraph->index);
    if (index >= loads[place].sequences.size()) {
      continue;  // Added since the load was published.
    }
    const Counts& counts = loads[place].sequences[index];
    sum.active += counts.active;
    sum.backlog += counts.backlog;
    sum.slots += counts.slots;
    sum.started += counts.started;
    sum.finished += counts.finished;
    sum.expired += counts.expired;
    sum.broken += counts.broken;
    sum.not_started += counts.not_started;
  }
  return sum;
}

}  // namespace

void AddSequenceFamilies(const std::vector<CatalogEntry>& entries, const Loads& loads,
                         std::vector<prometheus::MetricFamily>& families) {
  Family active(MetricType::Gauge, "omserve_sequences_active", "Sequences that have a slot");
  Family backlog(MetricType::Gauge, "omserve_sequences_backlog", "Sequences that wait for a slot");
  Family slots(MetricType::Gauge, "omserve_sequence_slots",
               "Sequences that can be held at a time, by instances in service");
  Family started(MetricType::Counter, "omserve_sequences_started_total",
                 "Sequences begun, and begun again");
  Family ended(MetricType::Counter, "omserve_sequences_ended_total",
               "Sequences that ended: by END, idle for too long, or with a request that was lost");
  Family refused(MetricType::Counter, "omserve_sequence_requests_refused_total",
                 "Requests without START whose sequence was not open");
  for (const CatalogEntry& entry : entries) {
    if (entry.model == nullptr || entry.model->subgraph == nullptr ||
        !entry.model->subgraph->sequence.has_value()) {
      continue;
    }
    const Labels labels = LabelsOf(entry.name, entry.version);
    const Counts counts = CountsOf(*entry.model, loads);
    active.Add(labels, static_cast<double>(counts.active));
    backlog.Add(labels, static_cast<double>(counts.backlog));
    slots.Add(labels, static_cast<double>(counts.slots));
    started.Add(labels, static_cast<double>(counts.started));
    const auto add_ended = [&](const char* reason, uint64_t count) {
      Labels with_reason = labels;
      with_reason.push_back({"reason", reason});
      ended.Add(std::move(with_reason), static_cast<double>(count));
    };
    add_ended("end", counts.finished);
    add_ended("idle", counts.expired);
    add_ended("lost", counts.broken);
    refused.Add(labels, static_cast<double>(counts.not_started));
  }
  for (Family* family : {&active, &backlog, &slots, &started, &ended, &refused}) {
    families.push_back(family->Take());
  }
}

}  // namespace omserve::server
