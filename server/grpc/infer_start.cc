// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_start.h"

#include <chrono>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/status_macros.h"
#include "server/grpc/infer_request.h"

namespace omserve::server {

scheduler::Instant DeadlineOf(const grpc::ServerContext& context, const Clock& clock) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  // Farther than this is none at all; a client without one sends the largest instant.
  constexpr std::chrono::hours kFar{24 * 365};
  const std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
  if (deadline >= now + kFar) {
    return scheduler::Instant::max();
  }
  return clock.Now() + std::chrono::duration_cast<Clock::duration>(deadline - now);
}

absl::StatusOr<scheduler::RequestId> StartInfer(const FrontDoor& door,
                                                const grpc::ByteBuffer& bytes,
                                                scheduler::Instant deadline, const void* group,
                                                RequestNames* names,
                                                std::function<void(InferResult)> done) {
  const scheduler::Instant received = door.clock.Now();
  RETURN_IF_ERROR(door.lifecycle.CheckStarted());
  ASSIGN_OR_RETURN(WireInferRequest request, ParseInferRequest(bytes));
  names->id = std::move(request.id);
  absl::StatusOr<ModelHandle> model = door.catalog.Find(request.model_name, request.model_version);
  names->model_name = std::move(request.model_name);
  names->model_version = std::move(request.model_version);
  RETURN_IF_ERROR(model.status());
  ASSIGN_OR_RETURN(InferCall call, PrepareCall(request, *std::move(model)));
  call.received = received;
  call.deadline = deadline;
  call.group = group;
  return door.inference.Start(call, std::move(done), /*wakes=*/false);
}

}  // namespace omserve::server
