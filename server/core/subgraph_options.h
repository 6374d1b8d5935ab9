// SPDX-License-Identifier: Apache-2.0
// What a model's configuration says of its batches and queues, as an engine takes it. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "config/model_config.h"
#include "scheduler/engine_options.h"

namespace omserve::server {

// What is the same on every device that a subgraph is added to: name, version, shape, and the
// settings of dynamic_batching. `max_queue_rows` is for a model that sets none itself.
scheduler::SubgraphSpec BaseSpec(const std::string& name, int64_t version,
                                 const config::LoadedModelConfig& loaded,
                                 scheduler::SubgraphShape shape, int max_queue_rows);

}  // namespace omserve::server
