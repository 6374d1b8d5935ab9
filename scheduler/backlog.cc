// SPDX-License-Identifier: Apache-2.0
#include "scheduler/backlog.h"

#include <algorithm>
#include <bit>

#include "runtime/base/check.h"

namespace omserve::scheduler {
namespace {

// Some 131 us: the finest cell.
constexpr uint64_t kFinestNs = uint64_t{1} << 17;

Urgency CellOf(const Urgency& row, Clock::time_point now) {
  if (row.deadline == Clock::time_point::max() || row.deadline <= now) {
    return row;
  }
  const auto left = static_cast<uint64_t>((row.deadline - now).count());
  const uint64_t width = std::max(kFinestNs, std::bit_floor(left) / 8);
  const auto at = static_cast<uint64_t>(row.deadline.time_since_epoch().count());
  const uint64_t end = (at + width - 1) / width * width;
  return {row.priority, Clock::time_point(Clock::duration(static_cast<int64_t>(end)))};
}

}  // namespace

Urgency Backlog::Add(const Urgency& row, Clock::duration work, Clock::time_point now) {
  const Urgency cell = CellOf(row, now);
  auto at = std::lower_bound(cells_.begin(), cells_.end(), cell,
                             [](const Cell& c, const Urgency& u) { return c.urgency < u; });
  if (at == cells_.end() || at->urgency != cell) {
    at = cells_.insert(at, {.urgency = cell});
  }
  at->work += work;
  ++at->rows;
  total_ += work;
  return cell;
}

void Backlog::Remove(const Urgency& cell, Clock::duration work) {
  const auto at = std::lower_bound(cells_.begin(), cells_.end(), cell,
                                   [](const Cell& c, const Urgency& u) { return c.urgency < u; });
  OMSERVE_CHECK(at != cells_.end() && at->urgency == cell, "work is removed from where it was put");
  at->work -= work;
  total_ -= work;
  if (--at->rows == 0) {
    cells_.erase(at);
  }
}

Clock::duration Backlog::Before(const Urgency& row, Clock::time_point now) const {
  const Urgency cell = CellOf(row, now);
  Clock::duration work{0};
  for (const Cell& ahead : cells_) {
    if (cell < ahead.urgency) {
      break;
    }
    work += ahead.work;
  }
  return work;
}

Clock::duration TimeToDrain(std::span<Clock::duration> busy, Clock::duration work) {
  std::sort(busy.begin(), busy.end());
  // Lanes join one after the other, as each becomes free: `free` of them work the rest off.
  Clock::duration spent{0};  // Lane time between the first free lane and the instant looked at.
  for (size_t free = 1; free < busy.size(); ++free) {
    const Clock::duration until_next = (busy[free] - busy[free - 1]) * static_cast<int64_t>(free);
    if (spent + until_next >= work) {
      return busy[free - 1] + (work - spent) / static_cast<int64_t>(free);
    }
    spent += until_next;
  }
  return busy.back() + (work - spent) / static_cast<int64_t>(busy.size());
}

}  // namespace omserve::scheduler
