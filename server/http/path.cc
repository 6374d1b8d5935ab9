// SPDX-License-Identifier: Apache-2.0
#include "server/http/path.h"

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return std::nullopt;
}

}  // namespace

std::string_view PathOf(std::string_view target) { return target.substr(0, target.find('?')); }

std::vector<std::string_view> Segments(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return segments;
}

std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const std::optional<int> high = i + 1 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
    const std::optional<int> low = i + 2 < text.size() ? HexDigit(text[i + 2]) : std::nullopt;
    if (!high.has_value() || !low.has_value()) {
      return std::nullopt;
    }
    decoded += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return decoded;
}

absl::StatusOr<std::optional<ModelTarget>> ParseModelPath(std::string_view path,
                                                          std::string_view verb) {
  constexpr std::string_view kModels = "/v2/models/";
  if (!path.starts_with(kModels)) {
    return std::nullopt;
  }
  const std::vector<std::string_view> parts = Segments(path.substr(kModels.size()));
  const bool versioned = parts.size() == 4 && parts[1] == "versions";
  if ((parts.size() != 2 && !versioned) || parts.back() != verb) {
    return std::nullopt;
  }
  const std::optional<std::string> model = PercentDecoded(parts[0]);
  const std::optional<std::string> version =
      versioned ? PercentDecoded(parts[2]) : std::optional<std::string>("");
  if (!model.has_value() || !version.has_value()) {
    return InvalidArgument("a '%' in the path is not followed by two hexadecimal digits");
  }
  return ModelTarget{*model, *version};
}

}  // namespace omserve::server
