// SPDX-License-Identifier: Apache-2.0
// Starts inferences of requests that are there together with one wake of the devices' threads.
#pragma once

#include <functional>
#include <utility>

#include "server/core/inference.h"
#include "server/http/http_handler.h"

namespace omserve::server {

// Inference::Start, whose wake comes when the requests that are ready by now have been started.
inline absl::StatusOr<scheduler::RequestId> StartTogether(Inference& inference,
                                                          const InferCall& call,
                                                          HttpExchange& exchange,
                                                          std::function<void(InferResult)> done) {
  const bool gathers = exchange.CanGather();
  absl::StatusOr<scheduler::RequestId> id = inference.Start(call, std::move(done), !gathers);
  if (gathers && id.ok()) {
    exchange.AfterOthers([&inference] { inference.Wake(); });
  }
  return id;
}

}  // namespace omserve::server
