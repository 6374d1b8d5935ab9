// SPDX-License-Identifier: Apache-2.0
// A hash map that keeps the nodes of what was erased and uses them again, with the memory that
// their values hold: when as many entries come as go, it allocates nothing.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

namespace omserve::scheduler {

// `Value` has Clear(), which makes it as new but may keep its memory. Thread-compatible.
template <typename Key, typename Value>
class RecyclingMap final {
 public:
  using Map = std::unordered_map<Key, Value>;

  // Requires that there is no entry of this key.
  Value& Add(const Key& key) {
    if (spare_.empty()) {
      return map_[key];
    }
    typename Map::node_type node = std::move(spare_.back());
    spare_.pop_back();
    node.key() = key;
    return map_.insert(std::move(node)).position->second;
  }
  void Erase(typename Map::iterator entry) {
    typename Map::node_type node = map_.extract(entry);
    node.mapped().Clear();
    if (spare_.size() < kMostSpare) {
      spare_.push_back(std::move(node));
    }
  }

  Value& at(const Key& key) { return map_.at(key); }
  const Value& at(const Key& key) const { return map_.at(key); }
  typename Map::iterator find(const Key& key) { return map_.find(key); }
  typename Map::iterator begin() { return map_.begin(); }
  typename Map::iterator end() { return map_.end(); }
  typename Map::const_iterator begin() const { return map_.begin(); }
  typename Map::const_iterator end() const { return map_.end(); }
  size_t size() const { return map_.size(); }

 private:
  // A peak does not hold its memory for ever.
  static constexpr size_t kMostSpare = 1024;

  Map map_;
  std::vector<typename Map::node_type> spare_;
};

}  // namespace omserve::scheduler
