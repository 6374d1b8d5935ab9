// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/brought.h"

#include <charconv>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/split.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {
namespace {

// One file a line: SHA-256, size, time of change in ns, inode, path.
constexpr std::string_view kHeader = "omserve-brought 1";
constexpr size_t kFields = 5;

template <typename T>
bool ReadNumber(std::string_view text, T& number) {
  const std::from_chars_result result =
      std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

// The path may have spaces in it.
std::vector<std::string_view> FieldsOf(std::string_view line) {
  std::vector<std::string_view> fields;
  while (fields.size() + 1 < kFields && line.find(' ') != std::string_view::npos) {
    fields.push_back(line.substr(0, line.find(' ')));
    line.remove_prefix(line.find(' ') + 1);
  }
  fields.push_back(line);
  return fields;
}

}  // namespace

absl::StatusOr<Brought> Brought::Load(const std::string& path) {
  Brought brought(path);
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) {
    return brought;
  }
  RETURN_IF_ERROR(text.status());
  RETURN_IF_ERROR(brought.Parse(*text));
  return brought;
}

absl::Status Brought::Parse(std::string_view text) {
  size_t number = 0;
  for (const std::string_view line : Split(text, '\n')) {
    ++number;
    const bool is_header = number == 1 && line == kHeader;
    if (is_header || (number > 1 && line.empty())) {
      continue;
    }
    const std::vector<std::string_view> fields = FieldsOf(line);
    BroughtFile file;
    const std::optional<Digest> digest = DigestFromHex(fields[0]);
    if (number == 1 || fields.size() != kFields || !digest.has_value() ||
        !ReadNumber(fields[1], file.identity.size_bytes) ||
        !ReadNumber(fields[2], file.identity.modified_ns) ||
        !ReadNumber(fields[3], file.identity.inode) || !CheckPath(fields[4]).ok()) {
      return InvalidArgument(
          "'{}': line {} is not as it was written; remove the file, and what was brought counts as "
          "yours",
          file_, number);
    }
    file.digest = *digest;
    files_[std::string(fields[4])].push_back(file);
  }
  return absl::OkStatus();
}

void Brought::Add(const std::string& path, const BroughtFile& file) {
  files_[path].push_back(file);
}

void Brought::Set(const std::string& path, const BroughtFile& file) { files_[path] = {file}; }

void Brought::Drop(const std::string& path) { files_.erase(path); }

const std::vector<BroughtFile>& Brought::Of(const std::string& path) const {
  static const std::vector<BroughtFile> kNone;
  const auto found = files_.find(path);
  return found == files_.end() ? kNone : found->second;
}

absl::Status Brought::Save() const {
  std::string text(kHeader);
  text += '\n';
  for (const auto& [path, files] : files_) {
    for (const BroughtFile& file : files) {
      text += fmt::format("{} {} {} {} {}\n", HexOf(file.digest), file.identity.size_bytes,
                          file.identity.modified_ns, file.identity.inode, path);
    }
  }
  return WriteFileAtomically(file_, text);
}

}  // namespace omserve::source
