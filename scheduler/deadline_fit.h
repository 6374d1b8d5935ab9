// SPDX-License-Identifier: Apache-2.0
// Which rows of a batch that is about to leave can still be in time, and in which gear. A pure
// decision.
//
// A large gear takes longer than a small one, so a row with little time left may be in time in a
// small batch only. As long as there is room the batch is made small for its sake: the others leave
// right behind. In a crowd that would be a trap: small batches do less in the same time, so more
// rows come to have little time left, and all batches stay small. There whoever is dropped is
// replaced, so the gear that brings most rows in time for each second of the device is filled, and
// those that are late in it are dropped before they cost anything.
#pragma once

#include <span>
#include <vector>

#include "runtime/base/clock.h"

namespace omserve::scheduler {

struct FitGear {
  int rows = 1;
  Clock::duration cost{0};  // Predicted; 0: not known, so nothing is late in it.
};

struct FitRow {
  int rows = 1;
  // When the row's batch must be over: its deadline, less the time of the steps that follow.
  Clock::time_point latest = Clock::time_point::max();
};

struct FitQuery {
  std::span<const FitGear> gears;  // Ascending rows.
  std::span<const FitRow> rows;    // Groups in their order,
  size_t groups = 0;               // of which the first so many are the batch as it stands.
  Clock::time_point start;         // When the batch would begin to run.
  bool crowded = false;            // Others were refused for these.
};

struct FitResult {
  // Indices of groups that cannot be in time, ascending: to be dropped, and the rest to be looked
  // at anew. When empty, the first `groups` groups make a batch in which each is in time.
  std::vector<size_t> late;
  size_t groups = 0;
};

FitResult FitBatch(const FitQuery& query);

}  // namespace omserve::scheduler
