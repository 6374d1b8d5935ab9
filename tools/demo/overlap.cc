// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/overlap.h"

#include <algorithm>

namespace omserve::demo {

std::vector<Interval> Union(std::vector<Interval> intervals) {
  std::sort(intervals.begin(), intervals.end());
  std::vector<Interval> joined;
  for (const Interval& interval : intervals) {
    if (!joined.empty() && interval.first <= joined.back().second) {
      joined.back().second = std::max(joined.back().second, interval.second);
    } else {
      joined.push_back(interval);
    }
  }
  return joined;
}

uint64_t Length(const std::vector<Interval>& joined) {
  uint64_t length = 0;
  for (const Interval& interval : joined) {
    length += interval.second - interval.first;
  }
  return length;
}

std::vector<Interval> Intersection(const std::vector<Interval>& a, const std::vector<Interval>& b) {
  std::vector<Interval> both;
  size_t i = 0;
  size_t j = 0;
  while (i < a.size() && j < b.size()) {
    const uint64_t from = std::max(a[i].first, b[j].first);
    const uint64_t to = std::min(a[i].second, b[j].second);
    if (from < to) {
      both.emplace_back(from, to);
    }
    (a[i].second < b[j].second ? i : j) += 1;
  }
  return both;
}

}  // namespace omserve::demo
