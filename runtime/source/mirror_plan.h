// SPDX-License-Identifier: Apache-2.0
// What becomes visible at once when models are brought. Internal to runtime/source. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/source/source.h"

namespace omserve::source {

// A version's folder, or a file beside the versions.
struct Unit {
  std::string path;  // Below the repository: "text/2", "text/config.yaml".
  bool is_version = false;
  std::vector<SourceFile> files;
};

struct ModelUnits {
  std::string model;
  std::vector<Unit> units;  // Versions first: a configuration may name one that has just come.
};

// By model's name. Errors: kInvalidArgument for a path of no model, and one that lies below
// another's file.
absl::StatusOr<std::vector<ModelUnits>> UnitsOf(const std::vector<SourceFile>& files);

// The unit that a path of a file is of: "text/2" for "text/2/model.om", else the path.
std::string UnitPathOf(std::string_view path);
std::string ModelOfPath(std::string_view path);

}  // namespace omserve::source
