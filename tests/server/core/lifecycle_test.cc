// SPDX-License-Identifier: Apache-2.0
#include "server/core/lifecycle.h"

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

namespace omserve::server {
namespace {

class Recorder final : public LifecycleListener {
 public:
  void OnLifecycle(LifecycleState state) override { states.push_back(state); }
  std::vector<LifecycleState> states;
};

// A daemon that lives its whole life: live until it stopped, ready only in between.
TEST_CASE("Lifecycle: live and ready follow the state", "[lifecycle]") {
  Lifecycle lifecycle;
  CHECK(lifecycle.live());
  CHECK_FALSE(lifecycle.ready());
  lifecycle.Transition(LifecycleState::kReady);
  CHECK(lifecycle.ready());
  lifecycle.Transition(LifecycleState::kDraining);
  CHECK(lifecycle.live());
  CHECK_FALSE(lifecycle.ready());
  lifecycle.Transition(LifecycleState::kStopped);
  CHECK_FALSE(lifecycle.live());
  CHECK(lifecycle.state() == LifecycleState::kStopped);
}

// A listener that came late: it gets the state it came in, and is told each later one once.
TEST_CASE("Lifecycle: listeners are told of every state after they came", "[lifecycle]") {
  Lifecycle lifecycle;
  lifecycle.Transition(LifecycleState::kReady);
  const auto recorder = std::make_shared<Recorder>();
  CHECK(lifecycle.AddListener(recorder) == LifecycleState::kReady);
  lifecycle.Transition(LifecycleState::kReady);
  lifecycle.Transition(LifecycleState::kDraining);
  lifecycle.Transition(LifecycleState::kStopped);
  CHECK(recorder->states ==
        std::vector<LifecycleState>{LifecycleState::kDraining, LifecycleState::kStopped});
}

// A listener that died: nothing is called, and the others are still told.
TEST_CASE("Lifecycle: a dead listener is passed over", "[lifecycle]") {
  Lifecycle lifecycle;
  auto dead = std::make_shared<Recorder>();
  const auto alive = std::make_shared<Recorder>();
  lifecycle.AddListener(dead);
  lifecycle.AddListener(alive);
  dead.reset();
  lifecycle.Transition(LifecycleState::kDraining);
  CHECK(alive->states == std::vector<LifecycleState>{LifecycleState::kDraining});
}

}  // namespace
}  // namespace omserve::server
