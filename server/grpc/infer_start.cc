// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_start.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/status_macros.h"
#include "server/core/custom_parameters.h"
#include "server/grpc/infer_request.h"

namespace omserve::server {

namespace {

// The values of a header, joined with commas as one.
std::string MetadataOf(const grpc::ServerContext& context, const char* name) {
  std::string joined;
  const auto [first, last] = context.client_metadata().equal_range(name);
  for (auto at = first; at != last; ++at) {
    joined += at == first ? "" : ",";
    joined.append(at->second.data(), at->second.size());
  }
  return joined;
}

std::shared_ptr<RequestTrace> BeginTrace(const FrontDoor& door, const grpc::ServerContext& context,
                                         const Model& model, const RequestNames& names,
                                         scheduler::Instant received) {
  const std::string traceparent = MetadataOf(context, "traceparent");
  const std::string tracestate = MetadataOf(context, "tracestate");
  return door.tracer.Begin({.traceparent = traceparent,
                            .tracestate = tracestate,
                            .protocol = names.protocol,
                            .request_id = names.id,
                            .model = model.name,
                            .version = model.version,
                            .received = received});
}

std::string TextOf(const inference::InferParameter& parameter) {
  switch (parameter.parameter_choice_case()) {
    case inference::InferParameter::kBoolParam:
      return parameter.bool_param() ? "true" : "false";
    case inference::InferParameter::kInt64Param:
      return std::to_string(parameter.int64_param());
    case inference::InferParameter::kUint64Param:
      return std::to_string(parameter.uint64_param());
    case inference::InferParameter::kDoubleParam:
      return fmt::format("{}", parameter.double_param());
    case inference::InferParameter::kStringParam:  // Not copied whole.
      return parameter.string_param().substr(0, kMostKeptBytes + 1);
    case inference::InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return "";
}

void TraceParameters(const config::HeaderPattern& headers, const grpc::ServerContext& context,
                     const InferParameterMap& parameters, RequestTrace& trace) {
  for (const auto& [name, parameter] : parameters) {
    if (IsCustomParameter(name)) {
      TraceParameter(name, TextOf(parameter), trace);
    }
  }
  if (headers.takes_any()) {
    for (const auto& [name, value] : context.client_metadata()) {
      TraceHeader(headers, {name.data(), name.size()}, {value.data(), value.size()}, trace);
    }
  }
}

// Which share of the traffic the request is of, as its client says; empty where it does not, or
// where nothing is shared out.
std::string_view TrafficKey(const FrontDoor& door, const grpc::ServerContext& context) {
  if (!door.catalog.shares_traffic()) {
    return {};
  }
  const auto found = context.client_metadata().find(kTrafficKey);
  return found == context.client_metadata().end()
             ? std::string_view()
             : std::string_view(found->second.data(), found->second.size());
}

// Before the call is started, which may end it.
absl::Status BeginLargeAnswer(const FrontDoor& door, const InferCall& call,
                              LargeAnswers::Ticket& ticket) {
  if (EstimateAnswerBytes(call) < LargeAnswers::kLeastBytes) {
    return absl::OkStatus();
  }
  std::optional<LargeAnswers::Ticket> begun = door.large_answers.Begin();
  if (!begun.has_value()) {
    return door.inference.Refuse(
        *call.model, scheduler::ToStatus({.reason = scheduler::RefusalReason::kDraining},
                                         "the server is shutting down"));
  }
  ticket = *std::move(begun);
  return absl::OkStatus();
}

}  // namespace

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

absl::StatusOr<scheduler::RequestId> StartInfer(const FrontDoor& door, const Caller& caller,
                                                const grpc::ServerContext& context,
                                                const grpc::ByteBuffer& bytes, const void* group,
                                                RequestNames* names,
                                                std::function<void(InferResult)> done) {
  const scheduler::Instant received = door.clock.Now();
  RETURN_IF_ERROR(door.lifecycle.CheckStarted());
  ASSIGN_OR_RETURN(WireInferRequest request, ParseInferRequest(bytes));
  names->id = std::move(request.id);
  const absl::Status allowed = door.access.CheckModel(caller, request.model_name);
  absl::StatusOr<ModelHandle> model =
      allowed.ok() ? door.catalog.Find(request.model_name, request.model_version,
                                       TrafficKey(door, context), Catalog::Turn::kNext)
                   : allowed;
  names->model_name = std::move(request.model_name);
  names->model_version = std::move(request.model_version);
  RETURN_IF_ERROR(model.status());
  names->is_decoupled = IsDecoupled(**model);
  if (names->is_decoupled && !names->takes_many) {
    return Unimplemented(
        "ModelInfer RPC doesn't support models with decoupled transaction policy; model '{}' has "
        "that: use ModelStreamInfer",
        (*model)->name);
  }
  if (door.tracer.is_on()) {
    names->trace = BeginTrace(door, context, **model, *names, received);
  }
  ASSIGN_OR_RETURN(InferCall call, PrepareCall(request, *std::move(model)));
  if (names->trace != nullptr && names->trace->recorded) {
    call.traced = names->trace;
    TraceParameters(door.grpc_headers, context, request.parameters, *names->trace);
  }
  names->wants_end = call.wants_end;
  call.received = received;
  call.deadline = DeadlineOf(context, door.clock);
  call.group = group;
  RETURN_IF_ERROR(BeginLargeAnswer(door, call, names->large));
  absl::StatusOr<scheduler::RequestId> id =
      door.inference.Start(call, std::move(done), /*wakes=*/false);
  if (!id.ok()) {
    names->large.Reset();
  }
  return id;
}

void AddTraceMetadata(const RequestNames& names, grpc::ServerContext& context) {
  if (names.trace == nullptr) {
    return;
  }
  const TraceContext& trace = names.trace->context;
  context.AddInitialMetadata("traceparent", FormatTraceparent(trace));
  if (!trace.state.empty()) {
    context.AddInitialMetadata("tracestate", trace.state);
  }
}

}  // namespace omserve::server
