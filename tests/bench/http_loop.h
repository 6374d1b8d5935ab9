// SPDX-License-Identifier: Apache-2.0
// A lean client of HTTP/1.1: N requests with the same bytes are always under way, one on each of N
// connections, from one thread. Answers are only measured.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/closed_loop.h"

namespace omserve::bench {

// Thread-compatible.
class HttpLoop final {
 public:
  explicit HttpLoop(int port) : port_(port) {}
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;
  ~HttpLoop();

  // Sends `request` and gives the answer, header and body. Errors: kUnavailable.
  absl::StatusOr<std::string> CallOnce(const std::string& request);
  // Keeps `concurrency` requests under way for `duration`. Blocks. Errors: kUnavailable, and
  // kInternal for an answer that is not 200.
  absl::StatusOr<LoopResult> Run(const std::string& request, int concurrency,
                                 std::chrono::duration<double> duration);

 private:
  struct Connection {
    int fd = -1;
    std::string in;
    std::chrono::steady_clock::time_point start;
  };

  absl::Status Connect(int concurrency);
  absl::Status Send(Connection& connection, const std::string& request);
  // Reads what there is; true when the answer is whole, which is then taken away.
  absl::StatusOr<bool> Receive(Connection& connection);

  const int port_;
  int epoll_ = -1;
  std::vector<Connection> connections_;
};

}  // namespace omserve::bench
