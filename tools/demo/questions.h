// SPDX-License-Identifier: Apache-2.0
// The sample questions of the scenes model: pictures, texts, expected answers and logits.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::demo {

struct Question {
  std::string image;  // File name in the samples folder.
  std::string png;    // Its bytes.
  std::string text;
  std::string expected;
  std::vector<float> logits;  // PyTorch's.
};

// Reads samples.json, logits.npy and the pictures. Errors name the file and what is wrong in it.
absl::StatusOr<std::vector<Question>> LoadQuestions(const std::string& folder);

}  // namespace omserve::demo
