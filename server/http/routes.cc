// SPDX-License-Identifier: Apache-2.0
#include "server/http/routes.h"

#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/base/status_macros.h"
#include "scheduler/refusal.h"
#include "server/http/http_status.h"

namespace omserve::server {
namespace {

boost::json::string_view View(std::string_view text) { return {text.data(), text.size()}; }

HttpReply Json(int status, const boost::json::object& body) {
  return {.status = status, .body = boost::json::serialize(body)};
}

}  // namespace

HttpReply HttpError(int status, std::string_view text) {
  return Json(status, {{"error", View(text)}});
}

HttpReply HttpError(const absl::Status& status) {
  HttpReply reply = HttpError(HttpStatusOf(status.code()), MessageOf(status));
  if (const std::optional<scheduler::Refusal> refusal = scheduler::RefusalOf(status)) {
    reply.reason = scheduler::RefusalReasonName(refusal->reason);
    // Whole seconds are all that HTTP knows.
    reply.retry_after_s =
        static_cast<int>(std::chrono::ceil<std::chrono::seconds>(refusal->retry_after).count());
  }
  return reply;
}

HttpReply HttpRoutes::Answer(std::string_view verb, std::string_view target) const {
  HttpReply reply = Get(PathOf(target));
  if (reply.status == 404 || verb == "GET" || verb == "HEAD") {
    return reply;
  }
  reply = HttpError(405, "Method Not Allowed");
  reply.allow = "GET, HEAD";
  return reply;
}

HttpReply HttpRoutes::Get(std::string_view path) const {
  if (path == "/metrics") {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = sources_.metrics.Text()};
  }
  if (path == "/v2/health/live") {
    const bool live = sources_.lifecycle.live();
    return Json(live ? 200 : 400, {{"live", live}});
  }
  if (path == "/v2/health/ready") {
    const bool ready = sources_.lifecycle.ready();
    return Json(ready ? 200 : 400, {{"ready", ready}});
  }
  if (path == "/v2" || path == "/v2/") {
    return ServerMetadata();
  }
  const absl::StatusOr<std::optional<ModelTarget>> target = ParseModelPath(path, "ready");
  if (!target.ok()) {
    return HttpError(400, MessageOf(target.status()));
  }
  if (target->has_value()) {
    return ModelReady(**target);
  }
  return HttpError(404, "Not Found");
}

HttpReply HttpRoutes::ModelReady(const ModelTarget& target) const {
  const absl::StatusOr<bool> served = sources_.readiness.IsModelReady(target.model, target.version);
  if (served.status().code() == absl::StatusCode::kNotFound) {
    return HttpError(404, MessageOf(served.status()));
  }
  const bool ready = served.value_or(false);
  return Json(ready ? 200 : 400, {{"name", View(target.model)}, {"ready", ready}});
}

HttpReply HttpRoutes::ServerMetadata() const {
  return Json(200, {{"name", View(sources_.name)},
                    {"version", View(sources_.version)},
                    {"extensions", {"binary_tensor_data", "parameters"}}});
}

}  // namespace omserve::server
