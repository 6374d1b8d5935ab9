// SPDX-License-Identifier: Apache-2.0
#include "server/core/auth/restrictions.h"

#include <utility>

#include "server/core/auth/tokens.h"

namespace omserve::server {

std::optional<MethodGroup> RestrictableGroup(std::string_view name) {
  constexpr std::pair<std::string_view, MethodGroup> kGroups[] = {
      {"health", MethodGroup::kHealth},
      {"metadata", MethodGroup::kMetadata},
      {"inference", MethodGroup::kInference},
      {"shared-memory", MethodGroup::kSharedMemory},
      {"model-config", MethodGroup::kModelConfig},
      {"model-repository", MethodGroup::kModelRepository},
      {"statistics", MethodGroup::kStatistics},
      {"trace", MethodGroup::kTrace},
      {"logging", MethodGroup::kLogging}};
  for (const auto& [known, group] : kGroups) {
    if (name == known) {
      return group;
    }
  }
  return std::nullopt;
}

bool Restrictions::Add(MethodGroup group, std::string header, std::string value) {
  std::optional<Wanted>& wanted = wanted_[static_cast<size_t>(group)];
  if (wanted.has_value()) {
    return false;
  }
  wanted = Wanted{std::move(header), std::move(value)};
  return true;
}

const std::string* Restrictions::Missing(MethodGroup group, const Evidence& evidence) const {
  const std::optional<Wanted>& wanted = wanted_[static_cast<size_t>(group)];
  if (!wanted.has_value() || AreEqual(evidence.Field(wanted->header), wanted->value)) {
    return nullptr;
  }
  return &wanted->header;
}

}  // namespace omserve::server
