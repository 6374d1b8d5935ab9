// SPDX-License-Identifier: Apache-2.0
// A map of bounded size in bytes, from which what was not used for longest goes first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

namespace omserve::scheduler {

struct CacheCounts {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t evictions = 0;
  uint64_t not_stored = 0;  // Larger than the whole cache, or no memory was to be had.
  size_t entries = 0;
  size_t size_bytes = 0;
};

// `Value`s are shared: one that is evicted lives on with those who hold it. Thread-compatible.
template <typename Key, typename Value, typename Hash>
class LruCache final {
 public:
  explicit LruCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Null when it is not there. Counts either way.
  std::shared_ptr<const Value> Find(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) {
      ++counts_.misses;
      return nullptr;
    }
    ++counts_.hits;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->value;
  }
  bool Contains(const Key& key) const { return index_.contains(key); }

  // Makes room first, so that the sum never exceeds the bound. One of this key is replaced. What is
  // larger than the whole cache is not stored.
  void Put(const Key& key, std::shared_ptr<const Value> value, size_t size_bytes) {
    if (const auto found = index_.find(key); found != index_.end()) {
      Erase(found->second);
    }
    if (size_bytes > max_bytes_) {
      ++counts_.not_stored;
      return;
    }
    MakeRoom(size_bytes);
    order_.push_front({key, std::move(value), size_bytes});
    index_[key] = order_.begin();
    counts_.size_bytes += size_bytes;
    counts_.entries = index_.size();
  }
  void MakeRoom(size_t size_bytes) {
    while (!order_.empty() && counts_.size_bytes + size_bytes > max_bytes_) {
      Erase(std::prev(order_.end()));
      ++counts_.evictions;
    }
  }
  // Without counting evictions.
  void Clear() {
    while (!order_.empty()) {
      Erase(order_.begin());
    }
  }
  void CountNotStored() { ++counts_.not_stored; }

  size_t max_bytes() const { return max_bytes_; }
  const CacheCounts& counts() const { return counts_; }

 private:
  struct Entry {
    Key key;
    std::shared_ptr<const Value> value;
    size_t size_bytes = 0;
  };
  using Order = std::list<Entry>;  // The one used last comes first.

  void Erase(typename Order::iterator entry) {
    counts_.size_bytes -= entry->size_bytes;
    index_.erase(entry->key);
    order_.erase(entry);
    counts_.entries = index_.size();
  }

  const size_t max_bytes_;
  Order order_;
  std::unordered_map<Key, typename Order::iterator, Hash> index_;
  CacheCounts counts_;
};

}  // namespace omserve::scheduler
