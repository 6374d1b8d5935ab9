// SPDX-License-Identifier: Apache-2.0
#include "scheduler/refusal.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <set>
#include <string>

#include "runtime/base/status_macros.h"

namespace omserve::scheduler {
namespace {

// Every reason has a name of its own, a code for the client, and comes through a status whole, also
// when context was put in front.
TEST_CASE("A status carries its refusal") {
  std::set<std::string_view> names;
  for (size_t r = 0; r < kRefusalReasonCount; ++r) {
    const auto reason = static_cast<RefusalReason>(r);
    CHECK(names.insert(RefusalReasonName(reason)).second);
    const absl::Status status =
        WithContext(ToStatus({reason, std::chrono::microseconds(1234567)}, "no room"), "model 'm'");
    CHECK(MessageOf(status) == "model 'm': no room");
    const std::optional<Refusal> refusal = RefusalOf(status);
    REQUIRE(refusal.has_value());
    CHECK(refusal->reason == reason);
    CHECK(refusal->retry_after == std::chrono::microseconds(1234567));
  }
  CHECK_FALSE(names.contains("UNKNOWN"));
}

// A full queue is UNAVAILABLE, as Triton's clients expect; what the client's own time decides is
// DEADLINE_EXCEEDED; overload in bytes or device time is RESOURCE_EXHAUSTED.
TEST_CASE("Each reason has its code") {
  const auto code = [](RefusalReason reason) { return ToStatus({reason}, "").code(); };
  CHECK(code(RefusalReason::kQueueRows) == absl::StatusCode::kUnavailable);
  CHECK(code(RefusalReason::kDraining) == absl::StatusCode::kUnavailable);
  CHECK(code(RefusalReason::kQueueTime) == absl::StatusCode::kResourceExhausted);
  CHECK(code(RefusalReason::kQueueBytes) == absl::StatusCode::kResourceExhausted);
  CHECK(code(RefusalReason::kDeadlineUnreachable) == absl::StatusCode::kResourceExhausted);
  CHECK(code(RefusalReason::kDeadlineTooShort) == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("Other statuses carry none") {
  CHECK_FALSE(RefusalOf(absl::OkStatus()).has_value());
  CHECK_FALSE(RefusalOf(absl::UnavailableError("Exceeds maximum queue size")).has_value());
}

}  // namespace
}  // namespace omserve::scheduler
