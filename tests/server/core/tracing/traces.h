// SPDX-License-Identifier: Apache-2.0
// Traces made by hand.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "server/core/tracing/request_trace.h"

namespace omserve::server {

inline scheduler::Instant AtUs(int64_t us) {
  return scheduler::Instant(std::chrono::microseconds(us));
}

// A step of model `model` that was ready, launched and known to be over at these times, and whose
// times on the device stand 10 us before the end. The device's clock is 1000 us behind.
inline scheduler::StepTrace DeviceStep(const std::string& model, uint64_t batch, int64_t ready_us,
                                       int64_t begun_us, int64_t done_us) {
  const auto device = [](int64_t us) { return static_cast<uint64_t>(us - 1000); };
  return {.step = model,
          .model = model,
          .device = 0,
          .lane = 0,
          .stream = 7,
          .batch = batch,
          .batch_rows = 2,
          .gear_rows = 4,
          .reason = "full",
          .start_us = device(begun_us + 20),
          .end_us = device(done_us - 20),
          .input_start_us = device(begun_us + 10),
          .input_end_us = device(begun_us + 20),
          .output_end_us = device(done_us - 10),
          .ready = AtUs(ready_us),
          .begun = AtUs(begun_us),
          .done = AtUs(done_us)};
}

inline std::shared_ptr<RequestTrace> Request(const std::string& model, SpanId span,
                                             int64_t received_us, int64_t answered_us) {
  auto trace = std::make_shared<RequestTrace>();
  trace->context = {.trace = {.high = 1, .low = span}, .span = span, .sampled = true};
  trace->recorded = true;
  trace->protocol = "grpc";
  trace->model = model;
  trace->version = 1;
  trace->received = AtUs(received_us);
  trace->answered = AtUs(answered_us);
  return trace;
}

}  // namespace omserve::server
