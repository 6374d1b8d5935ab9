// SPDX-License-Identifier: Apache-2.0
#include "server/http/message_json.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <string>

namespace omserve::server {
namespace {

namespace json = boost::json;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// The double that is written as the float is: 0.1, not 0.10000000149011612.
double AsWritten(float value) { return std::strtod(fmt::format("{}", value).c_str(), nullptr); }

json::value One(const Message& message, const FieldDescriptor* field) {
  const Reflection& of = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return of.GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return of.GetInt64(message, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return of.GetUInt32(message, field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return of.GetUInt64(message, field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return of.GetDouble(message, field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return AsWritten(of.GetFloat(message, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return of.GetBool(message, field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return json::string(of.GetEnum(message, field)->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return json::string(of.GetString(message, field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageToJson(of.GetMessage(message, field));
  }
  return nullptr;
}

json::value Repeated(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection& of = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return of.GetRepeatedInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return of.GetRepeatedInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return of.GetRepeatedUInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return of.GetRepeatedUInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return of.GetRepeatedDouble(message, field, index);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return AsWritten(of.GetRepeatedFloat(message, field, index));
    case FieldDescriptor::CPPTYPE_BOOL:
      return of.GetRepeatedBool(message, field, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return json::string(of.GetRepeatedEnum(message, field, index)->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return json::string(of.GetRepeatedString(message, field, index));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageToJson(of.GetRepeatedMessage(message, field, index));
  }
  return nullptr;
}

// Keys are numbers, strings or bools.
std::string KeyOf(const Message& entry) {
  const json::value key = One(entry, entry.GetDescriptor()->map_key());
  if (key.is_string()) {
    return {key.get_string().data(), key.get_string().size()};
  }
  return json::serialize(key);
}

json::value Map(const Message& message, const FieldDescriptor* field) {
  const Reflection& of = *message.GetReflection();
  json::object map;
  for (int i = 0; i < of.FieldSize(message, field); ++i) {
    const Message& entry = of.GetRepeatedMessage(message, field, i);
    map[KeyOf(entry)] = One(entry, entry.GetDescriptor()->map_value());
  }
  return map;
}

json::value Array(const Message& message, const FieldDescriptor* field) {
  json::array array;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
    array.push_back(Repeated(message, field, i));
  }
  return array;
}

}  // namespace

json::object MessageToJson(const Message& message) {
  json::object object;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = message.GetDescriptor()->field(i);
    if (field->is_map()) {
      object[field->name()] = Map(message, field);
    } else if (field->is_repeated()) {
      object[field->name()] = Array(message, field);
    } else if (!field->has_presence() || message.GetReflection()->HasField(message, field)) {
      object[field->name()] = One(message, field);
    }
  }
  return object;
}

}  // namespace omserve::server
