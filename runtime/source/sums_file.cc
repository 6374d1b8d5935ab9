// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/sums_file.h"

#include <algorithm>
#include <map>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/base/path_below.h"
#include "runtime/base/split.h"

namespace omserve::source {
namespace {

constexpr size_t kHexDigits = 2 * kDigestBytes;
constexpr size_t kMostPartBytes = 255;  // NAME_MAX of the file systems that there are.

absl::StatusOr<Sum> ParseLine(std::string_view line) {
  if (line.ends_with('\r')) {
    return InvalidArgument("the line ends with a carriage return; write it with Unix line ends");
  }
  if (line.starts_with('\\')) {
    return InvalidArgument(
        "the name is escaped (a backslash stands in front), since it has a backslash or a line "
        "break in it; rename the file");
  }
  std::optional<Digest> digest;
  if (line.size() > kHexDigits + 2 && line[kHexDigits] == ' ' &&
      (line[kHexDigits + 1] == ' ' || line[kHexDigits + 1] == '*')) {
    digest = DigestFromHex(line.substr(0, kHexDigits));
  }
  if (!digest.has_value()) {
    return InvalidArgument(
        "expected {} hexadecimal digits, two spaces or ' *', and a path, as sha256sum writes them "
        "(without --tag and --zero)",
        kHexDigits);
  }
  std::string_view path = line.substr(kHexDigits + 2);
  if (path.starts_with("./")) {
    path.remove_prefix(2);
  }
  RETURN_IF_ERROR(CheckPath(path));
  return Sum{.path = std::string(path), .digest = *digest};
}

}  // namespace

absl::Status CheckPath(std::string_view path) {
  if (path.size() > kMostPathBytes) {
    return InvalidArgument("the path has {} bytes, at most {} are allowed", path.size(),
                           kMostPathBytes);
  }
  // What could not be shown is not shown.
  const auto is_odd = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f || c == '\\'; };
  if (std::any_of(path.begin(), path.end(), is_odd)) {
    return InvalidArgument("the path has a control character or a backslash in it");
  }
  if (path.starts_with('/')) {
    return InvalidArgument("'{}': an absolute path; expected one below the folder", path);
  }
  for (const std::string_view part : Split(path, '/')) {
    if (part.empty()) {
      return InvalidArgument("'{}': a part of the path is empty", path);
    }
    if (part.starts_with('.')) {
      return InvalidArgument(
          "'{}': the part '{}' begins with a dot; hidden files and '..' are not "
          "read",
          path, part);
    }
    if (part.size() > kMostPartBytes) {
      return InvalidArgument("'{}': a part of the path has {} bytes, at most {} are allowed", path,
                             part.size(), kMostPartBytes);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Sum>> ParseSums(std::string_view text, std::string_view where) {
  if (text.size() > kMostSumsBytes) {
    return InvalidArgument("{}: {} bytes, at most {} are read", where, text.size(), kMostSumsBytes);
  }
  if (!text.empty() && !text.ends_with('\n')) {
    return InvalidArgument("{}: the last line has no end: the file was cut short; write it again",
                           where);
  }
  std::map<std::string, std::pair<Digest, size_t>> found;  // With the line; by path.
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    const std::string place = fmt::format("{}:{}", where, number);
    if (number > kMostFiles) {
      return InvalidArgument("{}: more than {} lines", where, kMostFiles);
    }
    absl::StatusOr<Sum> sum = ParseLine(text.substr(0, end));
    if (!sum.ok()) {
      return WithContext(sum.status(), place);
    }
    text.remove_prefix(end + 1);
    const auto [entry, is_new] = found.try_emplace(sum->path, sum->digest, number);
    if (!is_new) {
      return InvalidArgument("{}: '{}' is listed in line {} already", place, sum->path,
                             entry->second.second);
    }
  }
  std::vector<Sum> sums;
  for (const auto& [path, sum] : found) {
    const auto below = found.lower_bound(path + "/");
    if (below != found.end() && IsBelow(below->first, path)) {
      return InvalidArgument("{}:{}: '{}' lies below '{}', which is listed as a file in line {}",
                             where, below->second.second, below->first, path, sum.second);
    }
    sums.push_back({.path = path, .digest = sum.first});
  }
  return sums;
}

std::string WriteSums(const std::vector<Sum>& sums) {
  std::string text;
  for (const Sum& sum : sums) {
    text += fmt::format("{}  {}\n", HexOf(sum.digest), sum.path);
  }
  return text;
}

}  // namespace omserve::source
