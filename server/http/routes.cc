// SPDX-License-Identifier: Apache-2.0
#include "server/http/routes.h"

namespace omserve::server {

std::vector<Route> MakeRoutes(const FrontDoor& door) {
  std::vector<Route> routes;
  AddInferRoutes(door, routes);  // First, since most requests are for them.
  AddGenerateRoutes(door, routes);
  AddHealthRoutes(door, routes);
  AddMetricsRoutes(door, routes);
  AddStatisticsRoutes(door, routes);  // Its "stats" is no model's name.
  AddTraceRoutes(door, routes);
  AddMetadataRoutes(door, routes);
  AddRepositoryRoutes(door, routes);
  AddControlRoutes(door, routes);
  AddSharedMemoryRoutes(door, routes);
  AddLoggingRoutes(routes);
  AddOpenApiRoute(door, routes);
  return routes;
}

}  // namespace omserve::server
