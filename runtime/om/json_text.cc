// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/json_text.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <utility>

#include "runtime/om/utf8.h"

namespace omserve::om {

void JsonText::NewLine() {
  out_ += '\n';
  out_.append(2 * levels_.size(), ' ');
}

void JsonText::BeforeValue() {
  if (std::exchange(after_key_, false) || levels_.empty()) {
    return;
  }
  Level& level = levels_.back();
  if (!std::exchange(level.empty, false)) {
    out_ += level.lines ? "," : ", ";
  }
  if (level.lines) {
    NewLine();
  }
}

void JsonText::Begin(char bracket, bool lines) {
  BeforeValue();
  out_ += bracket;
  levels_.push_back(Level{.lines = lines});
}

void JsonText::End(char bracket) {
  const Level level = levels_.back();
  levels_.pop_back();
  if (level.lines && !level.empty) {
    NewLine();
  }
  out_ += bracket;
}

void JsonText::Key(std::string_view key) {
  BeforeValue();
  Quote(IsUtf8(key) ? key : std::string_view(PrintableText(key)));
  out_ += ": ";
  after_key_ = true;
}

void JsonText::Number(int64_t value) {
  BeforeValue();
  fmt::format_to(std::back_inserter(out_), "{}", value);
}

void JsonText::Unsigned(uint64_t value) {
  BeforeValue();
  fmt::format_to(std::back_inserter(out_), "{}", value);
}

void JsonText::Real(float value) {
  if (!std::isfinite(value)) {
    Text(std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    return;
  }
  BeforeValue();
  fmt::format_to(std::back_inserter(out_), "{}", value);
}

void JsonText::Bool(bool value) {
  BeforeValue();
  out_ += value ? "true" : "false";
}

void JsonText::Text(std::string_view text) {
  if (!IsUtf8(text)) {
    BeginObject();
    Key("base64");
    Base64(text);
    EndObject();
    return;
  }
  BeforeValue();
  Quote(text);
}

void JsonText::Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  BeforeValue();
  out_ += '"';
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) {
      const auto byte = at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : uint8_t{0};
      group = group << 8U | byte;
    }
    for (size_t i = 0; i < 4; ++i) {
      // Three bytes give four digits; what the last group lacks is marked.
      out_ += at + i > bytes.size() ? '=' : kDigits[group >> (18 - 6 * i) & 0x3FU];
    }
  }
  out_ += '"';
}

void JsonText::Quote(std::string_view text) {
  out_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out_ += c;
    }
  }
  out_ += '"';
}

std::string JsonText::Take() {
  out_ += '\n';
  return std::exchange(out_, std::string());
}

}  // namespace omserve::om
