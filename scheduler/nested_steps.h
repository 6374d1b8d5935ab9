// SPDX-License-Identifier: Apache-2.0
// Pipelines over pipelines: a step whose model is a pipeline is replaced by the steps of that one,
// so that the core schedules steps of models and host operations only.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "scheduler/plan.h"

namespace omserve::scheduler {

// Each pipeline over another one may multiply the steps: of 20, each with the one before it twice,
// the last has a million. A request has a place for each of them.
inline constexpr size_t kMostNestedSteps = 1024;

// Adds the steps of `inner`, which the model of `step` is, to `steps`. Only the name and the maps
// of `step` count. Names of its steps, and of tensors that stay inside, get its name in front:
// "step.inner". Caches of inner steps are shared with the inner pipeline: such a step makes all
// that it makes there, though nobody may read it here (StepSpec::shares_cache). Errors:
// kInvalidArgument naming the step, the tensor and what there is, for a map that names what is no
// input or output of the inner pipeline, and for an input that is not mapped; and for more than
// kMostNestedSteps.
absl::Status AddNestedSteps(const StepSpec& step, const Plan& inner, std::vector<StepSpec>& steps);

}  // namespace omserve::scheduler
