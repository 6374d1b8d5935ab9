// SPDX-License-Identifier: Apache-2.0
// Counts and times: of all models, of one, of one version.
#include "server/core/model_messages.h"
#include "server/core/usable_models.h"
#include "server/http/message_json.h"
#include "server/http/routes.h"

namespace omserve::server {
namespace {

HttpReply StatisticsOf(const FrontDoor& door, const HttpRequest& request) {
  const PathParts& parts = request.parts;
  inference::ModelStatisticsResponse statistics;
  const absl::Status status =
      FillAllStatistics(door.catalog, door.statistics, parts.model, parts.version, &statistics);
  KeepUsable(request.caller, statistics.mutable_model_stats());
  return status.ok() ? HttpJson(200, MessageToJson(statistics)) : HttpError(status);
}

}  // namespace

void AddStatisticsRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  for (const char* pattern :
       {"/v2/models/stats", "/v2/models/{model}[/versions/{version}]/stats"}) {
    routes.push_back({.verb = "GET",
                      .pattern = pattern,
                      .group = MethodGroup::kStatistics,
                      .handler = AtOnce([&door](const HttpRequest& request) {
                        return StatisticsOf(door, request);
                      })});
  }
}

}  // namespace omserve::server
