// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/answer_watch.h"

#include "runtime/base/log.h"

namespace omserve::server {
namespace {

constexpr size_t kLeastBytesPerSecond = size_t{64} << 10;

}  // namespace

void WatchedCall::Watch(AnswerWatch& watch) {
  watch_ = &watch;
  watch.calls_.push_back(*this);
}

void WatchedCall::BeginAnswer(size_t size_bytes) {
  // The second that goes on may be nearly over.
  const auto patience_s =
      watch_->patience_s_ + 1 + static_cast<int64_t>(size_bytes / kLeastBytesPerSecond);
  ends_at_.store(watch_->seconds_.load(std::memory_order_relaxed) + patience_s,
                 std::memory_order_relaxed);
}

void AnswerWatch::Tick() {
  const int64_t now = seconds_.fetch_add(1, std::memory_order_relaxed) + 1;
  for (WatchedCall& call : calls_) {
    const int64_t ends_at = call.ends_at_.load(std::memory_order_relaxed);
    if (ends_at != WatchedCall::kNone && ends_at <= now) {
      call.EndAnswer();
      OMSERVE_LOG(kWarning, "grpc", "answer not taken, its call is given up peer={}",
                  call.context_.peer());
      call.context_.TryCancel();  // Its end is told by its tags.
    }
  }
}

}  // namespace omserve::server
