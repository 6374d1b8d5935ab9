// SPDX-License-Identifier: Apache-2.0
// Models for the timed engine, whose graph nobody runs, and what they answer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/acl/acl_abi.h"
#include "runtime/hostacl/timed_function.h"
#include "runtime/om/model_description.h"
#include "tests/status_test_util.h"

namespace omserve::hostacl {

inline std::string TimedFile(const om::ModelDescription& description) {
  const std::string_view graph = "no graph";
  return VALUE(om::WriteHostModel(description, std::as_bytes(std::span(graph)), {}));
}

// Input x FP32 and output y FP32 of one shape: `dims` with -1 where a gear decides.
inline om::ModelDescription TimedModel(std::vector<int64_t> dims, om::GearKind kind,
                                       const std::vector<std::vector<int64_t>>& gears,
                                       std::vector<int64_t> cost_us) {
  om::ModelDescription model;
  model.name = "timed";
  model.gear_kind = kind;
  model.cost_us = std::move(cost_us);
  om::IoDescription x;
  x.name = "x";
  x.acl_data_type = ACL_FLOAT;
  x.dims = dims;
  om::IoDescription y = x;
  y.name = "node:0:y";
  for (const std::vector<int64_t>& values : gears) {
    size_t next = 0;
    std::vector<int64_t> at_gear = dims;
    for (int64_t& dim : at_gear) {
      dim = dim < 0 ? values[next++] : dim;
    }
    model.gears.push_back({.values = values, .output_dims = {at_gear}});
    y.dims = at_gear;  // The tests list the largest last.
  }
  y.size_bytes = sizeof(float);
  for (const int64_t dim : y.dims) {
    y.size_bytes *= static_cast<uint64_t>(dim);
  }
  x.size_bytes = y.size_bytes;
  model.inputs = {x};
  model.outputs = {y};
  return model;
}

// y of such a model for x, `rows` rows of one size.
inline std::vector<float> TimedAnswer(const std::vector<float>& x, size_t rows,
                                      std::string_view model = "timed") {
  std::vector<float> y(x.size());
  const size_t width = x.size() / rows;
  for (size_t row = 0; row < rows; ++row) {
    const std::span<const std::byte> input =
        std::as_bytes(std::span(x).subspan(row * width, width));
    FillTimedRow(TimedSeed(model, {&input, 1}), 0, ACL_FLOAT,
                 std::as_writable_bytes(std::span(y).subspan(row * width, width)));
  }
  return y;
}

}  // namespace omserve::hostacl
