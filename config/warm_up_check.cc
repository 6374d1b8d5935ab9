// SPDX-License-Identifier: Apache-2.0
// Samples of model_warmup, by themselves.
#include <fmt/format.h>

#include <map>
#include <string>

#include "config/model_config_check.h"

namespace omserve::config {
namespace {

using inference::ModelWarmup;

void CheckDims(const std::string& path, const ModelWarmup::Input& input, Findings& findings) {
  for (int d = 0; d < input.dims_size(); ++d) {
    if (input.dims(d) < 1) {
      findings.Error(
          IndexedPath(path, static_cast<size_t>(d)),
          fmt::format("expected a size of 1 or more, got {}: a sample has fixed dims, which leave "
                      "the batch dimension out",
                      input.dims(d)));
    }
  }
}

void CheckData(const std::string& path, const ModelWarmup::Input& input, Findings& findings) {
  const bool is_off = (input.has_zero_data() && !input.zero_data()) ||
                      (input.has_random_data() && !input.random_data());
  if (is_off || input.input_data_type_case() == ModelWarmup::Input::INPUT_DATA_TYPE_NOT_SET) {
    findings.Error(path, "expected zero_data: true, random_data: true or an input_data_file");
  }
  const std::string& file = input.input_data_file();
  if (input.has_input_data_file() &&
      (file.empty() || file == "." || file == ".." || file.find('/') != std::string::npos)) {
    findings.Error(FieldPath(path, "input_data_file"),
                   fmt::format("expected the name of a file in the model's folder warmup, got {}",
                               Quoted(file)));
  }
}

}  // namespace

void CheckWarmUp(const inference::ModelConfig& config, Findings& findings) {
  constexpr uint32_t kMostRuns = 1'000'000;
  constexpr uint32_t kMostRows = 1 << 20;
  for (int i = 0; i < config.model_warmup_size(); ++i) {
    const ModelWarmup& sample = config.model_warmup(i);
    const std::string path = IndexedPath("model_warmup", static_cast<size_t>(i));
    if (sample.count() > kMostRuns) {
      findings.Error(
          FieldPath(path, "count"),
          fmt::format("expected 0 to {} (0 means once), got {}", kMostRuns, sample.count()));
    }
    if (sample.batch_size() > kMostRows) {
      findings.Error(FieldPath(path, "batch_size"),
                     fmt::format("expected 1 to {}, got {}", kMostRows, sample.batch_size()));
    }
    const std::map<std::string, ModelWarmup::Input> inputs(sample.inputs().begin(),
                                                           sample.inputs().end());
    for (const auto& [name, input] : inputs) {
      const std::string own = KeyedPath(FieldPath(path, "inputs"), name);
      CheckDims(FieldPath(own, "dims"), input, findings);
      CheckData(own, input, findings);
    }
  }
}

}  // namespace omserve::config
