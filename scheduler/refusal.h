// SPDX-License-Identifier: Apache-2.0
// Why a request was refused: nothing of it ever ran. Typed, so that clients, metrics and load
// balancers need not read messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "runtime/base/clock.h"

namespace omserve::scheduler {

enum class RefusalReason : uint8_t {
  kDeadlinePassed,       // It came too late.
  kDeadlineTooShort,     // Its own steps take longer than its deadline leaves, with nothing ahead.
  kDeadlineUnreachable,  // What was accepted before it would make it late.
  kQueueRows,            // A bound in rows: its model's, or all models'.
  kQueueBytes,           // The bound on input bytes.
  kQueueTime,            // A bound in predicted device time.
  kQueueMessages,        // More requests on their way to the scheduler than it takes up.
  kPinnedMemory,         // No pinned memory for its tensors at the moment.
  kStarting,             // Models are still loaded.
  kDraining,             // The server is shutting down.
  kDeviceLost,           // The device is being recovered.
  kUnloading,            // A model that it needs is being unloaded.
};
inline constexpr size_t kRefusalReasonCount = 12;

// "DEADLINE_PASSED", "QUEUE_ROWS" and so on: what clients see and metrics count.
std::string_view RefusalReasonName(RefusalReason reason);

struct Refusal {
  RefusalReason reason = RefusalReason::kQueueRows;
  // After so long the same request would be accepted, if nothing else came; 0: not known, or
  // never by this server.
  Clock::duration retry_after{0};
};

// A status that carries the refusal, with the code that its reason has:
//   deadline passed, too short         kDeadlineExceeded: more time, or less work
//   deadline unreachable, bytes, time  kResourceExhausted: back off, or go to another server
//   all others                         kUnavailable, as Triton's clients expect of a full queue
absl::Status ToStatus(const Refusal& refusal, const std::string& message);

// The refusal that a status carries, also after WithContext.
std::optional<Refusal> RefusalOf(const absl::Status& status);

}  // namespace omserve::scheduler
