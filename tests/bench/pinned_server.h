// SPDX-License-Identifier: Apache-2.0
// A server program as a child of the benchmark, on processor cores of its own.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::bench {

// Keeps this thread, and what it starts from now on, on these cores.
absl::Status PinToCores(const std::vector<int>& cores);

class PinnedServer final {
 public:
  // Starts `program` with `arguments` and --ready-file on `cores`, and waits until that file names
  // its grpc_port. The calling thread ends up on `own_core`. Blocks. Errors: kUnavailable.
  static absl::StatusOr<std::unique_ptr<PinnedServer>> Start(const std::string& program,
                                                             std::vector<std::string> arguments,
                                                             const std::string& ready_file,
                                                             const std::vector<int>& cores,
                                                             int own_core);
  PinnedServer(const PinnedServer&) = delete;
  PinnedServer& operator=(const PinnedServer&) = delete;
  // Ends the process and waits for it.
  ~PinnedServer();

  int grpc_port() const { return grpc_port_; }
  int http_port() const { return http_port_; }  // 0 where the file names none.
  pid_t pid() const { return pid_; }
  // Of all its threads, user and system, since it started.
  double CpuSeconds() const;
  // The part of it that threads took whose names begin with `prefix`, while they live.
  double CpuSecondsOf(const std::string& prefix) const;

 private:
  explicit PinnedServer(pid_t pid) : pid_(pid) {}

  const pid_t pid_;
  int grpc_port_ = 0;
  int http_port_ = 0;
};

}  // namespace omserve::bench
