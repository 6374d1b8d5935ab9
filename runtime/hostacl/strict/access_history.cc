// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/strict/access_history.h"

#include <algorithm>
#include <iterator>

namespace omserve::hostacl {

void AccessHistory::SplitAt(size_t at) {
  auto after = segments_.upper_bound(at);
  if (after == segments_.begin()) {
    return;
  }
  const auto holder = std::prev(after);
  if (holder->first == at || holder->second.end <= at) {
    return;
  }
  Segment right = holder->second;
  holder->second.end = at;
  segments_.emplace_hint(after, at, std::move(right));
}

Conflict AccessHistory::FindIn(const Segment& segment, size_t begin, bool is_write,
                               const VectorClock& known) {
  if (segment.write.task != nullptr && !known.Knows(segment.write.epoch)) {
    return {segment.write, begin};
  }
  if (is_write) {
    for (const Access& read : segment.reads) {
      if (!known.Knows(read.epoch)) {
        return {read, begin};
      }
    }
  }
  return {};
}

Conflict AccessHistory::Find(size_t begin, size_t end, bool is_write,
                             const VectorClock& known) const {
  auto segment = segments_.upper_bound(begin);
  if (segment != segments_.begin()) {
    --segment;
  }
  for (; segment != segments_.end() && segment->first < end; ++segment) {
    if (segment->second.end <= begin) {
      continue;
    }
    const Conflict found =
        FindIn(segment->second, std::max(begin, segment->first), is_write, known);
    if (found.earlier.task != nullptr) {
      return found;
    }
  }
  return {};
}

Conflict AccessHistory::Note(size_t begin, size_t end, const Access& access,
                             const VectorClock& known) {
  const Conflict conflict = Find(begin, end, access.is_write, known);
  SplitAt(begin);
  SplitAt(end);
  const auto first = segments_.lower_bound(begin);
  const auto last = segments_.lower_bound(end);
  if (access.is_write) {
    segments_.erase(first, last);
    segments_.emplace(begin, Segment{end, access, {}});
    return conflict;
  }
  size_t covered = begin;
  for (auto segment = first; segment != last; ++segment) {
    if (covered < segment->first) {
      segments_.emplace_hint(segment, covered, Segment{segment->first, {}, {access}});
    }
    std::vector<Access>& reads = segment->second.reads;
    std::erase_if(reads, [&known](const Access& read) { return known.Knows(read.epoch); });
    reads.push_back(access);
    covered = segment->second.end;
  }
  if (covered < end) {
    segments_.emplace_hint(last, covered, Segment{end, {}, {access}});
  }
  return conflict;
}

}  // namespace omserve::hostacl
