// SPDX-License-Identifier: Apache-2.0
// The labels of classes that lie beside a model.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/inference/model_config.pb.h"
#include "runtime/base/tensor.h"

namespace omserve::server {

// A label is no longer, so that an answer is not made of them.
inline constexpr size_t kMostLabelBytes = 4096;

// The labels of `outputs`, in their order, from the files in `folder` that label_filename names;
// empty where an output has none. A file has a label a line (a JSON array of strings where its name
// ends in .json); one of an output whose class has no text is an empty line. Blocks on the disk.
// Errors, naming the output and the file: kNotFound and kInvalidArgument for a file that cannot be
// read, is empty, or has a label that is no UTF-8 or longer than kMostLabelBytes.
absl::StatusOr<std::vector<std::vector<std::string>>> ReadLabelFiles(
    const inference::ModelConfig& config, const std::string& folder,
    const std::vector<TensorSpec>& outputs);

}  // namespace omserve::server
