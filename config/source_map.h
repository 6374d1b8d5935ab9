// SPDX-License-Identifier: Apache-2.0
// Where each value of a configuration stands in its file, and what checking it found.
//
// A path names a value as the message has it: "input[0].dims[1]", "parameters[key]".
// Thread-compatible.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace omserve::config {

// Both counted from 1; 0 is unknown.
struct SourceMark {
  int line = 0;
  int column = 0;
};

class SourceMap final {
 public:
  SourceMap() = default;
  explicit SourceMap(std::string file) : file_(std::move(file)) {}

  void Set(std::string path, SourceMark mark) { marks_[std::move(path)] = mark; }
  // Whether the file gives a value at `path`, be it 0 or empty.
  bool Has(std::string_view path) const { return marks_.find(path) != marks_.end(); }
  // "FILE:LINE:COLUMN" of `path`, or of the innermost value around it that is known; "FILE" where
  // none is, and "" for a configuration that came from no file.
  std::string Locate(std::string_view path) const;
  std::string Locate(SourceMark mark) const;

 private:
  std::string file_;
  std::map<std::string, SourceMark, std::less<>> marks_;
};

// "parameters[key]". Long keys are cut: a path only serves people and must not cost memory.
std::string KeyedPath(std::string_view path, std::string_view key);
// "input[3]".
std::string IndexedPath(std::string_view path, size_t index);
// "input[3].dims"; just `field` when `path` is empty.
std::string FieldPath(std::string_view path, std::string_view field);
// `text` with control characters escaped, cut after 64 bytes; Quoted puts it in double quotes.
std::string Shown(std::string_view text);
std::string Quoted(std::string_view text);

// Everything wrong with one file, so that it is mended in one go; the first 20 are kept.
class Findings final {
 public:
  // Keeps a reference to `source`.
  explicit Findings(const SourceMap& source) : source_(source) {}

  // Each becomes "FILE:LINE:COLUMN: key 'PATH': TEXT".
  void Error(std::string_view path, std::string_view text);
  // Right by the protocol, but not followed here: refused, because ignoring it would change
  // answers. `text` says why, and what to do instead.
  void Unsupported(std::string_view path, std::string_view text);
  // Accepted, and not followed.
  void Warn(std::string_view path, std::string_view text);
  // The same for text whose path was never bound: "FILE:LINE:COLUMN: TEXT".
  void ErrorAt(SourceMark mark, std::string_view text);

  bool ok() const { return count_ == 0; }
  size_t count() const { return count_; }  // Of errors.
  // OK, or one line per error: kUnimplemented when nothing is wrong but what is not followed,
  // else kInvalidArgument.
  absl::Status ToStatus() const;
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  std::string Line(std::string_view path, std::string_view text) const;
  void Keep(std::string line);

  const SourceMap& source_;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
  size_t count_ = 0;
  bool only_unsupported_ = true;
};

}  // namespace omserve::config
