// SPDX-License-Identifier: Apache-2.0
// How a benchmark's requests reach the server. One request at a time for each call.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "tools/client/grpc_client.h"

namespace omserve::bench {

// What every request asks. Requests take the inputs of `payloads` in turn.
struct Question {
  std::string model;
  std::string version;  // Empty: the latest.
  std::vector<std::vector<client::Tensor>> payloads;
  std::vector<std::string> outputs;  // Empty: all.
  Clock::duration timeout{0};        // The parameter `timeout`; 0: none.
  uint64_t priority = 0;             // 0: none.
};

struct TransportOptions {
  client::ConnectOptions connect;  // Of gRPC; its token is REST's too.
  std::string address;             // host:port
  int threads = 1;
  int calls = 1;                // At most so many requests at once.
  Clock::duration deadline{0};  // Of each request; longer ones are given up. Above 0.
};

// Thread-safe: different calls may be used from different threads.
class Transport {
 public:
  // `status` of the request that `call` carried. On a thread of the transport; may Send again.
  using OnDone = std::function<void(size_t call, absl::Status status)>;

  virtual ~Transport() = default;
  // Requires that `call`, below options.calls, carries nothing. Does not block.
  virtual void Send(size_t call) = 0;
  // What carries a request ends soon, with kCancelled if it has no answer yet.
  virtual void CancelAll() = 0;
  // CPU time of each of its threads so far.
  virtual std::vector<Clock::duration> ThreadCpu() const = 0;
};

// Requires that nothing is carried when the result is destroyed. Errors: kInvalidArgument for an
// address that is none, or requests that cannot be written.
absl::StatusOr<std::unique_ptr<Transport>> MakeGrpcTransport(const Question& question,
                                                             const TransportOptions& options,
                                                             Transport::OnDone on_done);
// Binary tensors where `as_json` is false, else numbers as text. A connection for each call.
absl::StatusOr<std::unique_ptr<Transport>> MakeRestTransport(const Question& question,
                                                             const TransportOptions& options,
                                                             bool as_json,
                                                             Transport::OnDone on_done);

}  // namespace omserve::bench
