// SPDX-License-Identifier: Apache-2.0
#include "scheduler/lru_cache.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <list>
#include <random>

namespace omserve::scheduler {
namespace {

using Cache = LruCache<int, int, std::hash<int>>;

std::shared_ptr<const int> Int(int value) { return std::make_shared<const int>(value); }

// What was not used for longest goes first; a find is a use.
TEST_CASE("The least recently used goes first") {
  Cache cache(30);
  cache.Put(1, Int(10), 10);
  cache.Put(2, Int(20), 10);
  cache.Put(3, Int(30), 10);
  REQUIRE(cache.Find(1) != nullptr);
  cache.Put(4, Int(40), 10);
  CHECK(cache.Find(2) == nullptr);
  CHECK(*cache.Find(1) == 10);
  CHECK(*cache.Find(3) == 30);
  CHECK(cache.counts().evictions == 1);
  CHECK(cache.counts().hits == 3);
  CHECK(cache.counts().misses == 1);
}

// What is larger than the cache leaves it as it is; an entry that is replaced gives its bytes back.
TEST_CASE("Sizes are kept") {
  Cache cache(10);
  cache.Put(1, Int(1), 6);
  cache.Put(2, Int(2), 11);
  CHECK(cache.counts().not_stored == 1);
  CHECK(cache.Contains(1));
  cache.Put(1, Int(3), 8);
  CHECK(cache.counts().size_bytes == 8);
  CHECK(cache.counts().entries == 1);
  CHECK(*cache.Find(1) == 3);
}

// An entry that is evicted lives on with who holds it.
TEST_CASE("What is held outlives its eviction") {
  Cache cache(10);
  cache.Put(1, Int(7), 10);
  const std::shared_ptr<const int> held = cache.Find(1);
  cache.Put(2, Int(8), 10);
  CHECK_FALSE(cache.Contains(1));
  CHECK(*held == 7);
}

// Against a list that is searched: the same entries, the same bytes, never too many.
TEST_CASE("The cache does as a list would") {
  std::mt19937 random(5);
  Cache cache(100);
  struct Entry {
    int key;
    int value;
    size_t size;
  };
  std::list<Entry> list;
  for (int i = 0; i < 20000; ++i) {
    const int key = static_cast<int>(random() % 40);
    const auto found = std::find_if(list.begin(), list.end(),
                                    [key](const Entry& entry) { return entry.key == key; });
    if (random() % 2 == 0) {
      const auto value = cache.Find(key);
      REQUIRE((value != nullptr) == (found != list.end()));
      if (found != list.end()) {
        REQUIRE(*value == found->value);
        list.splice(list.begin(), list, found);
      }
      continue;
    }
    const size_t size = random() % 30;
    cache.Put(key, Int(i), size);
    if (found != list.end()) {
      list.erase(found);
    }
    list.push_front({key, i, size});
    size_t sum = 0;
    for (auto entry = list.begin(); entry != list.end();) {
      sum += entry->size;
      entry = sum > 100 ? list.erase(entry, list.end()), list.end() : std::next(entry);
    }
    size_t bytes = 0;
    for (const Entry& entry : list) {
      bytes += entry.size;
    }
    REQUIRE(cache.counts().size_bytes == bytes);
    REQUIRE(cache.counts().entries == list.size());
  }
}

}  // namespace
}  // namespace omserve::scheduler
