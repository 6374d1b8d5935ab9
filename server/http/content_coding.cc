// SPDX-License-Identifier: Apache-2.0
#include "server/http/content_coding.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace omserve::server {
namespace {

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Takes what stands before the next `separator` off `text`, and that separator.
std::string_view TakeUntil(char separator, std::string_view& text) {
  const size_t at = text.find(separator);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return Trimmed(taken);
}

bool IsSameWord(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// Of "q=0.5" among an item's parameters; 1 where there is none, 0 where it is no number.
double WeightOf(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = TakeUntil(';', parameters);
    const std::string_view name = TakeUntil('=', value);
    if (IsSameWord(name, "q")) {
      double weight = 0;
      const std::string_view number = Trimmed(value);
      std::from_chars(number.data(), number.data() + number.size(), weight);
      return weight;
    }
  }
  return 1;
}

}  // namespace

std::string_view ContentCodingName(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::kGzip:
      return "gzip";
    case ContentCoding::kDeflate:
      return "deflate";
    case ContentCoding::kIdentity:
      break;
  }
  return "identity";
}

std::optional<ContentCoding> ContentCodingOf(std::string_view content_encoding) {
  const std::string_view name = Trimmed(content_encoding);
  if (name.empty() || IsSameWord(name, "identity")) {
    return ContentCoding::kIdentity;
  }
  if (IsSameWord(name, "gzip") || IsSameWord(name, "x-gzip")) {
    return ContentCoding::kGzip;
  }
  if (IsSameWord(name, "deflate")) {
    return ContentCoding::kDeflate;
  }
  return std::nullopt;
}

ContentCoding ChooseContentCoding(std::string_view accept_encoding) {
  std::optional<double> gzip;
  std::optional<double> deflate;
  std::optional<double> identity;
  double others = 0;  // Of "*".
  while (!accept_encoding.empty()) {
    std::string_view item = TakeUntil(',', accept_encoding);
    const std::string_view name = TakeUntil(';', item);
    const double weight = WeightOf(item);
    if (IsSameWord(name, "gzip") || IsSameWord(name, "x-gzip")) {
      gzip = weight;
    } else if (IsSameWord(name, "deflate")) {
      deflate = weight;
    } else if (IsSameWord(name, "identity")) {
      identity = weight;
    } else if (name == "*") {
      others = weight;
    }
  }
  const double best = std::max(gzip.value_or(others), deflate.value_or(others));
  if (best <= 0 || best < identity.value_or(0)) {
    return ContentCoding::kIdentity;
  }
  return gzip.value_or(others) == best ? ContentCoding::kGzip : ContentCoding::kDeflate;
}

}  // namespace omserve::server
