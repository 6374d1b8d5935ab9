// SPDX-License-Identifier: Apache-2.0
// YAML text as a plain tree with the place of every value.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/source_map.h"

namespace omserve::config {

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  struct Key {
    std::string text;
    SourceMark mark;
  };

  Kind kind = Kind::kNull;
  SourceMark mark;
  std::string text;             // kScalar, quoted or not.
  std::vector<YamlNode> items;  // Elements of a sequence, values of a map.
  std::vector<Key> keys;        // kMap: as many as items, in the order of the file.
};

// One document; an empty text is kNull. Aliases are expanded. Nesting deeper than 64, more than
// 100 000 values and more than 16 MiB of text after expansion, keys that are not text, and a second
// document are refused.
// Requires UTF-8 without control characters (CheckText).
// Errors: kInvalidArgument, "FILE:LINE:COLUMN: ...".
absl::StatusOr<YamlNode> ParseYaml(const std::string& text, const std::string& file);

}  // namespace omserve::config
