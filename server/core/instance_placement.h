// SPDX-License-Identifier: Apache-2.0
// Which devices get how many instances of a model. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/inference/model_config.pb.h"

namespace omserve::server {

// For each device of `device_ids`, in their order, the instance group of each instance that it
// gets: an index into config.instance_group, 0 where the configuration has none, which means one
// instance on every device. As with Triton, a group makes `count` instances on each device of its
// `gpus`, and on every device where it lists none; groups add up. Errors: kInvalidArgument for a
// device that is not among `device_ids`.
absl::StatusOr<std::vector<std::vector<int>>> PlaceInstances(const inference::ModelConfig& config,
                                                             std::span<const int> device_ids);

// A step of a pipeline and the devices that have it, for PlacePipeline.
struct StepPlaces {
  std::string step;
  std::string model;
  std::vector<bool> held;  // By the device's place.
};

// The places of the devices that have all steps. Errors: kFailedPrecondition saying where each step
// is when there is no such device.
absl::StatusOr<std::vector<size_t>> PlacePipeline(std::span<const StepPlaces> steps,
                                                  std::span<const int> device_ids);

}  // namespace omserve::server
