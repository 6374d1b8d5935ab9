// SPDX-License-Identifier: Apache-2.0
#include "server/http/openapi.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>
#include <utility>

#include "proto/inference/grpc_service.pb.h"
#include "proto/omserve/control.pb.h"
#include "runtime/base/errors.h"
#include "server/http/message_schema.h"
#include "server/http/openapi_operations.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

std::string_view TagOf(MethodGroup group) {
  switch (group) {
    case MethodGroup::kHealth:
      return "health";
    case MethodGroup::kMetadata:
      return "metadata";
    case MethodGroup::kInference:
      return "inference";
    case MethodGroup::kModelConfig:
      return "model configuration";
    case MethodGroup::kModelRepository:
      return "model repository";
    case MethodGroup::kSharedMemory:
      return "shared memory";
    case MethodGroup::kStatistics:
      return "statistics";
    case MethodGroup::kTrace:
      return "trace";
    case MethodGroup::kLogging:
      return "logging";
    case MethodGroup::kMetrics:
      return "metrics";
  }
  return "";
}

json::string Text(std::string_view text) { return json::string(text.data(), text.size()); }

std::string TextOf(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(std::string_view(value->get_string()))
                                                : std::string();
}

bool IsTrue(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

json::object Reference(const std::string& schema) {
  return {{"$ref", Text("#/components/schemas/" + schema)}};
}

json::object Content(const char* type, json::object schema) {
  return {{type, json::object{{"schema", std::move(schema)}}}};
}

// The parts of a path in braces, in its order.
json::array PathParameters(std::string_view path, const json::object& known) {
  json::array parameters;
  for (size_t open = path.find('{'); open != std::string_view::npos; open = path.find('{', open)) {
    const size_t close = path.find('}', open);
    const std::string_view name = path.substr(open + 1, close - open - 1);
    json::object parameter = known.at(json::string_view(name.data(), name.size())).as_object();
    parameter["name"] = Text(name);
    parameter["in"] = "path";
    parameter["required"] = true;
    parameters.push_back(std::move(parameter));
    open = close;
  }
  return parameters;
}

json::object Header(const char* what) {
  return {{"description", what}, {"schema", json::object{{"type", "integer"}, {"minimum", 0}}}};
}

constexpr char kJsonBytes[] = "Bytes of the JSON before the tensors that follow it";

json::object Success(const json::object& written, const std::string& binary) {
  json::object answer{{"description", "Done"}};
  if (const std::string schema = TextOf(written, "answers"); !schema.empty()) {
    answer["content"] = Content("application/json", Reference(schema));
    if (!binary.empty()) {
      answer["content"].as_object()["application/octet-stream"] = json::object();
      answer["headers"] = json::object{{binary, Header(kJsonBytes)}};
    }
  } else if (const std::string event = TextOf(written, "streams"); !event.empty()) {
    answer["description"] = "Events, each with data: and such an object";
    answer["content"] = Content("text/event-stream", Reference(event));
  } else if (IsTrue(written, "text")) {
    answer["content"] = Content("text/plain", {{"type", "string"}});
  }
  return answer;
}

json::object Answers(const Route& route, const json::object& written, const std::string& binary,
                     const json::object& meanings) {
  json::object answers{{"200", Success(written, binary)}};
  json::array statuses;
  if (const json::value* more = written.if_contains("statuses"); more != nullptr) {
    statuses = more->as_array();
  }
  if (route.is_control) {
    statuses.emplace_back(403);  // On a port that is not for operators.
  }
  const bool is_probe =
      TextOf(written, "answers") == "Health" || TextOf(written, "answers") == "ModelReady";
  for (const json::value& status : statuses) {
    const std::string code = std::to_string(status.as_int64());
    answers[code] = json::object{
        {"description", meanings.at(code)},
        {"content",
         Content("application/json", Reference(is_probe ? TextOf(written, "answers") : "Error"))}};
  }
  answers["default"] = json::object{{"description", "What went wrong"},
                                    {"content", Content("application/json", Reference("Error"))}};
  return answers;
}

// `id` is unique in the document.
json::object OperationOf(const Route& route, const std::string& path, const json::object& written,
                         const json::object& source, const std::string& id) {
  const std::string binary = TextOf(written, "binary");
  json::object operation{
      {"summary", written.at("summary")},
      {"operationId", Text(id)},
      {"tags", json::array{Text(TagOf(route.group))}},
      {"responses", Answers(route, written, binary, source.at("statuses").as_object())}};
  json::array parameters = PathParameters(path, source.at("parameters").as_object());
  if (!binary.empty()) {
    json::object header = Header(kJsonBytes);
    header["name"] = Text(binary);
    header["in"] = "header";
    parameters.push_back(std::move(header));
  }
  if (const json::value* query = written.if_contains("query"); query != nullptr) {
    for (const auto& [name, said] : query->as_object()) {
      json::object parameter = said.as_object();
      parameter["name"] = Text(name);
      parameter["in"] = "query";
      parameters.push_back(std::move(parameter));
    }
  }
  if (!parameters.empty()) {
    operation["parameters"] = std::move(parameters);
  }
  if (const std::string body = TextOf(written, "takes"); !body.empty()) {
    json::object content = Content("application/json", Reference(body));
    if (!binary.empty()) {
      content["application/octet-stream"] = json::object();
    }
    operation["requestBody"] =
        json::object{{"required", IsTrue(written, "is_needed")}, {"content", std::move(content)}};
  }
  return operation;
}

// "get_v2_models_model_ready" for GET /v2/models/{model}/ready.
std::string OperationId(const std::string& verb, const std::string& path) {
  std::string id = verb;
  for (const char letter : path) {
    if (letter == '/') {
      id += '_';
    } else if (letter != '{' && letter != '}') {
      id += letter == '.' ? '_' : letter;
    }
  }
  return id;
}

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return text;
}

// Routes that the settings may leave out.
bool IsOptional(std::string_view key) { return key == "GET /metrics"; }

}  // namespace

absl::StatusOr<json::object> OpenApiDocument(std::span<const Route> routes,
                                             std::string_view version) {
  json::error_code error;
  const json::value parsed = json::parse(kOpenApiOperations, error);
  if (error) {
    return Internal("openapi_operations.json: {}", error.message());
  }
  const json::object& source = parsed.as_object();
  const json::object& written = source.at("operations").as_object();
  json::object paths;
  std::set<std::string> seen;
  for (const Route& route : routes) {
    const std::string key = route.verb + " " + route.pattern;
    const json::value* operation = written.if_contains(key);
    if (operation == nullptr) {
      return Internal("openapi_operations.json: nothing is said of '{}'", key);
    }
    seen.insert(key);
    for (const std::string& path : PathsOf(route.pattern)) {
      json::object& item = paths.emplace(path, json::object()).first->value().as_object();
      const std::string verb = Lower(route.verb);
      item[verb] =
          OperationOf(route, path, operation->as_object(), source, OperationId(verb, path));
    }
  }
  for (const auto& [key, operation] : written) {
    if (!seen.contains(std::string(key)) && !IsOptional(key)) {
      return Internal("openapi_operations.json: there is no route '{}'", std::string_view(key));
    }
  }
  json::object schemas = source.at("schemas").as_object();
  AddMessageSchemas(*inference::ModelConfig::descriptor(), schemas);
  AddMessageSchemas(*inference::ModelStatisticsResponse::descriptor(), schemas);
  AddMessageSchemas(*ListModelsResponse::descriptor(), schemas);
  AddMessageSchemas(*ModelRoutesResponse::descriptor(), schemas);
  AddMessageSchemas(*SetEpochFloorResponse::descriptor(), schemas);
  AddMessageSchemas(*DrainModelResponse::descriptor(), schemas);
  return json::object{
      {"openapi", "3.1.0"},
      {"info",
       json::object{
           {"title", "omserve"},
           {"version", Text(version)},
           {"description", "KServe's Open Inference Protocol v2 with Triton's extensions"},
           {"license", json::object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
      {"paths", std::move(paths)},
      {"components", json::object{{"schemas", std::move(schemas)}}}};
}

}  // namespace omserve::server
