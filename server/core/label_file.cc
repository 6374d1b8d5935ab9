// SPDX-License-Identifier: Apache-2.0
#include "server/core/label_file.h"

#include <utility>

#include "config/scalar_text.h"
#include "runtime/base/errors.h"
#include "runtime/hostops/json_words.h"

namespace omserve::server {
namespace {

absl::StatusOr<std::vector<std::string>> ReadLabelFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::vector<std::string> labels, hostops::ReadLabels(path));
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i].size() > kMostLabelBytes) {
      return InvalidArgument("'{}': label {} has {} bytes, expected {} at most", path, i,
                             labels[i].size(), kMostLabelBytes);
    }
    if (!config::IsUtf8(labels[i], nullptr)) {
      return InvalidArgument("'{}': label {} is not UTF-8", path, i);
    }
  }
  return labels;
}

}  // namespace

absl::StatusOr<std::vector<std::vector<std::string>>> ReadLabelFiles(
    const inference::ModelConfig& config, const std::string& folder,
    const std::vector<TensorSpec>& outputs) {
  std::vector<std::vector<std::string>> labels(outputs.size());
  for (const inference::ModelOutput& output : config.output()) {
    for (size_t i = 0; i < outputs.size() && !output.label_filename().empty(); ++i) {
      if (outputs[i].name != output.name()) {
        continue;
      }
      absl::StatusOr<std::vector<std::string>> read =
          ReadLabelFile(folder + "/" + output.label_filename());
      if (!read.ok()) {
        return WithContext(read.status(),
                           fmt::format("label_filename of output '{}'", output.name()));
      }
      labels[i] = *std::move(read);
    }
  }
  return labels;
}

}  // namespace omserve::server
