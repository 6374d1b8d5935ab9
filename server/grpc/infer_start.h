// SPDX-License-Identifier: Apache-2.0
// From a received ModelInferRequest to a request that runs: what the calls of ModelInfer and of
// ModelStreamInfer have in common.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/core/front_door.h"
#include "server/core/inference.h"
#include "server/core/large_answers.h"

namespace omserve::server {

// The client's deadline on our clock; Instant::max() where it set none.
scheduler::Instant DeadlineOf(const grpc::ServerContext& context, const Clock& clock);

// What a request calls itself and its model, and what is recorded of it.
struct RequestNames {
  std::string_view protocol = "grpc";  // As its trace calls it; a literal.
  bool takes_many = false;             // Answers: models may be decoupled.
  std::string id;
  std::string model_name;
  std::string model_version;
  bool is_decoupled = false;  // The model, where one was found.
  bool wants_end = false;     // Also where it has no answer: triton_enable_empty_final_response.
  std::shared_ptr<RequestTrace> trace;  // From Tracer::Begin, whose End the caller calls.
  LargeAnswers::Ticket large;           // Where the answer is that; the caller says when it leaves.
};

// Starts what `bytes` ask for; see Inference::Start, which may wait for Inference::Wake. `names` is
// filled as far as the message can be read, also where it is refused. Errors: those of
// Access::CheckModel, Catalog::Find and Inference::Start; kInvalidArgument for bytes that are no
// request; kUnimplemented for a decoupled model where one answer is taken; a refusal while models
// are loading, and of what may have a large answer when the daemon ends.
absl::StatusOr<scheduler::RequestId> StartInfer(const FrontDoor& door, const Caller& caller,
                                                const grpc::ServerContext& context,
                                                const grpc::ByteBuffer& bytes, const void* group,
                                                RequestNames* names,
                                                std::function<void(InferResult)> done);

// The headers of an answer that tell its client of the trace; none where there is none.
void AddTraceMetadata(const RequestNames& names, grpc::ServerContext& context);

}  // namespace omserve::server
