// SPDX-License-Identifier: Apache-2.0
#include "config/text_binding.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "config/scalar_text.h"
#include "config/text_binding_internal.h"
#include "runtime/base/errors.h"

namespace omserve::config {
namespace {

// Counted in bytes: an editor that counts characters differs only behind a non-ASCII one.
SourceMark MarkOfByte(std::string_view text, size_t at) {
  const std::string_view before = text.substr(0, at);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0.
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(at - line_start) + 1};
}

// Refuses what no configuration holds, before a parser sees it. YAML forbids control characters,
// and yaml-cpp takes some of them for the end of the file.
absl::Status CheckText(const std::string& text, const std::string& file) {
  if (text.size() > kMaxConfigBytes) {
    return InvalidArgument("{}: {} bytes, expected at most {}", file, text.size(), kMaxConfigBytes);
  }
  const SourceMap place(file);
  size_t bad_at = 0;
  if (!IsUtf8(text, &bad_at)) {
    return InvalidArgument("{}: byte 0x{:02x} is not UTF-8; save the file as UTF-8",
                           place.Locate(MarkOfByte(text, bad_at)),
                           static_cast<unsigned char>(text[bad_at]));
  }
  const auto control = std::find_if(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
  });
  if (control != text.end()) {
    const auto at = static_cast<size_t>(control - text.begin());
    return InvalidArgument("{}: control character 0x{:02x}; expected text",
                           place.Locate(MarkOfByte(text, at)),
                           static_cast<unsigned char>(*control));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> FieldNames(const google::protobuf::Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    names.push_back(type.field(i)->name());
  }
  return names;
}

std::vector<std::string> ValueNames(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    names.push_back(type.value(i)->name());
  }
  return names;
}

absl::Status BindJson(const std::string& text, const std::string& file,
                      google::protobuf::Message& message) {
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, &message);
  if (!parsed.ok()) {
    return InvalidArgument("{}: not JSON of {}: {}", file, message.GetTypeName(),
                           parsed.message().ToString());
  }
  return absl::OkStatus();
}

absl::StatusOr<SourceMap> BindText(TextFormat format, const std::string& text,
                                   const std::string& file, google::protobuf::Message& message) {
  RETURN_IF_ERROR(CheckText(text, file));
  SourceMap source(file);
  switch (format) {
    case TextFormat::kYaml:
      RETURN_IF_ERROR(BindYaml(text, file, message, source));
      break;
    case TextFormat::kPbtxt:
      RETURN_IF_ERROR(BindPbtxt(text, file, message, source));
      break;
    case TextFormat::kJson:
      RETURN_IF_ERROR(BindJson(text, file, message));
      break;
  }
  return source;
}

}  // namespace omserve::config
