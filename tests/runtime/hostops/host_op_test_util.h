// SPDX-License-Identifier: Apache-2.0
// Calls host ops as a pipeline does, with buffers of exactly the size they ask for.
#pragma once

#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/hostops/host_op.h"
#include "tests/status_test_util.h"

namespace omserve::hostops {

inline constexpr char kScenes[] = OMSERVE_SOURCE_DIR "/tools/demo/scenes";

using ParameterMap = std::map<std::string, std::string>;

inline absl::StatusOr<std::unique_ptr<HostOp>> TryMake(const std::string& op,
                                                       const ParameterMap& parameters,
                                                       const std::string& folder = kScenes) {
  return MakeHostOp({op, parameters, folder});
}

inline std::string MakeError(const std::string& op, const ParameterMap& parameters,
                             const std::string& folder = kScenes) {
  const auto made = TryMake(op, parameters, folder);
  REQUIRE_FALSE(made.ok());
  CHECK(made.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(made.status()));
}

// Owns what HostInput and HostOutput borrow.
struct Call {
  absl::Status status;
  std::vector<std::string> outputs;  // Bytes of each, cut to bytes_used.

  template <typename T>
  std::vector<T> Values(size_t index) const {
    std::vector<T> values(outputs.at(index).size() / sizeof(T));
    std::memcpy(values.data(), outputs.at(index).data(), values.size() * sizeof(T));
    return values;
  }
  std::vector<std::string> Texts(size_t index, int64_t count) const {
    const auto elements =
        VALUE(DecodeBytesTensor(std::as_bytes(std::span(outputs.at(index))), count));
    return {elements.begin(), elements.end()};
  }
};

// Runs `op` on its one input, given as encoded bytes.
inline Call RunRaw(const HostOp& op, int rows, const std::string& input) {
  Dims dims = {rows};
  dims.insert(dims.end(), op.inputs()[0].dims.begin(), op.inputs()[0].dims.end());
  // An input that starts at an odd address shows whether an op counts on alignment.
  const std::string shifted = "x" + input;
  const std::vector<HostInput> inputs = {{dims, std::as_bytes(std::span(shifted)).subspan(1)}};
  std::vector<std::vector<std::byte>> buffers;
  std::vector<HostOutput> outputs;
  for (size_t i = 0; i < op.outputs().size(); ++i) {
    buffers.emplace_back(op.MaxOutputBytes(i, rows) + 1);
    Dims output_dims = {rows};
    output_dims.insert(output_dims.end(), op.outputs()[i].dims.begin(), op.outputs()[i].dims.end());
    outputs.push_back({output_dims, std::span(buffers.back()).subspan(1)});
  }
  Call call{op.Run(rows, inputs, outputs), {}};
  for (const HostOutput& output : outputs) {
    REQUIRE(output.bytes_used <= output.buffer.size());
    call.outputs.emplace_back(reinterpret_cast<const char*>(output.buffer.data()),
                              output.bytes_used);
  }
  return call;
}

// Runs `op` on a BYTES input with one element a row.
inline Call RunTexts(const HostOp& op, const std::vector<std::string>& rows) {
  std::string encoded;
  for (const std::string& row : rows) {
    REQUIRE_OK(AppendBytesElement(row, &encoded));
  }
  return RunRaw(op, static_cast<int>(rows.size()), encoded);
}

inline std::string ErrorOf(const absl::Status& status) {
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(status));
}

}  // namespace omserve::hostops
