// SPDX-License-Identifier: Apache-2.0
// What compiled models and pipelines have in common while they become models that can be called.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "config/model_config.h"
#include "scheduler/placement.h"
#include "server/core/model.h"
#include "server/core/model_loader.h"

namespace omserve::server {

// Whether the configuration says how many rows a batch has, 0 included.
bool StatesBatch(const config::LoadedModelConfig& config);

// Of the context's devices, by place.
std::vector<int> DeviceIds(const LoadContext& context);

// The plan, which keeps the order of answers where the configuration says so.
std::shared_ptr<const scheduler::Plan> AsConfigured(std::shared_ptr<const scheduler::Plan> plan,
                                                    const inference::ModelConfig& config);

// Sets all that follows from the placement's plans and the configuration, which is complete. Reads
// the files of labels in `folder`. Errors: ResolvePadding's, ReadLabelFiles' and FindAnsweredRows'.
absl::Status FillModel(inference::ModelConfig config, const std::string& folder,
                       std::shared_ptr<scheduler::Placement> placement, Model* model);

}  // namespace omserve::server
