// SPDX-License-Identifier: Apache-2.0
// What the front ends call: the same services, whatever the protocol.
#pragma once

#include <string>

#include "config/header_pattern.h"
#include "runtime/base/clock.h"
#include "server/core/auth/access.h"
#include "server/core/catalog.h"
#include "server/core/inference.h"
#include "server/core/large_answers.h"
#include "server/core/lifecycle.h"
#include "server/core/metrics.h"
#include "server/core/model_control.h"
#include "server/core/model_repository.h"
#include "server/core/readiness.h"
#include "server/core/returning_models.h"
#include "server/core/shared_memory.h"
#include "server/core/statistics.h"
#include "server/core/tracing/tracer.h"

namespace omserve::server {

// The references outlive the front ends.
struct FrontDoor {
  const Catalog& catalog;
  ModelRepository& repository;
  ModelControl& control;
  Inference& inference;
  LargeAnswers& large_answers;
  ReturningModels& returning;
  const Statistics& statistics;
  Lifecycle& lifecycle;
  const Readiness& readiness;
  Tracer& tracer;
  const Metrics* metrics;       // Null: they are not for clients.
  SharedMemory* shared_memory;  // Null: clients may share none.
  const Clock& clock;
  Access& access;
  std::string name;                   // Of the server, in its metadata.
  std::string version;                // Likewise.
  PortKind port = PortKind::kPublic;  // Whose door it is.
  // Headers that become parameters of a request.
  config::HeaderPattern grpc_headers;
  config::HeaderPattern http_headers;
};

}  // namespace omserve::server
