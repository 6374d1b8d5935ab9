// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace omserve::omc {

void TextTable::Add(std::vector<std::string> row) {
  widths_.resize(std::max(widths_.size(), row.size()), 0);
  for (size_t i = 0; i < row.size(); ++i) {
    widths_[i] = std::max(widths_[i], row[i].size());
  }
  rows_.push_back(std::move(row));
}

std::string TextTable::ShowBlock(size_t first, size_t end) const {
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    std::string line;
    for (size_t i = 0; i < std::min(end, row.size()); ++i) {
      if (i == 0 || i >= first) {
        line += fmt::format("  {:<{}}", row[i], widths_[i]);
      }
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string TextTable::Show() const {
  std::string text;
  size_t first = 1;
  do {
    size_t columns = 2 + widths_[0];
    size_t end = first;
    // One column at least, however wide it is.
    while (end < widths_.size() && (end == first || columns + 2 + widths_[end] <= kTextColumns)) {
      columns += 2 + widths_[end++];
    }
    text += (text.empty() ? "" : "\n") + ShowBlock(first, end);
    first = end;
  } while (first < widths_.size());
  return text;
}

void FactList::Add(std::string_view name, std::string value) {
  if (!value.empty()) {
    facts_.emplace_back(name, std::move(value));
  }
}

std::string FactList::Show() const {
  size_t width = 0;
  for (const auto& [name, value] : facts_) {
    width = std::max(width, name.size());
  }
  const size_t indent = width + 4;
  // A list of long names leaves the values little room; then lines are longer.
  const size_t room = std::max<size_t>(kTextColumns - std::min(indent, kTextColumns), 30);
  std::string text;
  for (const auto& [name, value] : facts_) {
    text += fmt::format("  {:<{}}  ", name, width);
    std::string_view rest = value;
    while (rest.size() > room) {
      const size_t blank = rest.substr(0, room + 1).rfind(' ');
      const size_t next = blank == std::string_view::npos || blank == 0 ? rest.find(' ', 1) : blank;
      if (next == std::string_view::npos) {
        break;  // One word that is longer than a line stays whole.
      }
      text += fmt::format("{}\n{:{}}", rest.substr(0, next), "", indent);
      rest.remove_prefix(next + 1);
    }
    text += fmt::format("{}\n", rest);
  }
  return text;
}

}  // namespace omserve::omc
