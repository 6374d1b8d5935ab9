// SPDX-License-Identifier: Apache-2.0
// Lists of words that lie beside a model: a vocabulary, the labels of classes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::hostops {

// The strings of a JSON array, in its order. Blocks on the disk.
// Errors: kInvalidArgument for a file that is no JSON, no array, empty, or has an element that is
// no string, naming the file and the element; as ReadFile.
absl::StatusOr<std::vector<std::string>> ReadJsonWords(const std::string& path);

// As ReadJsonWords when the name ends in ".json"; otherwise a label a line, where a carriage return
// at the end of a line and the end of the last line do not count.
absl::StatusOr<std::vector<std::string>> ReadLabels(const std::string& path);

}  // namespace omserve::hostops
