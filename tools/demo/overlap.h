// SPDX-License-Identifier: Apache-2.0
// How much of two streams' work ran at the same time.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace omserve::demo {

// Microseconds from .first to .second on one clock.
using Interval = std::pair<uint64_t, uint64_t>;

// The intervals joined where they touch or overlap, ascending.
std::vector<Interval> Union(std::vector<Interval> intervals);
uint64_t Length(const std::vector<Interval>& joined);
// The time that lies in both. Both arguments come from Union.
std::vector<Interval> Intersection(const std::vector<Interval>& a, const std::vector<Interval>& b);

}  // namespace omserve::demo
