// SPDX-License-Identifier: Apache-2.0
// The settings of tracing, and captures: for some seconds every request, as a picture.
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "server/core/trace_model.h"
#include "server/core/tracing/chrome_trace.h"
#include "server/http/json_object.h"
#include "server/http/routes.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

// A text, or for trace_level texts; null takes back.
absl::StatusOr<std::vector<std::string>> ReadValue(std::string_view name,
                                                   const json::value& value) {
  const auto text = [](const json::value& one) {
    return one.is_string() ? std::string(std::string_view(one.get_string())) : json::serialize(one);
  };
  std::vector<std::string> values;
  if (value.is_null()) {
    return values;
  }
  if (value.is_array() && name == "trace_level") {
    for (const json::value& one : value.get_array()) {
      values.push_back(text(one));
    }
    if (values.empty()) {
      return InvalidArgument("'trace_level' has no level, expected OFF, TIMESTAMPS or TENSORS");
    }
    return values;
  }
  if (value.is_array() || value.is_object()) {
    return InvalidArgument("Unable to parse '{}', got: {}", name,
                           json::serialize(value).substr(0, 64));
  }
  values.push_back(text(value));
  return values;
}

// An empty body changes nothing.
absl::StatusOr<TraceValues> ReadValues(const std::string& body) {
  TraceValues values;
  ASSIGN_OR_RETURN(const json::object asked, ReadJsonObject(body, EmptyBody::kIsEmptyObject));
  for (const auto& [name, value] : asked) {
    ASSIGN_OR_RETURN(values[std::string(std::string_view(name))], ReadValue(name, value));
  }
  return values;
}

HttpReply Settings(const FrontDoor& door, const HttpRequest& request, bool changes) {
  const std::string& model = request.parts.model;
  absl::Status status = CheckTraceModel(door.catalog, model);
  if (status.ok() && changes) {
    const absl::StatusOr<TraceValues> values = ReadValues(request.body());
    status =
        values.ok() ? door.tracer.Change(model, *values, request.caller.Who()) : values.status();
  }
  if (!status.ok()) {
    return HttpError(status);
  }
  json::object settings;
  for (const auto& [name, values] : door.tracer.Values(model)) {
    if (name == "trace_level") {
      settings[name] = json::array(values.begin(), values.end());
    } else {
      settings[name] = values.front();
    }
  }
  return HttpJson(200, std::move(settings));
}

absl::StatusOr<Clock::duration> ReadSeconds(std::string_view text) {
  constexpr double kMost = 600;
  double seconds = text.empty() ? 1 : 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool is_number = text.empty() || (error == std::errc() && end == text.data() + text.size());
  if (!is_number || !(seconds > 0) || seconds > kMost) {
    return InvalidArgument("seconds is '{}', expected a number above 0 and up to {}",
                           text.substr(0, 32), kMost);
  }
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// Answers when the time is over; a client that leaves ends it before.
void Capture(const FrontDoor& door, const HttpRequest& request,
             const std::shared_ptr<HttpExchange>& exchange) {
  const absl::StatusOr<Clock::duration> time = ReadSeconds(request.Query("seconds"));
  if (!time.ok()) {
    exchange->Answer(HttpError(time.status()));
    return;
  }
  TraceCapture& capture = door.tracer.capture();
  const absl::StatusOr<TraceCapture::Id> id = capture.Start(*time, [exchange](Captured captured) {
    exchange->Answer({.body = ChromeTraceJson(captured)});
  });
  if (!id.ok()) {
    exchange->Answer(HttpError(id.status()));
    return;
  }
  exchange->OnGone([&capture, id = *id] { capture.Cancel(id); });
}

}  // namespace

void AddTraceRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  routes.push_back(
      {.verb = "GET",
       .pattern = "/v2/trace/capture",
       .group = MethodGroup::kTrace,
       .handler =
           [&door](const HttpRequest& request, const std::shared_ptr<HttpExchange>& exchange) {
             Capture(door, request, exchange);
           },
       .is_control = true});
  for (const char* pattern :
       {"/v2/trace/setting", "/v2/models/{model}[/versions/{version}]/trace/setting"}) {
    routes.push_back({.verb = "GET",
                      .pattern = pattern,
                      .group = MethodGroup::kTrace,
                      .handler = AtOnce([&door](const HttpRequest& request) {
                        return Settings(door, request, /*changes=*/false);
                      })});
    routes.push_back({.verb = "POST",
                      .pattern = pattern,
                      .group = MethodGroup::kTrace,
                      .handler = AtOnce([&door](const HttpRequest& request) {
                        return Settings(door, request, /*changes=*/true);
                      }),
                      .is_control = true});
  }
}

}  // namespace omserve::server
