// SPDX-License-Identifier: Apache-2.0
// How long rows wait for company before an idle lane when no delay is configured: as long as it
// pays by what was measured. Pure decisions: time comes with the calls.
//
// The model. n rows wait, the lane is idle, and a batch of r rows takes C(r). They can leave now,
// or wait for k more rows that come within t. If they leave, the k come while the lane is at work
// and leave behind them:
//
//     now:   n rows end after C(n), k rows after C(n) + C(k)
//     wait:  n + k rows end after t + C(n + k)
//
// Waiting lowers the mean end of the n + k rows while
//
//     t < C(n) + k / (n + k) * C(k) - C(n + k),                                              (gain)
//
// and then the lane is free for others earlier too, since t + C(n + k) < C(n) + C(k). Where another
// lane is free before C(n), the k rows would start there, and that time stands in place of C(n) for
// them. With an idle lane beside it nothing is ever gained, and where costs grow in proportion to
// the rows little is.
//
// How soon k rows come is measured, not assumed: for each number of rows that wait before an idle
// lane, how long the next one takes from then on, whether or not they have left meanwhile. So it is
// found out what kind of clients there are. One that sends its next request when it has its answer
// is not waited for in vain: after its first row the next takes longer than the batch. Two such
// clients are: the second's row follows the first's at once, a third never does. Where rows come at
// random, a row more takes as long whatever waits, and waiting gains as much as it costs; there, at
// worst, the time of a batch is waited for nothing now and then.
//
// Who waits gives up when the gain's time has passed without the next row (at most twice the loss
// of knowing better), and after C(n) in all.
#pragma once

#include <span>
#include <vector>

#include "runtime/base/clock.h"
#include "scheduler/deadline_fit.h"

namespace omserve::scheduler {

// How soon the next row comes, by how many wait. Thread-compatible.
class ArrivalGaps final {
 public:
  // For up to `max_rows` rows. What takes longer than `longest` counts as that, so that an idle
  // hour is soon forgotten.
  explicit ArrivalGaps(int max_rows = 0);

  // `rows` rows may leave to an idle lane: those that come now come behind them.
  void Begin(int rows, Clock::time_point now, Clock::duration longest);
  // So many rows have come, on an idle lane or not.
  void NoteArrival(int rows, Clock::time_point now);

  // From when `rows` rows wait to the next; max() where it was never measured.
  Clock::duration After(int rows) const { return gaps_[static_cast<size_t>(rows)]; }

 private:
  void Learn(int rows, Clock::duration gap);

  std::vector<Clock::duration> gaps_;  // By rows.
  // How many would wait if none had left since Begin, and since when; 0: that is not followed.
  int rows_ = 0;
  Clock::time_point since_;
  Clock::duration longest_{0};
};

struct DelayQuery {
  int rows = 1;                    // That wait; fewer than the largest gear holds.
  std::span<const FitGear> gears;  // Ascending rows; a batch runs in the smallest that holds it.
  // From now to when another lane is free; max() where there is none.
  Clock::duration other_lane = Clock::duration::max();
};

// The longest that the next row may be waited for, counted from when the last one came or the lane
// became idle; 0: the rows leave now.
Clock::duration DerivedDelay(const DelayQuery& query, const ArrivalGaps& gaps);

}  // namespace omserve::scheduler
