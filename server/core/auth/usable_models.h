// SPDX-License-Identifier: Apache-2.0
// Lists of models, for those who may not know of all.
#pragma once

#include <algorithm>

#include "server/core/auth/access.h"

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

}  // namespace omserve::server
