// SPDX-License-Identifier: Apache-2.0
#include "server/core/response_cache.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace omserve::server {
namespace {

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

scheduler::InferRequest Request(const Dims& dims, const std::string& bytes,
                                const std::vector<int>& wanted = {0}) {
  scheduler::InferRequest request;
  request.inputs.push_back({.dims = dims, .bytes = BytesOf(bytes), .block = {}});
  request.wanted = wanted;
  return request;
}

ModelHandle NewModel(uint64_t load = 1) {
  auto model = std::make_shared<Model>();
  model->load = load;
  return model;
}

// What a cache that was asked answers, as text; "-" for nothing.
std::string Found(ResponseCache& cache, const ResponseKey& key) {
  std::string text;
  for (const scheduler::ResponseOutput& output : cache.Find(key)) {
    CHECK(output.owner != nullptr);
    text += std::to_string(output.output) + ":";
    for (const std::byte byte : output.bytes) {
      text += static_cast<char>(byte);
    }
  }
  return text.empty() ? "-" : text;
}

// The model as it was loaded, dims, bytes, the shapes as sent and the outputs that are wanted: all
// of it makes the key.
TEST_CASE("An answer is found for an equal request only") {
  ResponseCache cache(1 << 20);
  const ModelHandle model = NewModel();
  const ModelHandle loaded_again = NewModel(2);
  const std::string one = "abcd";
  const std::string other = "abce";
  const std::string answer = "left";
  const std::string second = "right";
  const ResponseKey key = ResponseCache::KeyOf(*model, {}, Request({1, 4}, one));
  CHECK(Found(cache, key) == "-");
  cache.Keep(key, std::vector<scheduler::ResponseOutput>{
                      {.output = 1, .dims = {1, 4}, .bytes = BytesOf(answer), .owner = nullptr},
                      {.output = 0, .dims = {1, 5}, .bytes = BytesOf(second), .owner = nullptr}});
  CHECK(Found(cache, ResponseCache::KeyOf(*model, {}, Request({1, 4}, one))) == "1:left0:right");
  CHECK(Found(cache, ResponseCache::KeyOf(*loaded_again, {}, Request({1, 4}, one))) == "-");
  CHECK(Found(cache, ResponseCache::KeyOf(*model, {}, Request({4, 1}, one))) == "-");
  CHECK(Found(cache, ResponseCache::KeyOf(*model, {}, Request({1, 4}, other))) == "-");
  CHECK(Found(cache, ResponseCache::KeyOf(*model, {}, Request({1, 4}, one, {0, 1}))) == "-");
  const Dims shapes[] = {{1, 3}};
  CHECK(Found(cache, ResponseCache::KeyOf(*model, shapes, Request({1, 4}, one))) == "-");
  CHECK(cache.counts().hits == 1);
  CHECK(cache.counts().misses == 6);
}

// What is being sent stays whole when its entry goes, and the sum is never above the bound.
TEST_CASE("Kept answers are bounded in bytes") {
  ResponseCache cache(10'000);
  const ModelHandle model = NewModel();
  const std::string large(4000, 'x');
  const std::string too_large(10'000, 'y');
  std::vector<ResponseKey> keys;
  for (const char* input : {"a", "b", "c"}) {
    keys.push_back(ResponseCache::KeyOf(*model, {}, Request({1}, input)));
    cache.Keep(keys.back(),
               std::vector<scheduler::ResponseOutput>{
                   {.output = 0, .dims = {4000}, .bytes = BytesOf(large), .owner = nullptr}});
    CHECK(cache.counts().size_bytes <= 10'000);
    if (keys.size() == 1) {
      CHECK(Found(cache, keys[0]) == "0:" + large);
    }
  }
  CHECK(Found(cache, keys[0]) == "-");
  const std::vector<scheduler::ResponseOutput> held = cache.Find(keys[1]);
  REQUIRE(held.size() == 1);
  cache.Keep(ResponseCache::KeyOf(*model, {}, Request({1}, "d")),
             std::vector<scheduler::ResponseOutput>{
                 {.output = 0, .dims = {1}, .bytes = BytesOf(too_large), .owner = nullptr}});
  CHECK(cache.counts().not_stored == 1);
  CHECK(cache.counts().evictions == 1);
  CHECK(held[0].bytes.size() == 4000);
  CHECK(held[0].bytes[3999] == std::byte{'x'});
}

}  // namespace
}  // namespace omserve::server
