// SPDX-License-Identifier: Apache-2.0
#include "server/core/loaded_model.h"

#include "runtime/base/status_macros.h"

namespace omserve::server {

absl::Status TakeApart(LoadedModel& loaded) {
  for (; !loaded.plans.empty(); loaded.plans.pop_back()) {
    loaded.plans.back().engine->RemovePlan(*loaded.plans.back().plan);
  }
  for (; !loaded.parts.empty(); loaded.parts.pop_back()) {
    const LoadedModel::Part& part = loaded.parts.back();
    if (part.subgraph != nullptr) {
      RETURN_IF_ERROR(part.engine->RemoveSubgraph(*part.subgraph));
    }
    part.device->Bind().IgnoreError();  // Of a device that is lost nothing has to be freed.
  }
  return absl::OkStatus();
}

}  // namespace omserve::server
