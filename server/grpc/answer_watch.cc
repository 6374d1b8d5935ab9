// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/answer_watch.h"

#include "runtime/base/log.h"

namespace omserve::server {
namespace {

constexpr size_t kLeastBytesPerSecond = size_t{64} << 10;
constexpr int64_t kSlowSeconds = 2;  // Whoever took longer has waited for its line.

}  // namespace

void WatchedCall::Watch(AnswerWatch& watch) {
  watch_ = &watch;
  watch.calls_.push_back(*this);
}

void WatchedCall::BeginAnswer(size_t size_bytes) {
  // The second that goes on may be nearly over.
  const auto patience_s =
      watch_->patience_s_ + 1 + static_cast<int64_t>(size_bytes / kLeastBytesPerSecond);
  const int64_t now = watch_->seconds_.load(std::memory_order_relaxed);
  began_at_.store(now, std::memory_order_relaxed);
  ends_at_.store(now + patience_s, std::memory_order_relaxed);
}

void WatchedCall::EndAnswer(bool ok) {
  ends_at_.store(kNone, std::memory_order_relaxed);
  // Most answers do not wait, and cost no more than this.
  const int64_t began_at = began_at_.exchange(kNone, std::memory_order_relaxed);
  const int64_t now = watch_->seconds_.load(std::memory_order_relaxed);
  if (ok && began_at != kNone && now - began_at >= kSlowSeconds) {
    watch_->progress_[Peer()] = now;
  }
}

bool AnswerWatch::HasProgress(const std::string& peer, int64_t now) const {
  const auto last = progress_.find(peer);
  return last != progress_.end() && now - last->second <= patience_s_;
}

void AnswerWatch::Tick() {
  const int64_t now = seconds_.fetch_add(1, std::memory_order_relaxed) + 1;
  for (WatchedCall& call : calls_) {
    const int64_t ends_at = call.ends_at_.load(std::memory_order_relaxed);
    if (ends_at == WatchedCall::kNone || ends_at > now) {
      continue;
    }
    const std::string peer = call.Peer();
    if (HasProgress(peer, now)) {
      continue;
    }
    // Its end is no progress.
    call.began_at_.store(WatchedCall::kNone, std::memory_order_relaxed);
    call.ends_at_.store(WatchedCall::kNone, std::memory_order_relaxed);
    OMSERVE_LOG(kWarning, "grpc", "answer not taken, its call is given up peer={}", peer);
    call.GiveUp();
  }
  std::erase_if(progress_, [&](const auto& entry) { return now - entry.second > patience_s_; });
}

}  // namespace omserve::server
