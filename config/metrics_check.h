// SPDX-License-Identifier: Apache-2.0
// What a model's configuration says of its metrics: metric_tags and model_metrics.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "config/source_map.h"
#include "proto/inference/model_config.pb.h"

namespace omserve::config {

// Errors: a tag that cannot be a label, or that samples have already; bounds of a histogram that
// do not grow. A warning for a metric that has no bounds to set.
void CheckMetrics(const inference::ModelConfig& config, Findings& findings);

// metrics.summary_quantiles: "0.5:0.05,0.9". Errors: kInvalidArgument for what is no number from 0
// to 1, for a quantile that is there twice, and for more than 16.
absl::StatusOr<std::vector<double>> ReadQuantiles(std::string_view text);

}  // namespace omserve::config
