// SPDX-License-Identifier: Apache-2.0
#include "scheduler/refusal.h"

#include <charconv>

namespace omserve::scheduler {
namespace {

// "reason retry_ns", decimal.
constexpr char kPayload[] = "omserve/refusal";

absl::StatusCode CodeOf(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kDeadlinePassed:
    case RefusalReason::kDeadlineTooShort:
      return absl::StatusCode::kDeadlineExceeded;
    case RefusalReason::kDeadlineUnreachable:
    case RefusalReason::kQueueBytes:
    case RefusalReason::kQueueTime:
      return absl::StatusCode::kResourceExhausted;
    case RefusalReason::kQueueRows:
    case RefusalReason::kQueueMessages:
    case RefusalReason::kPinnedMemory:
    case RefusalReason::kStarting:
    case RefusalReason::kDraining:
    case RefusalReason::kDeviceLost:
    case RefusalReason::kUnloading:
      return absl::StatusCode::kUnavailable;
  }
  return absl::StatusCode::kUnavailable;
}

}  // namespace

std::string_view RefusalReasonName(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kDeadlinePassed:
      return "DEADLINE_PASSED";
    case RefusalReason::kDeadlineTooShort:
      return "DEADLINE_TOO_SHORT";
    case RefusalReason::kDeadlineUnreachable:
      return "DEADLINE_UNREACHABLE";
    case RefusalReason::kQueueRows:
      return "QUEUE_ROWS";
    case RefusalReason::kQueueBytes:
      return "QUEUE_BYTES";
    case RefusalReason::kQueueTime:
      return "QUEUE_TIME";
    case RefusalReason::kQueueMessages:
      return "QUEUE_MESSAGES";
    case RefusalReason::kPinnedMemory:
      return "PINNED_MEMORY";
    case RefusalReason::kStarting:
      return "STARTING";
    case RefusalReason::kDraining:
      return "DRAINING";
    case RefusalReason::kDeviceLost:
      return "DEVICE_LOST";
    case RefusalReason::kUnloading:
      return "UNLOADING";
  }
  return "UNKNOWN";
}

absl::Status ToStatus(const Refusal& refusal, const std::string& message) {
  absl::Status status(CodeOf(refusal.reason), message);
  status.SetPayload(kPayload, absl::Cord(std::to_string(static_cast<int>(refusal.reason)) + " " +
                                         std::to_string(refusal.retry_after.count())));
  return status;
}

std::optional<Refusal> RefusalOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload.has_value()) {
    return std::nullopt;
  }
  const std::string text(*payload);
  const char* const end = text.data() + text.size();
  int reason = 0;
  int64_t retry_ns = 0;
  const auto [after, error] = std::from_chars(text.data(), end, reason);
  if (error != std::errc() || after == end ||
      std::from_chars(after + 1, end, retry_ns).ec != std::errc()) {
    return std::nullopt;
  }
  return Refusal{static_cast<RefusalReason>(reason), Clock::duration(retry_ns)};
}

}  // namespace omserve::scheduler
