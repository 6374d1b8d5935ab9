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
                    .handler = AtOnce([&door](const HttpRequest& request) {
                      const MetricsFormat format = FormatFor(request.Field("Accept"));
                      return HttpReply{.content_type = ContentTypeOf(format),
                                       .body = Render(door.metrics->Expose(), format)};
                    })});
}

}  // namespace omserve::server
