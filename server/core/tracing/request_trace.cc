// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/request_trace.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace omserve::server {
namespace {

Clock::duration Microseconds(uint64_t us) {
  return std::chrono::microseconds(static_cast<int64_t>(us));
}

}  // namespace

std::string KeptText(std::string_view text) {
  size_t end = std::min(text.size(), kMostKeptBytes);
  // Back to where the character begins whose later bytes (10xxxxxx) are cut off.
  while (end < text.size() && end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) {
    --end;
  }
  return std::string(text.substr(0, end));
}

Clock::duration ClockOffset(const scheduler::StepTrace& step) {
  return step.done.time_since_epoch() - Microseconds(step.output_end_us);
}

StepOnHost OnHost(const scheduler::StepTrace& step, Clock::duration offset) {
  const auto at = [&](uint64_t us) {
    const scheduler::Instant instant(Microseconds(us) + offset);
    return std::min(std::max(instant, step.begun), std::max(step.begun, step.done));
  };
  return {.input_start = at(step.input_start_us),
          .input_end = at(step.input_end_us),
          .compute_start = at(step.start_us),
          .compute_end = at(step.end_us),
          .output_end = at(step.output_end_us)};
}

}  // namespace omserve::server
