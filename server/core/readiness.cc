// SPDX-License-Identifier: Apache-2.0
#include "server/core/readiness.h"

#include <algorithm>
#include <vector>

#include "runtime/base/status_macros.h"

namespace omserve::server {

absl::StatusOr<bool> Readiness::IsModelReady(const std::string& name,
                                             const std::string& version) const {
  ASSIGN_OR_RETURN(const ModelHandle model, catalog_.Find(name, version));
  return lifecycle_.state() == LifecycleState::kReady && dispatcher_.Serves(*model->placement);
}

bool Readiness::IsEveryModelServed() const {
  const std::vector<CatalogEntry> entries = catalog_.List();
  return std::all_of(entries.begin(), entries.end(), [this](const CatalogEntry& entry) {
    return entry.model == nullptr || dispatcher_.Serves(*entry.model->placement);
  });
}

bool Readiness::IsConverged() const {
  const std::vector<CatalogEntry> entries = catalog_.List();
  return lifecycle_.state() == LifecycleState::kReady && IsEveryModelServed() &&
         std::none_of(entries.begin(), entries.end(), [](const CatalogEntry& entry) {
           return entry.wanted && !entry.is_parked && entry.model == nullptr;
         });
}

void Readiness::Update() {
  // Two devices may tell of changes at once, and the one that looked first may be the last to say
  // so: whoever finds that what it said no longer holds says it again.
  bool said = false;
  do {
    said = IsEveryModelServed();
    lifecycle_.SetModelsServed(said || !strict_);
  } while (IsEveryModelServed() != said);
}

}  // namespace omserve::server
