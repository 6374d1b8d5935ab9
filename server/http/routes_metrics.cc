// SPDX-License-Identifier: Apache-2.0
// The scrape.
#include "server/http/routes.h"

namespace omserve::server {

void AddMetricsRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  if (door.metrics == nullptr) {
    return;
  }
  routes.push_back({.verb = "GET",
                    .pattern = "/metrics",
                    .group = MethodGroup::kMetrics,
                    .handler = AtOnce([&door](const HttpRequest& /*request*/) {
                      return HttpReply{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                                       .body = door.metrics->Text()};
                    })});
}

}  // namespace omserve::server
