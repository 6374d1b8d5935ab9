// SPDX-License-Identifier: Apache-2.0
// Tables and lists of facts for a terminal of 100 columns.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace omserve::omc {

inline constexpr size_t kTextColumns = 100;

// Rows with columns as wide as their widest cell; two spaces in front and between. Columns that do
// not fit beside each other follow below, each block led by the first column.
class TextTable final {
 public:
  explicit TextTable(std::vector<std::string> heading) { Add(std::move(heading)); }

  // Requires as many cells as the heading has, or fewer.
  void Add(std::vector<std::string> row);
  size_t row_count() const { return rows_.size() - 1; }
  std::string Show() const;

 private:
  std::string ShowBlock(size_t first, size_t end) const;

  std::vector<std::vector<std::string>> rows_;
  std::vector<size_t> widths_;
};

// Names and values below each other; a value that is too long goes on below itself, broken at
// blanks. Facts without a value are left out.
class FactList final {
 public:
  void Add(std::string_view name, std::string value);
  std::string Show() const;

 private:
  std::vector<std::pair<std::string, std::string>> facts_;
};

}  // namespace omserve::omc
