// SPDX-License-Identifier: Apache-2.0
// A benchmark's results as people and programs read them. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tools/omctl/bench/driver.h"

namespace omserve::bench {

// What the figures are of.
struct Subject {
  std::string model;
  std::string version;   // As asked for; empty: the latest.
  std::string server;    // Name and version.
  std::string protocol;  // "gRPC", "REST", ...
  int64_t batch = 1;
  Clock::duration deadline{0};  // 0: none.
  int client_threads = 1;
  int processors = 1;  // Of the client's machine.
};

inline constexpr double kPercentiles[] = {50, 90, 99, 99.9};

// "4" for a concurrency, "500/s" for a rate.
std::string LoadName(const LoadPoint& load);

// Two tables, of the latency and of where it comes from, and what a reader has to know of them.
std::string ToTable(const Subject& subject, std::span<const PointResult> results);

// {"subject": {...}, "points": [...]}; times in microseconds.
std::string ToJson(const Subject& subject, std::span<const PointResult> results);

// A heading and a line for each load; times in microseconds.
std::string ToCsv(std::span<const PointResult> results);

// What makes a figure doubtful, a sentence each: a client that is the bottleneck, requests sent
// late, windows that do not agree, stages that do not sum to the server's time.
std::vector<std::string> Doubts(const Subject& subject, const PointResult& result);

// The server's stages must sum to its time within this share.
inline constexpr double kStageTolerance = 0.01;

}  // namespace omserve::bench
