// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/mirror_plan.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/path_below.h"
#include "runtime/base/version_folder.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {

std::string ModelOfPath(std::string_view path) {
  return std::string(path.substr(0, path.find('/')));
}

std::string UnitPathOf(std::string_view path) {
  const size_t first = path.find('/');
  const size_t second = first == std::string_view::npos ? first : path.find('/', first + 1);
  const bool is_version = second != std::string_view::npos &&
                          VersionOfFolder(path.substr(first + 1, second - first - 1)).has_value();
  return std::string(is_version ? path.substr(0, second) : path);
}

absl::StatusOr<std::vector<ModelUnits>> UnitsOf(const std::vector<SourceFile>& files) {
  std::map<std::string, const SourceFile*> by_path;
  for (const SourceFile& file : files) {
    RETURN_IF_ERROR(CheckPath(file.path));
    if (file.path.find('/') == std::string::npos) {
      return InvalidArgument("'{}': in no model's folder", file.path);
    }
    by_path[file.path] = &file;
  }
  std::map<std::string, ModelUnits> models;
  for (const auto& [path, file] : by_path) {
    const auto below = by_path.lower_bound(path + "/");
    if (below != by_path.end() && IsBelow(below->first, path)) {
      return InvalidArgument("'{}' lies below '{}', which is a file", below->first, path);
    }
    ModelUnits& model = models[ModelOfPath(path)];
    model.model = ModelOfPath(path);
    const std::string unit = UnitPathOf(path);
    const auto same = std::find_if(model.units.begin(), model.units.end(),
                                   [&unit](const Unit& one) { return one.path == unit; });
    if (same != model.units.end()) {
      same->files.push_back(*file);
    } else {
      model.units.push_back({.path = unit, .is_version = unit != path, .files = {*file}});
    }
  }
  std::vector<ModelUnits> result;
  for (auto& [name, model] : models) {
    std::stable_partition(model.units.begin(), model.units.end(),
                          [](const Unit& unit) { return unit.is_version; });
    result.push_back(std::move(model));
  }
  return result;
}

}  // namespace omserve::source
