// SPDX-License-Identifier: Apache-2.0
// What a ModelDef says besides a ModelDescription: for showing a file, not for running it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/om/om_file.h"

namespace omserve::om {

struct ModelAttr {
  std::string name;
  // Truth values and lists of numbers are texts: "true", "[1,2]".
  std::variant<int64_t, std::string> value;
};

struct GraphSummary {
  std::string name;
  size_t op_count = 0;
};

struct ModelContents {
  std::vector<GraphSummary> graphs;  // The root first.
  // The model's own attributes that are numbers, texts or short lists of numbers, by name; texts
  // are UTF-8. The tables of atc's compression are left out.
  std::vector<ModelAttr> attrs;

  // Null when there is none of that name.
  const ModelAttr* Find(std::string_view name) const;
};

// Errors: kInvalidArgument when the file has no such model or its MODEL_DEF is damaged.
absl::StatusOr<ModelContents> ReadModelContents(const OmFile& file, size_t model = 0);

}  // namespace omserve::om
