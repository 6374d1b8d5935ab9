// SPDX-License-Identifier: Apache-2.0
// Whether there is a model whose trace settings are asked for.
#pragma once

#include <string>

#include "runtime/base/errors.h"
#include "server/core/catalog.h"

namespace omserve::server {

// An empty name is the server's own settings. kInvalidArgument, in Triton's words, for a model that
// is not served.
inline absl::Status CheckTraceModel(const Catalog& catalog, const std::string& model) {
  if (model.empty() || catalog.Find(model, "").ok()) {
    return absl::OkStatus();
  }
  return InvalidArgument("Request for unknown model : {}", model.substr(0, 256));
}

}  // namespace omserve::server
