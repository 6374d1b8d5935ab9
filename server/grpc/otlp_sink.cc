// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/otlp_sink.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <string_view>

#include "proto/opentelemetry/trace_service.grpc.pb.h"
#include "proto/rpc/error_details.pb.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "server/core/tracing/span.h"

namespace omserve::server {
namespace {

namespace otlp = opentelemetry::proto;
using otlp::collector::trace::v1::ExportTraceServiceRequest;
using otlp::collector::trace::v1::ExportTraceServiceResponse;
using otlp::collector::trace::v1::TraceService;

std::string BigEndian(uint64_t number) {
  std::string bytes(sizeof(number), '\0');
  for (size_t i = bytes.size(); i-- > 0; number >>= 8) {
    bytes[i] = static_cast<char>(number & 0xff);
  }
  return bytes;
}

template <typename Attributes>
void Add(const std::string& name, const std::string& text, Attributes* attributes) {
  otlp::common::v1::KeyValue& attribute = *attributes->Add();
  attribute.set_key(name);
  attribute.mutable_value()->set_string_value(text);
}

struct ValueSetter {
  otlp::common::v1::AnyValue& value;
  void operator()(const std::string& text) const { value.set_string_value(text); }
  void operator()(int64_t number) const { value.set_int_value(number); }
  void operator()(double number) const { value.set_double_value(number); }
  void operator()(bool flag) const { value.set_bool_value(flag); }
};

void FillSpan(const RequestTrace& trace, const Span& from, std::chrono::nanoseconds wall_offset,
              otlp::trace::v1::Span& span) {
  const auto wall = [&](scheduler::Instant at) {
    return static_cast<uint64_t>(
        (std::chrono::nanoseconds(at.time_since_epoch()) + wall_offset).count());
  };
  span.set_trace_id(BigEndian(trace.context.trace.high) + BigEndian(trace.context.trace.low));
  span.set_span_id(BigEndian(from.id));
  if (from.parent != 0) {
    span.set_parent_span_id(BigEndian(from.parent));
  }
  span.set_trace_state(trace.context.state);
  span.set_flags(trace.context.sampled ? 1 : 0);
  span.set_name(from.name);
  span.set_start_time_unix_nano(wall(from.begin));
  span.set_end_time_unix_nano(wall(from.end));
  for (const SpanAttribute& attribute : from.attributes) {
    otlp::common::v1::KeyValue& added = *span.add_attributes();
    added.set_key(attribute.name);
    std::visit(ValueSetter{*added.mutable_value()}, attribute.value);
  }
  const bool is_request = from.id == trace.context.span;
  span.set_kind(is_request ? otlp::trace::v1::Span::SPAN_KIND_SERVER
                           : otlp::trace::v1::Span::SPAN_KIND_INTERNAL);
  if (is_request && trace.code != absl::StatusCode::kOk) {
    span.mutable_status()->set_code(otlp::trace::v1::Status::STATUS_CODE_ERROR);
    span.mutable_status()->set_message(absl::StatusCodeToString(trace.code) + ": " + trace.message);
  }
}

bool HasRetryInfo(const grpc::Status& status) {
  rpc::Status details;
  return details.ParseFromString(status.error_details()) &&
         std::any_of(details.details().begin(), details.details().end(), [](const auto& detail) {
           return detail.type_url().ends_with("/google.rpc.RetryInfo");
         });
}

// What the specification says may be tried again.
bool IsTransient(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DATA_LOSS:
      return true;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return HasRetryInfo(status);  // Without, the message is too large, and will be again.
    default:
      return false;
  }
}

class OtlpSink final : public TraceSink {
 public:
  OtlpSink(const OtlpOptions& options, const std::shared_ptr<grpc::Channel>& channel,
           const Clock& clock)
      : options_(options), clock_(clock), stub_(TraceService::NewStub(channel)) {}

  absl::Status Write(std::span<const RequestTraceHandle> traces,
                     const std::stop_token& hurry) override {
    const std::chrono::nanoseconds offset = options_.wall_clock() - clock_.Now().time_since_epoch();
    const ExportTraceServiceRequest request = OtlpRequest(options_, traces, offset);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + options_.timeout);
    const std::stop_callback cancels(hurry, [&context] { context.TryCancel(); });
    ExportTraceServiceResponse response;
    const grpc::Status status = stub_->Export(&context, request, &response);
    if (!status.ok()) {
      const std::string text =
          fmt::format("collector {}: {}", options_.endpoint, status.error_message());
      return IsTransient(status) ? Unavailable("{}", text) : FailedPrecondition("{}", text);
    }
    if (response.partial_success().rejected_spans() > 0) {
      OMSERVE_LOG(kWarning, "tracing", "collector {} took all but {} spans: {}", options_.endpoint,
                  response.partial_success().rejected_spans(),
                  response.partial_success().error_message());
    }
    return absl::OkStatus();
  }

  absl::Status Close() override { return absl::OkStatus(); }

 private:
  const OtlpOptions options_;
  const Clock& clock_;
  const std::unique_ptr<TraceService::Stub> stub_;
};

}  // namespace

ExportTraceServiceRequest OtlpRequest(const OtlpOptions& options,
                                      std::span<const RequestTraceHandle> traces,
                                      std::chrono::nanoseconds wall_offset) {
  ExportTraceServiceRequest request;
  otlp::trace::v1::ResourceSpans& of_service = *request.add_resource_spans();
  auto* const attributes = of_service.mutable_resource()->mutable_attributes();
  Add("service.name", options.service_name, attributes);
  Add("service.version", options.version, attributes);
  for (const auto& [name, text] : options.resource) {
    Add(name, text, attributes);
  }
  otlp::trace::v1::ScopeSpans& spans = *of_service.add_scope_spans();
  spans.mutable_scope()->set_name("omserve");
  spans.mutable_scope()->set_version(options.version);
  for (const RequestTraceHandle& trace : traces) {
    for (const Span& span : SpansOf(*trace)) {
      FillSpan(*trace, span, wall_offset, *spans.add_spans());
    }
  }
  return request;
}

absl::StatusOr<std::unique_ptr<TraceSink>> MakeOtlpSink(const OtlpOptions& options,
                                                        const Clock& clock) {
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kTls = "https://";
  std::string_view target = options.endpoint;
  const bool is_tls = target.starts_with(kTls);
  if (is_tls || target.starts_with(kPlain)) {
    target.remove_prefix((is_tls ? kTls : kPlain).size());
  }
  if (target.ends_with('/')) {
    target.remove_suffix(1);
  }
  if (target.empty() || target.find('/') != std::string_view::npos) {
    return InvalidArgument(
        "trace.otlp.endpoint: expected host:port, http://host:port or https://host:port, got '{}'",
        options.endpoint);
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // The settings say where to, nothing else.
  return std::make_unique<OtlpSink>(
      options,
      grpc::CreateCustomChannel(std::string(target),
                                is_tls ? grpc::SslCredentials(grpc::SslCredentialsOptions())
                                       : grpc::InsecureChannelCredentials(),
                                arguments),
      clock);
}

}  // namespace omserve::server
