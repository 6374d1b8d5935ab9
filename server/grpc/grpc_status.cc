// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/grpc_status.h"

#include <chrono>
#include <optional>
#include <string_view>

#include "proto/rpc/error_details.pb.h"
#include "runtime/base/status_macros.h"
#include "scheduler/refusal.h"

namespace omserve::server {
namespace {

// Types are named as Google's own, whose messages ours are equal to on the wire.
void AddDetail(std::string_view type, const google::protobuf::MessageLite& message,
               rpc::Status& status) {
  google::protobuf::Any& detail = *status.add_details();
  detail.set_type_url("type.googleapis.com/google.rpc." + std::string(type));
  message.SerializeToString(detail.mutable_value());
}

std::string Details(const absl::Status& status, const scheduler::Refusal& refusal) {
  rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(std::string(MessageOf(status)));
  rpc::ErrorInfo info;
  info.set_reason(std::string(scheduler::RefusalReasonName(refusal.reason)));
  info.set_domain("omserve");
  AddDetail("ErrorInfo", info, details);
  if (refusal.retry_after > Clock::duration::zero()) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(refusal.retry_after);
    rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(seconds.count());
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>((refusal.retry_after - seconds).count()));
    AddDetail("RetryInfo", retry, details);
  }
  return details.SerializeAsString();
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) {
    return grpc::Status::OK;
  }
  const auto code = static_cast<grpc::StatusCode>(status.code());
  std::string message(MessageOf(status));
  if (const std::optional<scheduler::Refusal> refusal = scheduler::RefusalOf(status)) {
    return {code, message, Details(status, *refusal)};
  }
  return {code, message};
}

}  // namespace omserve::server
