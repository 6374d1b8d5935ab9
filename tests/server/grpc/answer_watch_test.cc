// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/answer_watch.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <utility>

namespace omserve::server {
namespace {

class TestCall final : public WatchedCall {
 public:
  TestCall(AnswerWatch& watch, std::string peer) : peer_(std::move(peer)) { Watch(watch); }
  bool is_given_up() const { return is_given_up_; }

 private:
  std::string Peer() const override { return peer_; }
  void GiveUp() override {
    CHECK_FALSE(is_given_up_);
    is_given_up_ = true;
  }

  const std::string peer_;
  bool is_given_up_ = false;
};

// So many seconds pass.
void Pass(AnswerWatch& watch, int seconds) {
  for (int second = 0; second < seconds; ++second) {
    watch.Tick();
  }
}

constexpr std::chrono::seconds kPatience{20};

// Its patience, the second that had begun, and one for each 64 KiB.
TEST_CASE("Answer watch: an answer that is not taken") {
  AnswerWatch watch(kPatience);
  TestCall small(watch, "a");
  TestCall large(watch, "b");
  const TestCall unanswered(watch, "c");
  small.BeginAnswer(100);
  large.BeginAnswer(size_t{10} << 16);
  Pass(watch, 20);
  CHECK_FALSE(small.is_given_up());
  Pass(watch, 1);
  CHECK(small.is_given_up());
  Pass(watch, 9);
  CHECK_FALSE(large.is_given_up());
  Pass(watch, 1);
  CHECK(large.is_given_up());
  Pass(watch, 100);  // Once.
  CHECK_FALSE(unanswered.is_given_up());
}

TEST_CASE("Answer watch: answers that are taken") {
  AnswerWatch watch(kPatience);
  TestCall stream(watch, "a");
  for (int answer = 0; answer < 10; ++answer) {
    stream.BeginAnswer(0);
    Pass(watch, 15);
    stream.EndAnswer(/*ok=*/true);
  }
  Pass(watch, 100);
  CHECK_FALSE(stream.is_given_up());
}

// On a slow line answers wait for each other: none is given up while one leaves now and then.
TEST_CASE("Answer watch: answers that wait for others of their connection") {
  AnswerWatch watch(kPatience);
  TestCall first(watch, "slow");
  TestCall second(watch, "slow");
  TestCall third(watch, "slow");
  TestCall other(watch, "other");
  for (TestCall* call : {&first, &second, &third, &other}) {
    call->BeginAnswer(0);
  }
  Pass(watch, 15);
  first.EndAnswer(/*ok=*/true);
  Pass(watch, 15);
  CHECK(other.is_given_up());
  CHECK_FALSE(second.is_given_up());
  second.EndAnswer(/*ok=*/true);
  Pass(watch, 20);
  CHECK_FALSE(third.is_given_up());
  Pass(watch, 1);  // None has left for longer than is waited for one.
  CHECK(third.is_given_up());
}

// What was never taken, or left at once as it does where a line is quick, proves nothing.
TEST_CASE("Answer watch: what is no progress") {
  AnswerWatch watch(kPatience);
  TestCall stuck(watch, "a");
  stuck.BeginAnswer(0);
  Pass(watch, 15);
  TestCall quick(watch, "a");
  quick.BeginAnswer(0);
  quick.EndAnswer(/*ok=*/true);
  TestCall cancelled(watch, "a");
  cancelled.BeginAnswer(0);
  Pass(watch, 5);
  cancelled.EndAnswer(/*ok=*/false);
  Pass(watch, 1);
  CHECK(stuck.is_given_up());
}

// A call that ends is watched no longer.
TEST_CASE("Answer watch: a call that ends") {
  AnswerWatch watch(kPatience);
  {
    TestCall call(watch, "a");
    call.BeginAnswer(0);
  }
  Pass(watch, 100);
}

}  // namespace
}  // namespace omserve::server
