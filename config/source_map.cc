// SPDX-License-Identifier: Apache-2.0
#include "config/source_map.h"

#include <fmt/format.h>

#include "runtime/base/status_macros.h"

namespace omserve::config {
namespace {

constexpr size_t kShownBytes = 64;
constexpr size_t kErrorsKept = 20;

// At most `limit` bytes of `text`, never half a UTF-8 character.
std::string_view Cut(std::string_view text, size_t limit) {
  if (text.size() <= limit) {
    return text;
  }
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0U) == 0x80U) {
    --limit;
  }
  return text.substr(0, limit);
}

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string Shown(std::string_view text) {
  const std::string_view cut = Cut(text, kShownBytes);
  return Escaped(cut) + (cut.size() < text.size() ? "..." : "");
}

std::string SourceMap::Locate(SourceMark mark) const {
  return mark.line == 0 ? file_ : fmt::format("{}:{}:{}", file_, mark.line, mark.column);
}

std::string SourceMap::Locate(std::string_view path) const {
  while (!path.empty()) {
    const auto found = marks_.find(path);
    if (found != marks_.end()) {
      return Locate(found->second);
    }
    const size_t end = path.find_last_of(".[");
    path = path.substr(0, end == std::string_view::npos ? 0 : end);
  }
  return file_;
}

std::string KeyedPath(std::string_view path, std::string_view key) {
  return fmt::format("{}[{}]", path, Shown(key));
}

std::string IndexedPath(std::string_view path, size_t index) {
  return fmt::format("{}[{}]", path, index);
}

std::string FieldPath(std::string_view path, std::string_view field) {
  return path.empty() ? std::string(field) : fmt::format("{}.{}", path, field);
}

std::string Quoted(std::string_view text) { return fmt::format("\"{}\"", Shown(text)); }

std::string Findings::Line(std::string_view path, std::string_view text) const {
  const std::string place = source_.Locate(path);
  return fmt::format("{}{}key '{}': {}", place, place.empty() ? "" : ": ", path, text);
}

void Findings::Keep(std::string line) {
  if (++count_ <= kErrorsKept) {
    errors_.push_back(std::move(line));
  }
}

void Findings::Error(std::string_view path, std::string_view text) {
  only_unsupported_ = false;
  Keep(Line(path, text));
}

void Findings::Unsupported(std::string_view path, std::string_view text) {
  Keep(Line(path, fmt::format("not supported: {}", text)));
}

void Findings::Warn(std::string_view path, std::string_view text) {
  warnings_.push_back(Line(path, text));
}

void Findings::ErrorAt(SourceMark mark, std::string_view text) {
  only_unsupported_ = false;
  const std::string place = source_.Locate(mark);
  Keep(fmt::format("{}{}{}", place, place.empty() ? "" : ": ", text));
}

absl::Status Findings::ToStatus() const {
  if (ok()) {
    return absl::OkStatus();
  }
  std::string text = fmt::format("{}", fmt::join(errors_, "\n"));
  if (count_ > errors_.size()) {
    text += fmt::format("\nand {} more errors", count_ - errors_.size());
  }
  return MakeStatus(
      only_unsupported_ ? absl::StatusCode::kUnimplemented : absl::StatusCode::kInvalidArgument,
      text);
}

}  // namespace omserve::config
