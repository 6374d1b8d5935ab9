// SPDX-License-Identifier: Apache-2.0
// A model as the readers of bodies see it, with nothing behind it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/plan.h"
#include "server/core/model.h"

namespace omserve::server {

// "m", version 3, that batches.
inline std::shared_ptr<Model> TestModel(std::vector<TensorSpec> inputs,
                                        std::vector<TensorSpec> outputs) {
  auto model = std::make_shared<Model>();
  model->name = std::string("m");
  model->version = 3;
  auto plan = std::make_shared<scheduler::Plan>();
  plan->batched = true;
  model->plan = plan;
  model->inputs = std::move(inputs);
  model->outputs = std::move(outputs);
  return model;
}

}  // namespace omserve::server
