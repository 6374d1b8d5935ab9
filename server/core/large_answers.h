// SPDX-License-Identifier: Apache-2.0
// Answers that a client takes in parts, and that a daemon must not end in the middle of.
//
// gRPC closes a connection that was told to go (GOAWAY) with its last call, as soon as the system
// has the last bytes. A client that then says anything, as it does for each part that it has taken,
// has the connection reset by the system, and what it had not received is lost. What was written
// before GOAWAY is safe: a ping follows it, and the connection stays until the client has answered
// that. So a daemon that ends tells its clients to go only when no large answer is being made or
// is on its way, and until then takes no more requests for large ones. Small ones are in the
// client's system as a whole when the connection closes.
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

  // One of them, from before its request is accepted. Thread-compatible. Ends before its
  // LargeAnswers.
  class Ticket final {
   public:
    Ticket() = default;  // Of none: nothing happens.
    Ticket(Ticket&& other) noexcept { *this = std::move(other); }
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket() { Reset(); }

    // It is made, and on its way.
    void Leave();
    // It has left, or never will.
    void Reset();

   private:
    friend class LargeAnswers;
    LargeAnswers* of_ = nullptr;
    bool is_leaving_ = false;
  };

  explicit LargeAnswers(Clock& clock) : clock_(clock) {}

  // nullopt after Close: the request is not to be accepted.
  std::optional<Ticket> Begin() ABSL_LOCKS_EXCLUDED(mu_);
  void Close() ABSL_LOCKS_EXCLUDED(mu_);
  // After Close. Returns when all are made, or the deadline has passed.
  void AwaitMade(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);
  // The same, when those that are made have left.
  void AwaitLeft(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Await(const size_t& count, Clock::time_point deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Clock& clock_;

  Mutex mu_;
  CondVar fewer_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  size_t being_made_ ABSL_GUARDED_BY(mu_) = 0;
  size_t leaving_ ABSL_GUARDED_BY(mu_) = 0;
};

// Of the tensors in an answer to `call`, whose shapes were not looked at. Texts are taken to be
// short; SIZE_MAX where the model does not say how large its outputs are.
size_t EstimateAnswerBytes(const InferCall& call);

}  // namespace omserve::server
