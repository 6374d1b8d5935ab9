// SPDX-License-Identifier: Apache-2.0
// The core's part in order: requests that their queue's timeout puts behind the others, and answers
// that leave in the order of arrival.
#include "scheduler/core.h"

namespace omserve::scheduler {

void Core::DelayRequests() {
  while (!delays_.empty() && delays_.begin()->first <= now_) {
    const RequestId id = delays_.begin()->second;
    delays_.erase(delays_.begin());
    Request& request = requests_.at(id);
    request.delay_at = Instant::max();
    for (size_t n = 0; n < request.nodes.size(); ++n) {
      const int node = static_cast<int>(n);
      // Turns within a sequence are not a matter of urgency.
      if (request.nodes[n].state != NodeState::kQueued || SequencesOf(request, node) != nullptr) {
        continue;
      }
      Queue& queue = QueueOf(request, node);
      const QueueKey key = KeyOf(id, request, node);
      QueueKey behind = key;
      behind.delayed = true;
      const bool ready = queue.ready.contains(key);
      auto& rows = ready ? queue.ready : queue.ahead;
      auto& ages = ready ? queue.ready_ages : queue.ahead_ages;
      auto moved = rows.extract(key);
      ages.erase({moved.mapped().since, key});
      ages.emplace(moved.mapped().since, behind);
      moved.key() = behind;
      rows.insert(std::move(moved));
      TouchNode(request, node);  // Behind others, its rows may make a size that can leave.
    }
    request.delayed = true;  // Only now: KeyOf told where its rows stood.
  }
}

void Core::AnswerInOrder() {
  // By index: End notes the plan again.
  for (size_t next = 0; next < moved_.size(); ++next) {
    const auto order = orders_.find(moved_[next]);
    if (order == orders_.end()) {
      continue;
    }
    std::deque<RequestId>& waiting = order->second;
    while (!waiting.empty()) {
      const RequestId id = waiting.front();
      const auto found = requests_.find(id);
      if (found != requests_.end() && !found->second.responded) {
        if (found->second.nodes_left > 0) {
          break;
        }
        End(id, found->second, Outcome::kOk);
        RetireIfIdle(id);
      }
      waiting.pop_front();
    }
    if (waiting.empty()) {
      orders_.erase(order);
    }
  }
  moved_.clear();
}

}  // namespace omserve::scheduler
