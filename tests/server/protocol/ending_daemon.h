// SPDX-License-Identifier: Apache-2.0
// A daemon whose requests stand still where a test wants them, and the clients of it that end them.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/peer.h"
#include "tests/server/protocol/relay.h"

namespace omserve::server {

enum class Front { kGrpc, kStream, kRest };

// Where a request is.
enum class State {
  kReceived,   // A part of its message is.
  kQueued,     // It waits, and the lane is taken by a batch that the device does not end.
  kBatched,    // Its batch is closed and on a stream, behind one that the device does not end.
  kLaunched,   // The device does not end its batch.
  kAnswering,  // It was answered, and its client takes nothing.
};

// Of its answer. A large one, and all in kAnswering are that, is more than the sockets on its way
// take.
enum class Size { kSmall, kLarge };

// How it ended for its client.
enum class End {
  kAnswered,
  kCancelled,  // By the client, or the daemon says so.
  kExpired,
  kRefused,  // It is told that the daemon takes no more.
  kDropped,  // No answer, a part of one, or one that says anything else.
};

// What was counted of a model: each request once.
struct Counted {
  double success = 0;
  double rejected = 0;
  double cancelled = 0;
  double other = 0;  // For any other reason.
  double sum() const { return success + rejected + cancelled + other; }
  bool operator==(const Counted&) const = default;
};

// A client with one request. Every call has an end, so that no test hangs.
class OneCall {
 public:
  virtual ~OneCall() = default;
  // Sends it; for kReceived all but its end.
  virtual void Start() = 0;
  // The end that Start has kept back.
  virtual void SendRest() {}
  // What the daemon sends is not taken from now on.
  virtual void HoldAnswers() {}
  virtual void PassAnswers() {}
  virtual void Cancel() = 0;      // As a client does that no longer wants the answer.
  virtual void Disconnect() = 0;  // As a machine does that goes away. Then it ends kDropped.
  virtual bool HasEnded() const = 0;
  virtual End Wait() = 0;
};

// The model "text", whose requests come to stand still in one state.
class EndingDaemon final {
 public:
  using Change = std::function<void(ServerConfig&)>;
  EndingDaemon(Front front, State state, const Change& change = nullptr, Size size = Size::kSmall);

  TestDaemon& operator*() { return *daemon_; }
  // `deadline`: its own; over REST its timeout.
  std::unique_ptr<OneCall> MakeCall(std::chrono::milliseconds deadline);
  // Where that is needed for the state, brings a request of another client to the device first,
  // where it stands. How many requests are there: 0 or 1.
  int Block();
  // Returns true when the request of a caller that was started is where it is wanted, false when it
  // ended before.
  bool Bring(OneCall& caller);
  // Lets batches of "text" go on.
  void GoOn();
  double Value(const std::string& metric) const;
  double pinned_bytes() const { return Value("nv_pinned_memory_pool_used_bytes"); }
  Counted Count() const;
  // A full batch to "text".
  grpc::Status InferOther();
  // As large an answer of "text" as there is; an image to a model that nothing holds up.
  grpc::Status InferLarge();
  grpc::Status InferImage();

  // Holds the daemon's drain up from now on, if it begins.
  void HoldDrain();
  // Begins to stop the daemon; returns when it refuses requests, of which it waits for a large
  // answer first those with large answers.
  void BeginStop();
  // Lets a drain that was held end. What Stop said.
  absl::Status EndStop();

 private:
  bool is_large() const;
  int rows() const;
  void SetHeld(bool text, bool vision);
  bool Is(State state) const;
  bool Await(const OneCall& caller, State state) const;

  const Front front_;
  const State state_;
  const Size size_;
  TempFolder folder_;
  Repository repository_;
  std::optional<TestDaemon> daemon_;
  std::unique_ptr<OneCall> blocker_;
  inference::ModelInferRequest anchor_request_;
  std::jthread anchor_;
  absl::Status stopped_;
  std::jthread stopper_;
};

}  // namespace omserve::server
