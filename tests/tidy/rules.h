// SPDX-License-Identifier: Apache-2.0
// The conventions that can be checked by reading text, as a function from a file to findings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace omserve::tidy {

struct Finding {
  size_t line = 0;  // From 1.
  std::string message;
};

// Whether a path is looked at: source, build and text files, but not data, whatever built them.
bool IsChecked(std::string_view path);

// What is wrong with the file at `path`, relative to the root of the sources and with '/' between
// folders, in the order of its lines.
std::vector<Finding> CheckFile(std::string_view path, std::string_view contents);

// `source` with comments, and the contents of string and character literals, blanked out. Lines
// stay where they are. Exposed for its test.
std::string BlankCommentsAndLiterals(std::string_view source);

}  // namespace omserve::tidy
