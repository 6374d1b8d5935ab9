// SPDX-License-Identifier: Apache-2.0
// The routes of the HTTP ports, by theme: each function stands in the file that is named after it.
// Their handlers are thread-safe. `door` outlives them.
//
// Source: KServe v2's REST paths and those of Triton's extensions, and Prometheus' text format
// 0.0.4.
#pragma once

#include <vector>

#include "server/core/front_door.h"
#include "server/http/router.h"

namespace omserve::server {

// Of the whole port. The order is the one in which they are looked through.
std::vector<Route> MakeRoutes(const FrontDoor& door);

void AddInferRoutes(const FrontDoor& door, std::vector<Route>& routes);
// generate and generate_stream.
void AddGenerateRoutes(const FrontDoor& door, std::vector<Route>& routes);
void AddHealthRoutes(const FrontDoor& door, std::vector<Route>& routes);
void AddMetadataRoutes(const FrontDoor& door, std::vector<Route>& routes);
void AddStatisticsRoutes(const FrontDoor& door, std::vector<Route>& routes);
void AddRepositoryRoutes(const FrontDoor& door, std::vector<Route>& routes);
// Labels, shares of the traffic, security epochs, and the list of models that has them.
void AddControlRoutes(const FrontDoor& door, std::vector<Route>& routes);
void AddSharedMemoryRoutes(const FrontDoor& door, std::vector<Route>& routes);
void AddLoggingRoutes(std::vector<Route>& routes);  // Of the process's log.
// The description of the routes that are there before; the last.
void AddOpenApiRoute(const FrontDoor& door, std::vector<Route>& routes);
// Trace settings, and captures.
void AddTraceRoutes(const FrontDoor& door, std::vector<Route>& routes);
// /metrics; none where there are no metrics.
void AddMetricsRoutes(const FrontDoor& door, std::vector<Route>& routes);

}  // namespace omserve::server
