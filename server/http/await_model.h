// SPDX-License-Identifier: Apache-2.0
// Requests that wait until their model is back, which had made room for another one.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "server/core/front_door.h"
#include "server/http/http_handler.h"

namespace omserve::server {

// ReturningModels::Await for a request that was `refused`; `again` then runs where exchanges do.
// The request is kept.
inline bool AwaitModel(const FrontDoor& door, const absl::Status& refused,
                       const HttpRequest& request, const std::shared_ptr<HttpExchange>& exchange,
                       std::function<void(const HttpRequest& request)> again) {
  if (refused.code() != absl::StatusCode::kUnavailable ||
      !door.catalog.IsParked(request.parts.model) ||
      !door.returning.HasRoom(request.body().size())) {
    return false;  // Before the request is copied.
  }
  auto kept = std::make_shared<const HttpRequest>(request);
  return door.returning.Await(refused, request.parts.model, request.body().size(),
                              Clock::time_point::max(), [kept, exchange, again = std::move(again)] {
                                exchange->Run(kept->body().size(), [kept, again] { again(*kept); });
                              });
}

}  // namespace omserve::server
