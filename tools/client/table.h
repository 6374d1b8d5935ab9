// SPDX-License-Identifier: Apache-2.0
// A plain text table: columns as wide as their widest cell, two spaces between.
#pragma once

#include <string>
#include <vector>

namespace omserve::client {

// The first row is the heading. Columns whose cells below it are all numbers stand to the right.
// Widths count UTF-8 characters. Every line ends with a newline.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace omserve::client
