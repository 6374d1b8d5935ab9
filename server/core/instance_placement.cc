// SPDX-License-Identifier: Apache-2.0
#include "server/core/instance_placement.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace omserve::server {

absl::StatusOr<std::vector<std::vector<int>>> PlaceInstances(const inference::ModelConfig& config,
                                                             std::span<const int> device_ids) {
  std::vector<std::vector<int>> groups(device_ids.size());
  if (config.instance_group().empty()) {
    for (std::vector<int>& on_device : groups) {
      on_device.push_back(0);
    }
    return groups;
  }
  for (int g = 0; g < config.instance_group_size(); ++g) {
    const inference::ModelInstanceGroup& group = config.instance_group(g);
    for (const int id : group.gpus()) {
      if (std::find(device_ids.begin(), device_ids.end(), id) == device_ids.end()) {
        return InvalidArgument(
            "instance_group[{}].gpus: device {} is not among those that are served on ({}); see "
            "device.ids of the daemon",
            g, id, fmt::join(device_ids, ", "));
      }
    }
    for (size_t place = 0; place < device_ids.size(); ++place) {
      const bool is_meant =
          group.gpus().empty() || std::find(group.gpus().begin(), group.gpus().end(),
                                            device_ids[place]) != group.gpus().end();
      if (is_meant) {
        groups[place].insert(groups[place].end(), static_cast<size_t>(std::max(1, group.count())),
                             g);
      }
    }
  }
  return groups;
}

absl::StatusOr<std::vector<size_t>> PlacePipeline(std::span<const StepPlaces> steps,
                                                  std::span<const int> device_ids) {
  std::vector<size_t> common;
  for (size_t place = 0; place < device_ids.size(); ++place) {
    if (std::all_of(steps.begin(), steps.end(),
                    [place](const StepPlaces& step) { return step.held[place]; })) {
      common.push_back(place);
    }
  }
  if (!common.empty()) {
    return common;
  }
  std::vector<std::string> where;
  for (const StepPlaces& step : steps) {
    std::vector<int> held;
    for (size_t place = 0; place < device_ids.size(); ++place) {
      if (step.held[place]) {
        held.push_back(device_ids[place]);
      }
    }
    where.push_back(
        fmt::format("step '{}' (model '{}') on {}", step.step, step.model, fmt::join(held, ", ")));
  }
  return FailedPrecondition(
      "no device has the models of all steps: {}; give them a device in common with "
      "instance_group.gpus",
      fmt::join(where, "; "));
}

}  // namespace omserve::server
