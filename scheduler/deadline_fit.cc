// SPDX-License-Identifier: Apache-2.0
#include "scheduler/deadline_fit.h"

#include <algorithm>

namespace omserve::scheduler {
namespace {

const FitGear& GearFor(const FitQuery& query, int rows) {
  const auto found = std::find_if(query.gears.begin(), query.gears.end(),
                                  [rows](const FitGear& gear) { return gear.rows >= rows; });
  return found == query.gears.end() ? query.gears.back() : *found;
}

// Groups that are late even in the smallest gear that holds them.
std::vector<size_t> Hopeless(const FitQuery& query) {
  std::vector<size_t> late;
  for (size_t i = 0; i < query.groups; ++i) {
    if (query.start + GearFor(query, query.rows[i].rows).cost > query.rows[i].latest) {
      late.push_back(i);
    }
  }
  return late;
}

// The longest run of groups from the front that is in time together.
size_t LongestPrefix(const FitQuery& query) {
  size_t longest = 0;
  int rows = 0;
  Clock::time_point tightest = Clock::time_point::max();
  for (size_t i = 0; i < query.groups; ++i) {
    rows += query.rows[i].rows;
    tightest = std::min(tightest, query.rows[i].latest);
    if (query.start + GearFor(query, rows).cost <= tightest) {
      longest = i + 1;  // A gear may have room for more at no more time, so look on.
    }
  }
  return longest;
}

// Those that are late in `gear`, up to where it is filled by the others; and the rows of these.
struct Selection {
  std::vector<size_t> late;
  int rows = 0;
};

Selection SelectFor(const FitQuery& query, const FitGear& gear) {
  Selection selection;
  for (size_t i = 0; i < query.rows.size(); ++i) {
    if (query.start + gear.cost > query.rows[i].latest) {
      selection.late.push_back(i);
    } else if (selection.rows + query.rows[i].rows <= gear.rows) {
      selection.rows += query.rows[i].rows;
    } else {
      break;
    }
  }
  return selection;
}

}  // namespace

FitResult FitBatch(const FitQuery& query) {
  FitResult result{.late = Hopeless(query)};
  if (!result.late.empty()) {
    return result;
  }
  result.groups = LongestPrefix(query);
  if (result.groups == query.groups || !query.crowded) {
    return result;
  }
  // The rows of the prefix in time, against leaving some out for a larger gear.
  int prefix_rows = 0;
  for (size_t i = 0; i < result.groups; ++i) {
    prefix_rows += query.rows[i].rows;
  }
  int best_rows = prefix_rows;
  Clock::duration best_cost = GearFor(query, prefix_rows).cost;
  for (const FitGear& gear : query.gears) {
    Selection selection = SelectFor(query, gear);
    // rows / cost, compared without dividing.
    if (selection.rows > 0 && selection.rows * best_cost > best_rows * gear.cost) {
      best_rows = selection.rows;
      best_cost = gear.cost;
      result.late = std::move(selection.late);
    }
  }
  return result;
}

}  // namespace omserve::scheduler
