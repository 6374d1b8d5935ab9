// SPDX-License-Identifier: Apache-2.0
// A model on the devices of a dispatcher.
#pragma once

#include <memory>
#include <vector>

#include "scheduler/plan.h"

namespace omserve::scheduler {

// The same model compiled for each device that holds all of its subgraphs: the plans differ in
// nothing but the subgraphs they name. Immutable once built. Thread-safe.
struct Placement {
  // By the device's place in the dispatcher; null where a subgraph is missing. One or more is not.
  std::vector<std::shared_ptr<const Plan>> plans;

  // The plan of the first device that has one.
  const std::shared_ptr<const Plan>& any_plan() const {
    size_t place = 0;
    while (plans[place] == nullptr) {
      ++place;
    }
    return plans[place];
  }
};

}  // namespace omserve::scheduler
