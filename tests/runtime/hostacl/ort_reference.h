// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime run directly on an ONNX file: what the device's answers are compared with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace omserve::hostacl {

// One float input to one float output (the first of each), at these dims. Fails the test on error.
std::vector<float> RunOnnxFile(const std::string& path, const std::vector<int64_t>& dims,
                               std::vector<float> input);

}  // namespace omserve::hostacl
