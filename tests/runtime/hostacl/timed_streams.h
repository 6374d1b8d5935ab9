// SPDX-License-Identifier: Apache-2.0
// Many devices with many streams, each with a thread and a model of its own, all busy at once.
#pragma once

#include <chrono>

#include "runtime/base/clock.h"

namespace omserve::hostacl {

struct StreamsLoad {
  int devices = 1;
  int streams = 1;     // Per device.
  int executions = 1;  // Per stream.
  std::chrono::microseconds cost{1000};
  int cores = 1;  // Per device; each execution wants one.
};

struct StreamsRun {
  double elapsed_ms = 0;  // From the first launch to the last end.
  double cpu_ms = 0;      // Of all threads of the process meanwhile.
};

// What the load takes where nothing but the costs takes time.
double BoundMs(const StreamsLoad& load);
// Opens the CPU device with the timed engine and runs the load on it.
StreamsRun RunStreams(const StreamsLoad& load);

}  // namespace omserve::hostacl
