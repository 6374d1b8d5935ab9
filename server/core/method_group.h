// SPDX-License-Identifier: Apache-2.0
// What a method of the protocols is about: access is given and taken by group, for gRPC and HTTP
// alike.
//
// Source: the categories of Triton's restricted protocols; metrics and control are ours.
#pragma once

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
  kControl,  // Changes what the daemon does for everybody: its settings, and what it captures.
};

}  // namespace omserve::server
