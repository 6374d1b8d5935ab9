// SPDX-License-Identifier: Apache-2.0
// The object "timed" of the CPU device's settings: what the timed engine is told.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace omserve::hostacl {

struct TimedSettings {
  // By the model's name in its file, then by gear as om::GearKey says it; "" is every gear. These
  // come before what the file records.
  std::map<std::string, std::map<std::string, int64_t>> cost_us;
  int64_t default_cost_us = 0;  // For what has no cost otherwise; 0: such a model is refused.
  // A cost is multiplied by a number from 1 - jitter to 1 + jitter, which follows from the seed,
  // the model's name and the number of the call.
  double jitter = 0;  // 0..1
  int64_t seed = 0;
  std::map<std::string, uint32_t> cores_per_execution;  // By the model's name; 1 if not there.
  int64_t copy_bytes_per_us = 0;                        // Between host and device; 0: no limit.
  int64_t copy_latency_us = 0;                          // Of every such copy.
};

// `origin` names the object in messages. ACL_ERROR_FILE_ATTR_INVALID.
absl::StatusOr<TimedSettings> ReadTimedSettings(const boost::json::object& object,
                                                std::string_view origin);

}  // namespace omserve::hostacl
