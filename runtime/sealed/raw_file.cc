// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/raw_file.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "runtime/base/check.h"

namespace omserve::sealed {

RawFile::RawFile(const Header& header, std::span<std::byte> text, std::function<void()> on_seen)
    : header_(header),
      head_(header.Encode()),
      text_(text),
      on_seen_(std::move(on_seen)),
      tags_(header.chunk_count()) {
  arrival_.Reach(head_.size());
}

std::span<std::byte> RawFile::TextOf(uint64_t chunk) const {
  return text_.subspan(chunk * header_.chunk_bytes, header_.PlainBytesOf(chunk));
}

std::span<const std::byte> RawFile::Take(uint64_t begin, uint64_t most) {
  std::span<const std::byte> place = head_;
  uint64_t from = begin;
  if (begin >= head_.size()) {
    const uint64_t chunk = (begin - head_.size()) / (header_.chunk_bytes + kTagBytes);
    from = begin - header_.OffsetOf(chunk);
    place = TextOf(chunk);
    if (from >= place.size()) {
      from -= place.size();
      place = tags_[chunk];
    }
  }
  const uint64_t size = std::min<uint64_t>(most, place.size() - from);
  return arrival_.Await(begin + size) ? place.subspan(from, size) : std::span<const std::byte>();
}

void RawFile::SeeUpToLocked(uint64_t end) {
  for (; seen_chunks_ < header_.chunk_count() && EndOf(seen_chunks_) <= end; ++seen_chunks_) {
    on_seen_();
  }
}

void RawFile::GiveBack(uint64_t begin, uint64_t end) {
  const MutexLock lock(mu_);
  // Each thread goes on where it was: its piece grows.
  const auto next = apart_.upper_bound(begin);
  if (next != apart_.begin() && std::prev(next)->second == begin) {
    std::prev(next)->second = end;
  } else {
    const bool is_new = apart_.emplace(begin, end).second;
    OMSERVE_CHECK(is_new && begin >= given_back_, "a byte is given back once");
  }
  while (!apart_.empty() && apart_.begin()->first == given_back_) {
    given_back_ = apart_.begin()->second;
    apart_.erase(apart_.begin());
  }
  SeeUpToLocked(given_back_);
}

void RawFile::GiveBackAll() {
  const MutexLock lock(mu_);
  given_back_ = size();
  apart_.clear();
  SeeUpToLocked(given_back_);
}

}  // namespace omserve::sealed
