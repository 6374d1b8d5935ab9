// SPDX-License-Identifier: Apache-2.0
// `omctl bench`: load for a model, and what it answers under it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/omctl/bench/inputs.h"
#include "tools/omctl/commands.h"

namespace CLI {
class App;
}

namespace omserve::bench {

// As typed; checked by Bench.
struct BenchCommand {
  std::string model;
  std::string version;
  std::vector<std::string> outputs;
  std::string concurrency;
  std::string rate;
  std::string arrivals = "poisson";
  int max_in_flight = 0;  // 0: 1024 over gRPC, 128 over REST.
  std::string protocol = "grpc";
  std::string rest_url = "127.0.0.1:8000";
  InputOptions inputs;
  std::string deadline;
  std::string timeout;
  uint64_t priority = 0;
  std::string warm_up = "1s";
  std::string window = "1s";
  std::string duration;
  int max_windows = 10;
  int threads = 1;
  std::string csv;
  std::string plot;
  bool quiet = false;
};

// Adds the command with its options to omctl's.
CLI::App* AddBench(CLI::App& app, BenchCommand& bench);

absl::Status Bench(const omctl::CommonOptions& common, const BenchCommand& command);

}  // namespace omserve::bench
