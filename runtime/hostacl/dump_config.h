// SPDX-License-Identifier: Apache-2.0
// The object "dump" of AscendCL's configuration files.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace omserve::hostacl {

struct DumpConfig {
  bool all_models = false;       // The list holds {}, which stands for every model.
  std::set<std::string> models;  // Names.
  std::string folder;            // Exists.
  bool inputs = false;
  bool outputs = true;

  bool Wants(const std::string& model) const { return all_models || models.contains(model); }
};

// {"dump": {"dump_list": [{"model_name": ...}], "dump_path": ..., "dump_mode": "input" | "output" |
// "all"}}, the mode "output" where there is none. `origin` names the text in messages. Errors:
// ACL_ERROR_INVALID_DUMP_CONFIG; ACL_ERROR_RT_FEATURE_NOT_SUPPORT for what is about operators,
// since a task of this device is a whole model.
absl::StatusOr<DumpConfig> ParseDumpConfig(std::string_view text, std::string_view origin);

// Whether the JSON object `text` says anything under "dump". False for what is no JSON object.
bool HasDumpConfig(std::string_view text);

}  // namespace omserve::hostacl
