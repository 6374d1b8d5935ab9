// SPDX-License-Identifier: Apache-2.0
// What a method of the protocols is about: access is given and taken by group, for gRPC and HTTP
// alike.
//
// Source: the categories of Triton's restricted protocols; metrics is ours.
#pragma once

#include <cstddef>

namespace omserve::server {

enum class MethodGroup {
  kHealth,
  kMetadata,
  kInference,
  kModelConfig,
  kModelRepository,
  kSharedMemory,
  kStatistics,
  kTrace,
  kLogging,
  kMetrics,
};
inline constexpr size_t kMethodGroups = 10;

}  // namespace omserve::server
