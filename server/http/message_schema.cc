// SPDX-License-Identifier: Apache-2.0
#include "server/http/message_schema.h"

#include <boost/json.hpp>
#include <string>
#include <utility>

namespace omserve::server {
namespace {

namespace json = boost::json;
using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

json::object Enum(const EnumDescriptor& values) {
  json::array names;
  for (int i = 0; i < values.value_count(); ++i) {
    names.emplace_back(json::string(values.value(i)->name()));
  }
  return {{"type", "string"}, {"enum", std::move(names)}};
}

json::object One(const FieldDescriptor& field, json::object& schemas) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return {{"type", "integer"}};
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return {{"type", "integer"}, {"minimum", 0}};
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return {{"type", "number"}};
    case FieldDescriptor::CPPTYPE_BOOL:
      return {{"type", "boolean"}};
    case FieldDescriptor::CPPTYPE_ENUM:
      return Enum(*field.enum_type());
    case FieldDescriptor::CPPTYPE_STRING:
      return {{"type", "string"}};
    case FieldDescriptor::CPPTYPE_MESSAGE:
      AddMessageSchemas(*field.message_type(), schemas);
      return {{"$ref", json::string("#/components/schemas/" + field.message_type()->full_name())}};
  }
  return {};
}

json::object Field(const FieldDescriptor& field, json::object& schemas) {
  if (field.is_map()) {
    return {{"type", "object"},
            {"additionalProperties", One(*field.message_type()->map_value(), schemas)}};
  }
  return field.is_repeated() ? json::object{{"type", "array"}, {"items", One(field, schemas)}}
                             : One(field, schemas);
}

}  // namespace

void AddMessageSchemas(const Descriptor& message, json::object& schemas) {
  if (schemas.contains(message.full_name())) {
    return;
  }
  schemas[message.full_name()] = nullptr;  // A message may hold itself.
  json::object fields;
  json::array required;
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    fields[field.name()] = Field(field, schemas);
    if (field.is_repeated() || !field.has_presence()) {
      required.emplace_back(json::string(field.name()));
    }
  }
  schemas[message.full_name()] = json::object{{"type", "object"},
                                              {"properties", std::move(fields)},
                                              {"required", std::move(required)},
                                              {"additionalProperties", false}};
}

}  // namespace omserve::server
