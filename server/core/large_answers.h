// SPDX-License-Identifier: Apache-2.0
// Answers that a client takes in parts, and that a daemon must not end in the middle of.
//
// gRPC closes a connection that was told to go (GOAWAY) with its last call, as soon as the system
// has the last bytes. A client that then says anything, as it does for each part that it has taken,
// has the connection reset by the system, and what it had not received is lost. What was written
// before GOAWAY is safe: a ping follows it, and the connection stays until the client has answered
// that. So a daemon that ends tells its clients to go only when no large answer is being made or
// is on its way, and until then takes no more requests for large ones. Small ones are not waited
// for: but for very small buffers, a client's system has taken the whole of them by then.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "server/core/inference.h"

namespace omserve::server {

// Thread-safe.
class LargeAnswers final {
 public:
  // From here on an answer is large: what HTTP/2 lets a server send before its client has taken
  // anything.
  static constexpr size_t kLeastBytes = size_t{64} << 10;
  static constexpr size_t kLeastBytesPerSecond = size_t{1} << 20;

  // One of them, from before its request is accepted. Thread-compatible. Ends before its
  // LargeAnswers.
  class Ticket final {
   public:
    Ticket() = default;  // Of no answer: nothing happens.
    Ticket(Ticket&& other) noexcept { *this = std::move(other); }
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket() { Reset(); }

    // It is made, and waits to be sent or is on its way.
    void Leave(size_t size_bytes);
    // It has left, or never will.
    void Reset();

   private:
    friend class LargeAnswers;
    LargeAnswers* of_ = nullptr;
    bool is_leaving_ = false;
    size_t size_bytes_ = 0;
  };

  explicit LargeAnswers(Clock& clock) : clock_(clock) {}

  // nullopt after Close: the request is not to be accepted.
  std::optional<Ticket> Begin() ABSL_LOCKS_EXCLUDED(mu_);
  void Close() ABSL_LOCKS_EXCLUDED(mu_);
  // After Close. Returns when all are made, or the deadline has passed.
  void AwaitMade(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);
  // The same, when those that are made have left, or for `patience` and a second more for each MiB
  // of them: who takes less does not take it.
  void AwaitLeft(Clock::duration patience, Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Await(const size_t& count, Clock::time_point deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Clock& clock_;

  Mutex mu_;
  CondVar fewer_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  size_t being_made_ ABSL_GUARDED_BY(mu_) = 0;
  size_t leaving_ ABSL_GUARDED_BY(mu_) = 0;
  size_t leaving_bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

// Of the tensors in an answer to `call`, whose shapes were not looked at, at most. Texts are taken
// to be short; SIZE_MAX where a step of the pipeline does not say how large its output is.
size_t EstimateAnswerBytes(const InferCall& call);
// Of those in an answer.
size_t AnswerBytes(const InferResult& result);

}  // namespace omserve::server
