// SPDX-License-Identifier: Apache-2.0
// Settings that clients may change.
#include "server/core/log_settings.h"
#include "server/core/trace_model.h"
#include "server/grpc/guard.h"
#include "server/grpc/rpc_methods.h"

namespace omserve::server {

using grpc::ServerContext;
using grpc::Status;

namespace {

LogValue ValueOf(const inference::LogSettingsRequest::SettingValue& value) {
  using Setting = inference::LogSettingsRequest::SettingValue;
  switch (value.parameter_choice_case()) {
    case Setting::kBoolParam:
      return value.bool_param();
    case Setting::kUint32Param:
      return uint64_t{value.uint32_param()};
    case Setting::kStringParam:
      return value.string_param();
    case Setting::PARAMETER_CHOICE_NOT_SET:
      return {};
  }
  return {};
}

void SetValue(const LogValue& value, inference::LogSettingsResponse::SettingValue* setting) {
  if (const bool* flag = std::get_if<bool>(&value)) {
    setting->set_bool_param(*flag);
  } else if (const uint64_t* number = std::get_if<uint64_t>(&value)) {
    setting->set_uint32_param(static_cast<uint32_t>(*number));
  } else if (const std::string* text = std::get_if<std::string>(&value)) {
    setting->set_string_param(*text);
  }
}

}  // namespace

Status InferenceService::TraceSetting(ServerContext* context,
                                      const inference::TraceSettingRequest* request,
                                      inference::TraceSettingResponse* response) {
  const std::string& model = request->model_name();
  const Operation operation = request->settings().empty()
                                  ? Operation(MethodGroup::kTrace, model)
                                  : Operation::Control(MethodGroup::kTrace, model);
  return Guarded(context, operation, [&](const Caller& caller) {
    RETURN_IF_ERROR(CheckTraceModel(door_.catalog, request->model_name()));
    TraceValues values;
    for (const auto& [name, value] : request->settings()) {
      values[name] = {value.value().begin(), value.value().end()};
    }
    RETURN_IF_ERROR(door_.tracer.Change(request->model_name(), values, caller.Who()));
    for (const auto& [name, of_name] : door_.tracer.Values(request->model_name())) {
      inference::TraceSettingResponse::SettingValue& setting =
          (*response->mutable_settings())[name];
      for (const std::string& value : of_name) {
        setting.add_value(value);
      }
    }
    return absl::OkStatus();
  });
}

Status InferenceService::LogSettings(ServerContext* context,
                                     const inference::LogSettingsRequest* request,
                                     inference::LogSettingsResponse* response) {
  const Operation operation = request->settings().empty()
                                  ? Operation(MethodGroup::kLogging)
                                  : Operation::Control(MethodGroup::kLogging);
  return Guarded(context, operation, [&](const Caller& caller) {
    LogValues values;
    for (const auto& [name, value] : request->settings()) {
      values.emplace(name, ValueOf(value));
    }
    RETURN_IF_ERROR(ChangeLog(values, caller.Who()));
    for (const auto& [name, value] : LogValuesOf(CurrentLogSettings())) {
      SetValue(value, &(*response->mutable_settings())[name]);
    }
    return absl::OkStatus();
  });
}

}  // namespace omserve::server
