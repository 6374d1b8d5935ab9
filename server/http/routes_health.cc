// SPDX-License-Identifier: Apache-2.0
// Probes. The status says all; the body is for KServe's client, which wants one.
#include <boost/json.hpp>

#include "server/http/routes.h"

namespace omserve::server {

void AddHealthRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  routes.push_back({.verb = "GET",
                    .pattern = "/v2/health/live",
                    .group = MethodGroup::kHealth,
                    .handler = AtOnce([&door](const HttpRequest& /*request*/) {
                      const bool live = door.lifecycle.live();
                      return HttpJson(live ? 200 : 400, {{"live", live}});
                    })});
  routes.push_back({.verb = "GET",
                    .pattern = "/v2/health/ready",
                    .group = MethodGroup::kHealth,
                    .handler = AtOnce([&door](const HttpRequest& /*request*/) {
                      const bool ready = door.lifecycle.ready();
                      return HttpJson(ready ? 200 : 400, {{"ready", ready}});
                    })});
  routes.push_back({.verb = "GET",
                    .pattern = "/v2/models/{model}[/versions/{version}]/ready",
                    .group = MethodGroup::kHealth,
                    .handler = AtOnce([&door](const HttpRequest& request) {
                      const PathParts& parts = request.parts;
                      // A model that is not there is not ready, which is an answer and no error.
                      const bool ready =
                          door.readiness.IsModelReady(parts.model, parts.version).value_or(false);
                      return HttpJson(ready ? 200 : 400, {{"name", parts.model}, {"ready", ready}});
                    })});
}

}  // namespace omserve::server
