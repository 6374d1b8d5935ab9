// SPDX-License-Identifier: Apache-2.0
// Protobuf's text format onto a message, and the places that its parser saw.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/nearest_name.h"
#include "config/scalar_text.h"
#include "config/text_binding_internal.h"
#include "runtime/base/errors.h"

namespace omserve::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

constexpr int kMaxDepth = 64;

// The parser counts lines and columns from 0 and a tab as the way to the next multiple of 8.
class Lines final {
 public:
  explicit Lines(std::string_view text) {
    while (true) {
      const size_t end = text.find('\n');
      lines_.push_back(text.substr(0, end));
      if (end == std::string_view::npos) {
        return;
      }
      text.remove_prefix(end + 1);
    }
  }

  // The byte column, from 0, of the parser's column in `line`.
  size_t ByteColumn(int line, int column) const {
    const std::string_view text = Line(line);
    size_t at = 0;
    for (int seen = 0; at < text.size() && seen < column; ++at) {
      seen += text[at] == '\t' ? 8 - seen % 8 : 1;
    }
    return at;
  }

  SourceMark Mark(int line, int column) const {
    return line < 0 ? SourceMark{}
                    : SourceMark{line + 1, static_cast<int>(ByteColumn(line, column)) + 1};
  }

  // Where `word` stands at or before the place; the parser reports a name after reading past it.
  SourceMark MarkOfWord(int line, int column, std::string_view word) const {
    for (int i = line; i >= 0 && i > line - 3; --i) {
      const std::string_view text =
          i == line ? Line(i).substr(0, ByteColumn(i, column) + word.size()) : Line(i);
      const size_t at = text.rfind(word);
      if (at != std::string_view::npos) {
        return {i + 1, static_cast<int>(at) + 1};
      }
    }
    return Mark(line, column);
  }

 private:
  std::string_view Line(int line) const {
    const auto index = static_cast<size_t>(line);
    return index < lines_.size() ? lines_[index] : std::string_view();
  }

  std::vector<std::string_view> lines_;
};

struct ParserError {
  int line = 0;
  int column = 0;
  std::string text;
};

class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (!error_) {
      error_ = {.line = line, .column = column, .text = message};
    }
  }
  void AddWarning(int /*line*/, google::protobuf::io::ColumnNumber /*column*/,
                  const std::string& /*message*/) override {}

  const std::optional<ParserError>& error() const { return error_; }

 private:
  std::optional<ParserError> error_;
};

// The text between `before` and `after`, where `text` has that form.
std::optional<std::string> Between(std::string_view text, std::string_view before,
                                   std::string_view after) {
  const size_t start = text.find(before);
  if (start == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(start + before.size());
  const size_t end = text.find(after);
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  return std::string(text.substr(0, end));
}

// Every enum that a field named `name` has in `type` or inside it: the parser's message names the
// field alone.
void CollectEnums(const Descriptor& type, std::string_view name, std::set<const Descriptor*>& seen,
                  std::vector<const EnumDescriptor*>& found) {
  if (!seen.insert(&type).second) {
    return;
  }
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.enum_type() != nullptr && field.name() == name &&
        std::find(found.begin(), found.end(), field.enum_type()) == found.end()) {
      found.push_back(field.enum_type());
    }
    if (field.message_type() != nullptr) {
      CollectEnums(*field.message_type(), name, seen, found);
    }
  }
}

std::string UnknownValueText(const Descriptor& root, const std::string& value,
                             const std::string& field) {
  std::set<const Descriptor*> seen;
  std::vector<const EnumDescriptor*> enums;
  CollectEnums(root, field, seen, enums);
  std::vector<std::string> known;
  for (const EnumDescriptor* type : enums) {
    const std::vector<std::string> names = ValueNames(*type);
    known.insert(known.end(), names.begin(), names.end());
  }
  return fmt::format("key '{}': value {}: {}", field, Quoted(value),
                     UnknownName(value, "values", known));
}

// The parser's words in ours, at the name that they speak of.
absl::Status Translate(const ParserError& error, const Lines& lines, const std::string& file,
                       const Message& message) {
  const SourceMap place(file);
  const std::optional<std::string> field = Between(error.text, "no field named \"", "\"");
  const std::optional<std::string> type = Between(error.text, "Message type \"", "\"");
  if (field && type) {
    const Descriptor* descriptor =
        message.GetDescriptor()->file()->pool()->FindMessageTypeByName(*type);
    const std::vector<std::string> known =
        descriptor == nullptr ? std::vector<std::string>() : FieldNames(*descriptor);
    return InvalidArgument("{}: key '{}': {}",
                           place.Locate(lines.MarkOfWord(error.line, error.column, *field)),
                           Shown(*field), UnknownName(*field, "keys", known));
  }
  const std::optional<std::string> value =
      Between(error.text, "Unknown enumeration value of \"", "\"");
  const std::optional<std::string> enum_field = Between(error.text, "for field \"", "\"");
  if (value && enum_field) {
    return InvalidArgument("{}: {}",
                           place.Locate(lines.MarkOfWord(error.line, error.column, *value)),
                           UnknownValueText(*message.GetDescriptor(), *value, *enum_field));
  }
  std::string_view text = error.text;
  if (text.ends_with('.')) {
    text.remove_suffix(1);
  }
  return InvalidArgument("{}: not protobuf text of {}: {}",
                         place.Locate(lines.Mark(error.line, error.column)),
                         message.GetDescriptor()->name(), text);
}

std::string MapKeyText(const Message& entry, const FieldDescriptor& key) {
  if (key.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return entry.GetReflection()->GetString(entry, &key);
  }
  std::string text;
  TextFormat::PrintFieldValueToString(entry, &key, -1, &text);
  return text;
}

// Copies the parser's places into a SourceMap, and checks what the parser lets through: strings
// that are not UTF-8 (by escapes) and map keys given twice.
class PlaceRecorder final {
 public:
  PlaceRecorder(const Lines& lines, SourceMap& source, Findings& findings)
      : lines_(lines), source_(source), findings_(findings) {}

  void Record(const Message& message, const TextFormat::ParseInfoTree* tree,
              const std::string& path) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      const std::string field_path = FieldPath(path, field->name());
      SetPlace(field_path, tree, *field, field->is_repeated() ? 0 : -1);
      if (field->is_map()) {
        RecordMap(message, *field, tree, field_path);
      } else if (field->is_repeated()) {
        RecordList(message, *field, tree, field_path);
      } else {
        RecordValue(message, *field, -1, tree, field_path);
      }
    }
    RecordDefaults(message, tree, path);
  }

 private:
  void SetPlace(const std::string& path, const TextFormat::ParseInfoTree* tree,
                const FieldDescriptor& field, int index) {
    const auto at =
        tree == nullptr ? TextFormat::ParseLocation() : tree->GetLocation(&field, index);
    if (at.line >= 0) {
      source_.Set(path, lines_.Mark(at.line, at.column));
    }
  }

  // A field written as 0 is not listed by reflection, yet the file has it.
  void RecordDefaults(const Message& message, const TextFormat::ParseInfoTree* tree,
                      const std::string& path) {
    const Descriptor& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      if (!type.field(i)->is_repeated()) {
        SetPlace(FieldPath(path, type.field(i)->name()), tree, *type.field(i), -1);
      }
    }
  }

  void RecordList(const Message& message, const FieldDescriptor& field,
                  const TextFormat::ParseInfoTree* tree, const std::string& path) {
    const int count = message.GetReflection()->FieldSize(message, &field);
    // A list in brackets has one place for all its elements.
    const bool has_each = tree != nullptr && tree->GetLocation(&field, count - 1).line >= 0;
    for (int i = 0; i < count; ++i) {
      const std::string item_path = IndexedPath(path, static_cast<size_t>(i));
      if (has_each) {
        SetPlace(item_path, tree, field, i);
      }
      RecordValue(message, field, i, tree, item_path);
    }
  }

  void RecordMap(const Message& message, const FieldDescriptor& field,
                 const TextFormat::ParseInfoTree* tree, const std::string& path) {
    const FieldDescriptor& value = *field.message_type()->map_value();
    std::set<std::string> keys;
    for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
      const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
      const std::string key = MapKeyText(entry, *field.message_type()->map_key());
      const std::string value_path = KeyedPath(path, key);
      const TextFormat::ParseInfoTree* entry_tree =
          tree == nullptr ? nullptr : tree->GetTreeForNested(&field, i);
      SetPlace(value_path, tree, field, i);
      if (!IsCleanString(key)) {
        findings_.Error(value_path, "the key is not UTF-8 text without NUL");
      }
      if (!keys.insert(key).second) {
        findings_.Error(value_path, "given twice; keep one");
      }
      RecordValue(entry, value, -1, entry_tree, value_path);
    }
  }

  // The value of a field, or its element `index`, for which a place is set already.
  void RecordValue(const Message& message, const FieldDescriptor& field, int index,
                   const TextFormat::ParseInfoTree* tree, const std::string& path) {
    const Reflection& reflection = *message.GetReflection();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Record(index < 0 ? reflection.GetMessage(message, &field)
                       : reflection.GetRepeatedMessage(message, &field, index),
             tree == nullptr ? nullptr : tree->GetTreeForNested(&field, index), path);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string text = index < 0 ? reflection.GetString(message, &field)
                                         : reflection.GetRepeatedString(message, &field, index);
      if (!IsCleanString(text)) {
        findings_.Error(path, "expected text in UTF-8 without NUL, got other bytes");
      }
    }
  }

  const Lines& lines_;
  SourceMap& source_;
  Findings& findings_;
};

}  // namespace

absl::Status BindPbtxt(const std::string& text, const std::string& file, Message& message,
                       SourceMap& source) {
  const Lines lines(text);
  FirstError errors;
  TextFormat::ParseInfoTree tree;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&tree);
  parser.SetRecursionLimit(kMaxDepth);
  if (!parser.ParseFromString(text, &message) || errors.error()) {
    return Translate(errors.error().value_or(ParserError{.line = -1, .text = "unreadable"}), lines,
                     file, message);
  }
  Findings findings(source);
  PlaceRecorder(lines, source, findings).Record(message, &tree, "");
  return findings.ToStatus();
}

}  // namespace omserve::config
