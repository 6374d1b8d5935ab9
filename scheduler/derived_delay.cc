// SPDX-License-Identifier: Apache-2.0
#include "scheduler/derived_delay.h"

#include <algorithm>

namespace omserve::scheduler {
namespace {

// Less is not waited for: a timer comes some 50 us late, and each row that comes meanwhile is
// looked at by itself.
constexpr std::chrono::microseconds kLeastGain{100};

// An average that goes half of the way up at once, so that one or two rows that nobody followed end
// the waiting, and an eighth of the way down, so that it takes several that were followed to begin.
constexpr int kUp = 2;
constexpr int kDown = 8;

// 0: not known.
Clock::duration CostOf(std::span<const FitGear> gears, int rows) {
  for (const FitGear& gear : gears) {
    if (gear.rows >= rows) {
      return gear.cost;
    }
  }
  return Clock::duration::zero();
}

}  // namespace

ArrivalGaps::ArrivalGaps(int max_rows)
    : gaps_(static_cast<size_t>(max_rows), Clock::duration::max()) {}

void ArrivalGaps::Begin(int rows, Clock::time_point now, Clock::duration longest) {
  if (rows_ > 0 && After(rows_) != Clock::duration::max() && now - since_ > After(rows_)) {
    Learn(rows_, now - since_);  // It has taken so long already.
  }
  longest_ = longest;
  rows_ = rows < static_cast<int>(gaps_.size()) ? rows : 0;
  since_ = now;
}

void ArrivalGaps::NoteArrival(int rows, Clock::time_point now) {
  for (int i = 0; i < rows && rows_ > 0; ++i) {
    Learn(rows_, now - since_);  // The second row of a request comes with the first.
    since_ = now;
    rows_ = rows_ + 1 < static_cast<int>(gaps_.size()) ? rows_ + 1 : 0;
  }
}

void ArrivalGaps::Learn(int rows, Clock::duration gap) {
  Clock::duration& mean = gaps_[static_cast<size_t>(rows)];
  gap = std::min(gap, longest_);
  mean = mean == Clock::duration::max() ? gap : mean + (gap - mean) / (gap > mean ? kUp : kDown);
}

Clock::duration DerivedDelay(const DelayQuery& query, const ArrivalGaps& gaps) {
  const Clock::duration alone = CostOf(query.gears, query.rows);
  const Clock::duration next_start = std::min(alone, query.other_lane);
  const int most = query.gears.back().rows;
  Clock::duration best_net{0};
  Clock::duration best{0};
  Clock::duration comes{0};
  for (int more = 1; query.rows + more <= most; ++more) {
    const Clock::duration gap = gaps.After(query.rows + more - 1);
    if (gap >= next_start - comes) {
      break;  // Also where it is not known.
    }
    comes += gap;
    const Clock::duration theirs = CostOf(query.gears, more);
    const Clock::duration together = CostOf(query.gears, query.rows + more);
    if (theirs == Clock::duration::zero() || together == Clock::duration::zero()) {
      continue;
    }
    const Clock::duration gain =
        (query.rows * alone + more * (next_start + theirs)) / (query.rows + more) - together;
    if (gain >= kLeastGain && gain - comes > best_net) {
      best_net = gain - comes;
      best = std::min(gain, next_start);
    }
  }
  return best;
}

}  // namespace omserve::scheduler
