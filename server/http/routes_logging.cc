// SPDX-License-Identifier: Apache-2.0
// The settings of the log.
#include <boost/json.hpp>
#include <string>

#include "runtime/base/errors.h"
#include "server/core/log_settings.h"
#include "server/http/json_object.h"
#include "server/http/routes.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

json::value JsonOf(const LogValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) {
    return *flag;
  }
  if (const uint64_t* number = std::get_if<uint64_t>(&value)) {
    return *number;
  }
  const std::string* text = std::get_if<std::string>(&value);
  return text == nullptr ? json::value(nullptr) : json::value(json::string(*text));
}

LogValue ValueOf(const json::value& value) {
  if (value.is_bool()) {
    return value.get_bool();
  }
  if (value.is_string()) {
    return std::string(std::string_view(value.get_string()));
  }
  json::error_code error;
  const auto number = value.is_number() ? value.to_number<uint64_t>(error) : 0;
  return value.is_number() && !error ? LogValue(number) : LogValue();
}

// An empty body changes nothing.
absl::StatusOr<LogValues> ReadValues(const std::string& body) {
  LogValues values;
  ASSIGN_OR_RETURN(const json::object asked, ReadJsonObject(body, EmptyBody::kIsEmptyObject));
  for (const auto& [name, value] : asked) {
    values.emplace(std::string_view(name), ValueOf(value));
  }
  return values;
}

HttpReply Settings() {
  const LogValues values = LogValuesOf(CurrentLogSettings());
  json::object settings;
  for (const auto& [name, value] : values) {
    settings[name] = JsonOf(value);
  }
  return HttpJson(200, std::move(settings));
}

HttpReply Change(const HttpRequest& request) {
  const absl::StatusOr<LogValues> values = ReadValues(request.body());
  const absl::Status changed =
      values.ok() ? ChangeLog(*values, request.caller.Who()) : values.status();
  return changed.ok() ? Settings() : HttpError(changed);
}

}  // namespace

void AddLoggingRoutes(std::vector<Route>& routes) {
  routes.push_back({.verb = "GET",
                    .pattern = "/v2/logging",
                    .group = MethodGroup::kLogging,
                    .handler = AtOnce([](const HttpRequest& /*request*/) { return Settings(); })});
  routes.push_back({.verb = "POST",
                    .pattern = "/v2/logging",
                    .group = MethodGroup::kLogging,
                    .handler = AtOnce(&Change),
                    .is_control = true});
}

}  // namespace omserve::server
