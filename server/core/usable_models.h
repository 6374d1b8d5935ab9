// SPDX-License-Identifier: Apache-2.0
// Lists of models, for those who may not know of all.
#pragma once

#include <algorithm>
#include <string_view>

#include "server/core/auth/access.h"
#include "server/core/model_repository.h"

namespace omserve::server {

// Leaves those that the caller may use in `models`, a repeated field of messages with a name.
template <typename Models>
void KeepUsable(const Caller& caller, Models* models) {
  if (caller.client != nullptr) {
    models->erase(
        std::remove_if(models->begin(), models->end(),
                       [&caller](const auto& model) { return !caller.MayUse(model.name()); }),
        models->end());
  }
}

// On whose behalf models are loaded and unloaded.
inline ModelRepository::Requester RequesterOf(const Caller& caller) {
  return {.who = caller.Who(),
          .may_use = [caller](std::string_view model) { return caller.MayUse(model); }};
}

}  // namespace omserve::server
