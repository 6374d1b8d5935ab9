// SPDX-License-Identifier: Apache-2.0
#include "tests/tidy/rules.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "tests/tidy/tables.h"

namespace omserve::tidy {
namespace {

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool EndsWithAny(std::string_view path, std::span<const std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(),
                     [path](std::string_view end) { return path.ends_with(end); });
}

bool IsCpp(std::string_view path) { return path.ends_with(".cc") || path.ends_with(".h"); }

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// Files people write code in, as against prose and data.
bool IsCode(std::string_view path) {
  constexpr std::string_view kEnds[] = {".cc", ".h", ".proto", ".cmake", ".sh", ".py"};
  const std::string_view name = BaseName(path);
  return EndsWithAny(path, kEnds) || name == "CMakeLists.txt" || name == "Dockerfile" ||
         name == "dev";
}

bool IsExcepted(std::string_view path, std::string_view text) {
  return std::any_of(
      std::begin(kExceptions), std::end(kExceptions), [&](const Exception& exception) {
        const bool fits = exception.file.ends_with('/') ? path.starts_with(exception.file)
                                                        : path == exception.file;
        return fits && exception.text == text;
      });
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

bool Mentions(std::string_view line, const Ban& ban) {
  for (size_t at = line.find(ban.text); at != std::string_view::npos;
       at = line.find(ban.text, at + 1)) {
    const size_t end = at + ban.text.size();
    const bool starts = at == 0 || !IsWordCharacter(line[at - 1]);
    const std::string_view rest = line.substr(end);
    const bool ends =
        !ban.whole_word || (!rest.starts_with("::") && (rest.empty() || !IsWordCharacter(rest[0])));
    if (starts && ends) {
      return true;
    }
  }
  return false;
}

size_t LongestWord(std::string_view line) {
  size_t longest = 0;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    longest = std::max(longest, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return longest;
}

std::string Join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) {
    text += part;
  }
  return text;
}

// Collects the findings of one file.
class FileCheck final {
 public:
  FileCheck(std::string_view path, std::string_view contents)
      : path_(path), contents_(contents), lines_(Lines(contents)) {}

  std::vector<Finding> Run() {
    CheckShape();
    for (size_t i = 0; i < lines_.size(); ++i) {
      CheckText(i + 1, lines_[i]);
    }
    if (IsCpp(path_)) {
      const std::string code = BlankCommentsAndLiterals(contents_);
      const std::vector<std::string_view> code_lines = Lines(code);
      for (size_t i = 0; i < code_lines.size(); ++i) {
        CheckBans(i + 1, code_lines[i]);
        CheckInclude(i + 1, lines_[i]);
      }
    }
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const Finding& a, const Finding& b) { return a.line < b.line; });
    return findings_;
  }

 private:
  void Add(size_t line, std::string message) { findings_.push_back({line, std::move(message)}); }

  void CheckShape();
  void CheckText(size_t number, std::string_view line);
  void CheckCharacters(size_t number, std::string_view line);
  void CheckBans(size_t number, std::string_view line);
  void CheckInclude(size_t number, std::string_view line);
  void CheckOurInclude(size_t number, std::string_view header);

  std::string_view path_;
  std::string_view contents_;
  std::vector<std::string_view> lines_;
  std::vector<Finding> findings_;
};

void FileCheck::CheckShape() {
  if (!IsCode(path_)) {
    return;
  }
  const auto head_end =
      lines_.begin() + static_cast<std::ptrdiff_t>(std::min(lines_.size(), kLicenceLines));
  if (std::none_of(lines_.begin(), head_end, [](std::string_view line) {
        return line.find("SPDX-License-Identifier: Apache-2.0") != std::string_view::npos;
      })) {
    Add(1, "no licence: start with SPDX-License-Identifier: Apache-2.0 in a comment");
  }
  if (lines_.size() > kLinesMax && !IsExcepted(path_, kTooLong)) {
    Add(kLinesMax + 1, "the file has " + std::to_string(lines_.size()) + " lines, at most " +
                           std::to_string(kLinesMax) + " are allowed: split it");
  }
  if (path_.ends_with(".h") && contents_.find("#pragma once\n") == std::string_view::npos) {
    Add(1, "no include guard: add #pragma once below the file's comment");
  }
  if (!contents_.empty() && contents_.back() != '\n') {
    Add(lines_.size(), "the last line does not end: add a line end");
  }
}

void FileCheck::CheckText(size_t number, std::string_view line) {
  if (IsCode(path_)) {
    // Lines of code are ASCII, so bytes are columns.
    if (line.size() > kColumnsMax && LongestWord(line) <= kWordMax) {
      Add(number, "the line has " + std::to_string(line.size()) + " columns, at most " +
                      std::to_string(kColumnsMax) + " are allowed: break it");
    }
    if (line.ends_with(' ') || line.ends_with('\t')) {
      Add(number, "white space at the end of the line: remove it");
    }
  }
  constexpr Ban kFixMe = {
      "FIX"
      "ME",
      true, ""};
  constexpr Ban kToDo = {
      "TO"
      "DO",
      true, ""};
  if (Mentions(line, kFixMe)) {
    Add(number, Join({kFixMe.text, ": repair it now, or say in a comment what is the case"}));
  }
  if (Mentions(line, kToDo)) {
    Add(number, Join({kToDo.text, ": do it now, or say in a comment what is the case"}));
  }
  for (const ForeignPlace& foreign : kForeignPlaces) {
    const std::string place = Join({foreign.start, foreign.rest});
    if (line.find(place) != std::string_view::npos) {
      Add(number, Join({"'", place, "' names a machine's folder or a package host: leave it out"}));
    }
  }
  CheckCharacters(number, line);
}

void FileCheck::CheckCharacters(size_t number, std::string_view line) {
  // No-break space, zero-width characters, byte-order mark and the replacement character: invisible
  // or the trace of a broken conversion.
  constexpr std::string_view kUnwanted[] = {"\xc2\xa0",     "\xe2\x80\x8b", "\xe2\x80\x8c",
                                            "\xe2\x80\x8d", "\xef\xbb\xbf", "\xef\xbf\xbd"};
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\t') {
      Add(number, "control character (carriage return?): remove it");
      return;
    }
    if (byte >= 0x80 && IsCode(path_)) {
      Add(number, "character beyond ASCII in code: write it as ASCII or as an escape");
      return;
    }
  }
  for (const std::string_view unwanted : kUnwanted) {
    if (line.find(unwanted) != std::string_view::npos) {
      Add(number, "invisible or broken character: retype the line");
      return;
    }
  }
}

void FileCheck::CheckBans(size_t number, std::string_view line) {
  for (const Ban& ban : kBans) {
    if (Mentions(line, ban) && !IsExcepted(path_, ban.text)) {
      Add(number, Join({"'", ban.text, "' is not used here: ", ban.remedy}));
    }
  }
}

void FileCheck::CheckInclude(size_t number, std::string_view line) {
  constexpr std::string_view kInclude = "#include ";
  if (!line.starts_with(kInclude) || line.size() < kInclude.size() + 2) {
    return;
  }
  const std::string_view rest = line.substr(kInclude.size() + 1);
  const std::string_view header = rest.substr(0, rest.find_first_of("\">"));
  for (const IncludeRule& rule : kIncludeRules) {
    const bool allowed = std::any_of(
        rule.folders.begin(), rule.folders.end(),
        [this](std::string_view folder) { return !folder.empty() && path_.starts_with(folder); });
    if (header.starts_with(rule.header_prefix) && !allowed && !IsExcepted(path_, header)) {
      Add(number, Join({"'", header, "' is not included here: ", rule.remedy}));
    }
  }
  if (line[kInclude.size()] == '"') {
    CheckOurInclude(number, header);
  }
}

void FileCheck::CheckOurInclude(size_t number, std::string_view header) {
  if (header.find('/') == std::string_view::npos || header.starts_with("..")) {
    Add(number, Join({"'", header, "': write includes from the root of the sources"}));
    return;
  }
  const bool ours = std::any_of(std::begin(kOurFolders), std::end(kOurFolders),
                                [header](std::string_view f) { return header.starts_with(f); });
  if (!ours || IsExcepted(path_, header)) {
    return;
  }
  for (const ForbiddenArrow& arrow : kForbiddenArrows) {
    if (path_.starts_with(arrow.folder) && header.starts_with(arrow.header_prefix)) {
      Add(number,
          Join({"'", header, "': ", arrow.folder, " does not include ", arrow.header_prefix}));
    }
  }
  const auto* layer =
      std::find_if(std::begin(kLayers), std::end(kLayers),
                   [this](const Layer& candidate) { return path_.starts_with(candidate.folder); });
  if (layer == std::end(kLayers)) {
    return;
  }
  const bool allowed = std::any_of(
      layer->may_include.begin(), layer->may_include.end(),
      [header](std::string_view prefix) { return !prefix.empty() && header.starts_with(prefix); });
  if (!allowed) {
    Add(number, Join({"'", header, "' lies above ", layer->folder,
                      ": move what both need down, or hand it in"}));
  }
}

}  // namespace

bool IsChecked(std::string_view path) {
  constexpr std::string_view kSkipped[] = {".git/",
                                           ".deps/",
                                           ".cache/",
                                           "build/",
                                           "tools/demo/scenes/models/",
                                           "tools/demo/scenes/samples/",
                                           "LICENSE"};
  constexpr std::string_view kEnds[] = {".md",    ".txt",     ".json", ".yaml",      ".yml",
                                        ".toml",  ".html",    ".css",  ".js",        ".conf",
                                        ".pbtxt", ".service", ".supp", ".clang-tidy"};
  if (std::any_of(std::begin(kSkipped), std::end(kSkipped),
                  [path](std::string_view start) { return path.starts_with(start); })) {
    return false;
  }
  return IsCode(path) || EndsWithAny(path, kEnds);
}

std::vector<Finding> CheckFile(std::string_view path, std::string_view contents) {
  return FileCheck(path, contents).Run();
}

}  // namespace omserve::tidy
