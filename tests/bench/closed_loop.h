// SPDX-License-Identifier: Apache-2.0
// A lean client: N calls of one method are always under way, on one connection, from one thread.
// Bytes are sent as they are and answers are only measured, so that the client takes as little of
// its core as gRPC allows.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::bench {

struct LoopResult {
  size_t calls = 0;      // Ended within the measured time.
  size_t all_calls = 0;  // With those that were under way at its end, and waited for.
  double seconds = 0;
  double p50_us = 0;
  double p99_us = 0;
};

// Of the latencies of calls that ended within the measured time, which sorts them.
LoopResult Summary(std::vector<float>& latencies_us, int concurrency,
                   std::chrono::duration<double> took);

// Thread-compatible.
class ClosedLoop final {
 public:
  explicit ClosedLoop(int port);
  ClosedLoop(const ClosedLoop&) = delete;
  ClosedLoop& operator=(const ClosedLoop&) = delete;
  ~ClosedLoop();

  // One call; its answer's bytes. Errors: the server's.
  absl::StatusOr<std::string> CallOnce(const std::string& method, const std::string& bytes);
  // Keeps `concurrency` calls under way for `duration`, each with a message of its own as long as
  // there are others. Blocks. Errors: the first call that failed.
  absl::StatusOr<LoopResult> Run(const std::string& method,
                                 const std::vector<std::string>& messages, int concurrency,
                                 std::chrono::duration<double> duration);

 private:
  struct Call;

  grpc::CompletionQueue queue_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace omserve::bench
