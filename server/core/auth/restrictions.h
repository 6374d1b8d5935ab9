// SPDX-License-Identifier: Apache-2.0
// Groups of methods that are only for those who send a header with a certain value.
//
// Source: Triton's restricted protocols.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "server/core/auth/evidence.h"
#include "server/core/method_group.h"

namespace omserve::server {

// "health", "metadata", "inference", "shared-memory", "model-config", "model-repository",
// "statistics", "trace" or "logging"; nullopt for any other name.
std::optional<MethodGroup> RestrictableGroup(std::string_view name);

// Thread-compatible.
class Restrictions final {
 public:
  // `header` in lower case. False: the group has one already.
  bool Add(MethodGroup group, std::string header, std::string value);
  // The header that is missing or has another value; null: the call may go on.
  const std::string* Missing(MethodGroup group, const Evidence& evidence) const;

 private:
  struct Wanted {
    std::string header;
    std::string value;
  };
  std::array<std::optional<Wanted>, kMethodGroups> wanted_;
};

}  // namespace omserve::server
