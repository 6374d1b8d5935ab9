// SPDX-License-Identifier: Apache-2.0
// The tree of a YAML file onto a message, by reflection.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/nearest_name.h"
#include "config/scalar_text.h"
#include "config/text_binding_internal.h"
#include "config/yaml_tree.h"
#include "runtime/base/errors.h"

namespace omserve::config {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

std::string Describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return Quoted(node.text);
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
  }
  return "";
}

template <typename T>
std::string WholeNumberText(Unit unit) {
  return fmt::format("a whole number from {} to {}{}", std::numeric_limits<T>::min(),
                     std::numeric_limits<T>::max(), UnitHint(unit));
}

class YamlBinder final {
 public:
  YamlBinder(SourceMap& source, Findings& findings) : source_(source), findings_(findings) {}

  // `label` is the key under which the message stands, for errors.
  void BindMessage(const YamlNode& node, std::string_view path, std::string_view label,
                   Message& message);

 private:
  void BindField(const YamlNode& node, SourceMark key_mark, const FieldDescriptor& field,
                 const std::string& path, Message& message);
  void BindList(const YamlNode& node, const FieldDescriptor& field, const std::string& path,
                Message& message);
  void BindMap(const YamlNode& node, const FieldDescriptor& field, const std::string& path,
               Message& message);
  // Sets a singular field, or adds to a repeated one. `label` as above.
  void BindScalar(const YamlNode& node, const FieldDescriptor& field, std::string_view label,
                  Message& message);
  template <typename T>
  void BindWhole(const YamlNode& node, const FieldDescriptor& field, std::string_view label,
                 Message& message,
                 void (Reflection::*set)(Message*, const FieldDescriptor*, T) const,
                 void (Reflection::*add)(Message*, const FieldDescriptor*, T) const);
  void BindReal(const YamlNode& node, const FieldDescriptor& field, std::string_view label,
                Message& message);
  void BindEnum(const YamlNode& node, const FieldDescriptor& field, std::string_view label,
                Message& message);
  // Reports a second member of one oneof; false then.
  bool CheckOneof(const FieldDescriptor& field, SourceMark mark, const Message& message);
  void CheckDuplicates(const YamlNode& map);

  void Expected(const YamlNode& node, std::string_view label, std::string_view what) {
    findings_.ErrorAt(node.mark,
                      fmt::format("key '{}': expected {}, got {}", label, what, Describe(node)));
  }

  SourceMap& source_;
  Findings& findings_;
};

void YamlBinder::CheckDuplicates(const YamlNode& map) {
  std::map<std::string_view, int> first_line;
  for (const YamlNode::Key& key : map.keys) {
    const auto [found, is_new] = first_line.emplace(key.text, key.mark.line);
    if (!is_new) {
      findings_.ErrorAt(key.mark, fmt::format("key {}: given twice, first in line {}; keep one",
                                              Quoted(key.text), found->second));
    }
  }
}

void YamlBinder::BindMessage(const YamlNode& node, std::string_view path, std::string_view label,
                             Message& message) {
  if (node.kind == YamlNode::Kind::kNull) {
    findings_.ErrorAt(node.mark, fmt::format("key '{}': expected a map, got nothing; write {{}} to "
                                             "take every default, or leave the key out",
                                             label));
    return;
  }
  if (node.kind != YamlNode::Kind::kMap) {
    Expected(node, label, fmt::format("a map with keys of {}", message.GetDescriptor()->name()));
    return;
  }
  CheckDuplicates(node);
  for (size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode::Key& key = node.keys[i];
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(key.text);
    if (field == nullptr) {
      const std::vector<std::string> known = FieldNames(*message.GetDescriptor());
      findings_.ErrorAt(key.mark, key.text == "<<"
                                      ? "key '<<': merge keys are not supported; repeat the values"
                                      : fmt::format("key '{}': {}", Shown(key.text),
                                                    UnknownName(key.text, "keys", known)));
      continue;
    }
    BindField(node.items[i], key.mark, *field, FieldPath(path, field->name()), message);
  }
}

bool YamlBinder::CheckOneof(const FieldDescriptor& field, SourceMark mark, const Message& message) {
  const OneofDescriptor* oneof = field.real_containing_oneof();
  if (oneof == nullptr) {
    return true;
  }
  const FieldDescriptor* set = message.GetReflection()->GetOneofFieldDescriptor(message, oneof);
  if (set == nullptr || set == &field) {
    return true;
  }
  std::vector<std::string> names;
  for (int i = 0; i < oneof->field_count(); ++i) {
    names.push_back(oneof->field(i)->name());
  }
  findings_.ErrorAt(mark, fmt::format("key '{}': cannot stand beside key '{}'; keep one of {}",
                                      field.name(), set->name(), fmt::join(names, ", ")));
  return false;
}

void YamlBinder::BindField(const YamlNode& node, SourceMark key_mark, const FieldDescriptor& field,
                           const std::string& path, Message& message) {
  if (!CheckOneof(field, key_mark, message)) {
    return;
  }
  source_.Set(path, node.kind == YamlNode::Kind::kScalar ? node.mark : key_mark);
  if (field.is_map()) {
    BindMap(node, field, path, message);
  } else if (field.is_repeated()) {
    BindList(node, field, path, message);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    BindMessage(node, path, field.name(),
                *message.GetReflection()->MutableMessage(&message, &field));
  } else {
    BindScalar(node, field, field.name(), message);
  }
}

void YamlBinder::BindList(const YamlNode& node, const FieldDescriptor& field,
                          const std::string& path, Message& message) {
  message.GetReflection()->ClearField(&message, &field);
  if (node.kind == YamlNode::Kind::kScalar) {
    findings_.ErrorAt(node.mark, fmt::format("key '{}': expected a list, got {}; write [{}]",
                                             field.name(), Describe(node), Shown(node.text)));
    return;
  }
  if (node.kind != YamlNode::Kind::kSequence) {
    Expected(node, field.name(), "a list");
    return;
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode& item = node.items[i];
    const std::string item_path = IndexedPath(path, i);
    const std::string label = IndexedPath(field.name(), i);
    source_.Set(item_path, item.mark);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      BindMessage(item, item_path, label, *message.GetReflection()->AddMessage(&message, &field));
    } else {
      BindScalar(item, field, label, message);
    }
  }
}

void YamlBinder::BindMap(const YamlNode& node, const FieldDescriptor& field,
                         const std::string& path, Message& message) {
  message.GetReflection()->ClearField(&message, &field);
  if (node.kind != YamlNode::Kind::kMap) {
    Expected(node, field.name(), "a map");
    return;
  }
  CheckDuplicates(node);
  const FieldDescriptor& key_field = *field.message_type()->map_key();
  const FieldDescriptor& value_field = *field.message_type()->map_value();
  for (size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode& value = node.items[i];
    const YamlNode::Key& key = node.keys[i];
    const std::string value_path = KeyedPath(path, key.text);
    const std::string label = KeyedPath(field.name(), key.text);
    Message& entry = *message.GetReflection()->AddMessage(&message, &field);
    BindScalar({.kind = YamlNode::Kind::kScalar, .mark = key.mark, .text = key.text}, key_field,
               label, entry);
    source_.Set(value_path, value.kind == YamlNode::Kind::kScalar ? value.mark : key.mark);
    if (value_field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      BindMessage(value, value_path, label,
                  *entry.GetReflection()->MutableMessage(&entry, &value_field));
    } else {
      BindScalar(value, value_field, label, entry);
    }
  }
}

template <typename T>
void YamlBinder::BindWhole(const YamlNode& node, const FieldDescriptor& field,
                           std::string_view label, Message& message,
                           void (Reflection::*set)(Message*, const FieldDescriptor*, T) const,
                           void (Reflection::*add)(Message*, const FieldDescriptor*, T) const) {
  const Unit unit = UnitOfField(field.name());
  const std::optional<T> value =
      node.kind == YamlNode::Kind::kScalar ? ParseWhole<T>(node.text, unit) : std::optional<T>();
  if (!value) {
    Expected(node, label, WholeNumberText<T>(unit));
    return;
  }
  (message.GetReflection()->*(field.is_repeated() ? add : set))(&message, &field, *value);
}

void YamlBinder::BindEnum(const YamlNode& node, const FieldDescriptor& field,
                          std::string_view label, Message& message) {
  const EnumDescriptor& type = *field.enum_type();
  const EnumValueDescriptor* value =
      node.kind == YamlNode::Kind::kScalar ? type.FindValueByName(node.text) : nullptr;
  if (value == nullptr) {
    findings_.ErrorAt(node.mark, fmt::format("key '{}': value {}: {}", label, Describe(node),
                                             UnknownName(node.text, "values", ValueNames(type))));
  } else if (field.is_repeated()) {
    message.GetReflection()->AddEnum(&message, &field, value);
  } else {
    message.GetReflection()->SetEnum(&message, &field, value);
  }
}

void YamlBinder::BindReal(const YamlNode& node, const FieldDescriptor& field,
                          std::string_view label, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  const bool is_double = field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
  const double largest =
      is_double ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max();
  // NaN is what no number compares with, so one test refuses it with what is too large.
  const double value = node.kind == YamlNode::Kind::kScalar
                           ? ParseReal(node.text).value_or(std::nan(""))
                           : std::nan("");
  if (!(std::fabs(value) <= largest)) {
    Expected(node, label, "a number");
  } else if (is_double) {
    field.is_repeated() ? reflection.AddDouble(&message, &field, value)
                        : reflection.SetDouble(&message, &field, value);
  } else {
    const auto narrow = static_cast<float>(value);
    field.is_repeated() ? reflection.AddFloat(&message, &field, narrow)
                        : reflection.SetFloat(&message, &field, narrow);
  }
}

void YamlBinder::BindScalar(const YamlNode& node, const FieldDescriptor& field,
                            std::string_view label, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  const bool is_text = node.kind == YamlNode::Kind::kScalar;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return BindWhole<int32_t>(node, field, label, message, &Reflection::SetInt32,
                                &Reflection::AddInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return BindWhole<int64_t>(node, field, label, message, &Reflection::SetInt64,
                                &Reflection::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return BindWhole<uint32_t>(node, field, label, message, &Reflection::SetUInt32,
                                 &Reflection::AddUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return BindWhole<uint64_t>(node, field, label, message, &Reflection::SetUInt64,
                                 &Reflection::AddUInt64);
    case FieldDescriptor::CPPTYPE_ENUM:
      return BindEnum(node, field, label, message);
    case FieldDescriptor::CPPTYPE_BOOL: {
      if (!is_text || (node.text != "true" && node.text != "false")) {
        return Expected(node, label, "true or false");
      }
      const bool value = node.text == "true";
      return field.is_repeated() ? reflection.AddBool(&message, &field, value)
                                 : reflection.SetBool(&message, &field, value);
    }
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return BindReal(node, field, label, message);
    case FieldDescriptor::CPPTYPE_STRING:
      if (!is_text) {
        return Expected(node, label, "text");
      }
      if (!IsCleanString(node.text)) {
        return Expected(node, label, "text in UTF-8 without NUL");
      }
      return field.is_repeated() ? reflection.AddString(&message, &field, node.text)
                                 : reflection.SetString(&message, &field, node.text);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return;  // Never: the callers bind messages themselves.
  }
}

}  // namespace

absl::Status BindYaml(const std::string& text, const std::string& file, Message& message,
                      SourceMap& source) {
  ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(text, file));
  if (root.kind == YamlNode::Kind::kNull) {
    return absl::OkStatus();  // A file of comments only takes every default.
  }
  Findings findings(source);
  YamlBinder(source, findings).BindMessage(root, "", message.GetDescriptor()->name(), message);
  return findings.ToStatus();
}

}  // namespace omserve::config
