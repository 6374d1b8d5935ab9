// SPDX-License-Identifier: Apache-2.0
// Probes. The status says all; the body is for KServe's client, which wants one.
#include <boost/json.hpp>
#include <functional>
#include <string>
#include <utility>

#include "server/http/routes.h"

namespace omserve::server {

void AddHealthRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  const auto add = [&routes](const char* word, std::function<bool()> holds) {
    routes.push_back(
        {.verb = "GET",
         .pattern = std::string("/v2/health/") + word,
         .group = MethodGroup::kHealth,
         .handler = AtOnce([word, holds = std::move(holds)](const HttpRequest& /*request*/) {
           const bool so = holds();
           return HttpJson(so ? 200 : 400, {{word, so}});
         })});
  };
  routes.push_back({.verb = "GET",
                    .pattern = "/v2/health/live",
                    .group = MethodGroup::kHealth,
                    .handler = AtOnce([&door](const HttpRequest& /*request*/) {
                      const std::string stuck = door.lifecycle.stuck();
                      if (!stuck.empty()) {
                        return HttpJson(400, {{"live", false}, {"reason", stuck}});
                      }
                      const bool live = door.lifecycle.live();
                      return HttpJson(live ? 200 : 400, {{"live", live}});
                    })});
  add("started", [&door] { return door.lifecycle.started(); });
  add("ready", [&door] { return door.lifecycle.ready(); });
  add("converged", [&door] { return door.readiness.IsConverged(); });
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
