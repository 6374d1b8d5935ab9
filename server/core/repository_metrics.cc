// SPDX-License-Identifier: Apache-2.0
#include "server/core/repository_metrics.h"

#include <array>

#include "server/core/metric_family.h"

namespace omserve::server {

using prometheus::MetricType;

void AddRepositoryFamilies(const ModelRepository& repository,
                           const std::vector<CatalogEntry>& entries,
                           const std::map<std::string, TransitionCounts>& transitions,
                           size_t unloading, std::vector<prometheus::MetricFamily>& families) {
  const auto count = [&families](const char* name, const char* help,
                                 const std::atomic<uint64_t>& value) {
    Family family(MetricType::Counter, name, help);
    family.Add({}, static_cast<double>(value.load(std::memory_order_relaxed)));
    families.push_back(family.Take());
  };
  const RepositoryCounters& counters = repository.counters();
  count("omserve_model_loads_total", "Model versions that were loaded", counters.loads);
  count("omserve_model_load_failures_total",
        "Loads of model versions, or readings of models, that failed", counters.load_failures);
  count("omserve_model_unloads_total", "Model versions that were withdrawn from service",
        counters.unloads);
  count("omserve_model_control_refusals_total",
        "Requests to load or unload that the control mode or their parameters do not allow",
        counters.refusals);
  count("omserve_repository_poll_failures_total", "Looks at the repository that failed",
        counters.poll_failures);
  count("omserve_model_rollbacks_total",
        "Loads on probation that did worse than those before, which serve again",
        counters.rollbacks);
  count("omserve_models_parked_total", "Idle models that were unloaded to make room for others",
        counters.parked);
  count("omserve_models_returned_total", "Models that made room and came back when asked for",
        counters.returned);
  const TrustCounters& trust = repository.trust_counters();
  Family signatures(MetricType::Counter, "omserve_model_signatures_total",
                    "Versions whose signatures were asked for: good, warned of, or refused");
  const auto add = [&signatures](const char* result, const std::atomic<uint64_t>& value) {
    signatures.Add({{"result", result}},
                   static_cast<double>(value.load(std::memory_order_relaxed)));
  };
  add("good", trust.verified);
  add("warned", trust.warnings);
  add("refused", trust.refusals);
  families.push_back(signatures.Take());
  std::array<int, kVersionStates> states{};
  int overwritten = 0;
  for (const CatalogEntry& entry : entries) {
    overwritten += entry.is_overwritten ? 1 : 0;
    ++states.at(static_cast<size_t>(entry.state));
  }
  Family by_state(MetricType::Gauge, "omserve_model_versions", "Lines of the index by state");
  for (int state = 0; state < kVersionStates; ++state) {
    by_state.Add({{"state", std::string(VersionStateName(static_cast<VersionState>(state)))}},
                 states.at(static_cast<size_t>(state)));
  }
  families.push_back(by_state.Take());
  Family into(MetricType::Counter, "omserve_model_transitions_total",
              "How often versions of a model came into a state");
  for (const auto& [model, counts] : transitions) {
    for (int state = 0; state < kVersionStates; ++state) {
      into.Add({{"model", model},
                {"state", std::string(VersionStateName(static_cast<VersionState>(state)))}},
               static_cast<double>(counts.at(static_cast<size_t>(state))));
    }
  }
  families.push_back(into.Take());
  Family waiting(MetricType::Gauge, "omserve_model_loads_to_free",
                 "Loads that no request holds any longer and whose memory is being freed");
  waiting.Add({}, static_cast<double>(unloading));
  families.push_back(waiting.Take());
  Family written(MetricType::Gauge, "omserve_model_files_overwritten",
                 "Versions that serve while their files were written into");
  written.Add({}, overwritten);
  families.push_back(written.Take());
}

}  // namespace omserve::server
