// SPDX-License-Identifier: Apache-2.0
// Outputs that are kept: the same bytes as computed ones, for the same inputs only.
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/content_digest.h"
#include "scheduler/nested_steps.h"
#include "scheduler/step_cache.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

// Two models in a row, of which the first one's outputs are kept.
std::shared_ptr<const Plan> Cached(const Subgraph* first, const Subgraph* second,
                                   std::shared_ptr<StepCache> cache) {
  return VALUE(BuildPipeline({.name = "two",
                              .steps = {{.name = "first",
                                         .subgraph = first,
                                         .input_map = {{"x", "x"}, {"y", "y"}},
                                         .output_map = {{"summed", "between"}},
                                         .cache = std::move(cache)},
                                        {.name = "second",
                                         .subgraph = second,
                                         .input_map = {{"x", "between"}, {"y", "w"}},
                                         .output_map = {{"summed", "z"}}}}}));
}

struct Pair {
  Pair(EngineHarness& from, size_t max_bytes)
      : harness(from),
        cache(std::make_shared<StepCache>(from.pinned(), max_bytes)),
        plan(Cached(from.AddModel("a", ScaleAdd({1, 4})), from.AddModel("b", ScaleAdd({1, 4})),
                    cache)) {}
  std::vector<float> Ask(float x, float y, float w, int rows = 1) {
    const auto answer = harness.Submit(
        {.plan = plan, .inputs = {Ramp(rows, x), Ramp(rows, y), Ramp(rows, w)}, .rows = rows});
    REQUIRE_OK(answer->Get().status);
    return ToFloats(answer->Get().outputs[0]);
  }

  EngineHarness& harness;
  std::shared_ptr<StepCache> cache;
  std::shared_ptr<const Plan> plan;
};

// The same inputs again: not computed, and the answer is the same to the bit. Other inputs of the
// second step change nothing about the first.
TEST_CASE("A step is computed once for the same inputs") {
  EngineHarness harness;
  Pair pair(harness, 1 << 20);
  const std::vector<float> first = pair.Ask(1, 2, 3);
  CHECK(pair.Ask(1, 2, 3) == first);
  const std::vector<float> other = pair.Ask(1, 2, 50);
  CHECK(other != first);
  CHECK(pair.Ask(1, 2, 50) == other);
  CHECK(pair.Ask(1, 5, 3) != first);
  // More rows of the same bytes are other inputs.
  CHECK(pair.Ask(1, 2, 3, 2).size() == 2 * first.size());
  size_t computed = 0;
  for (const BatchRecord& batch : harness.recorder().batches()) {
    computed += batch.subgraph->name == "a" ? 1 : 0;
  }
  CHECK(computed == 3);
  CHECK(pair.cache->counts().hits == 3);
  CHECK(pair.cache->counts().misses == 3);
  CHECK(pair.cache->counts().entries == 3);
}

// Many requests at once, few different inputs, more than the cache holds: all answers right.
TEST_CASE("A small cache answers rightly under load") {
  EngineHarness harness({.device_settings = "\"cores\": 2"});
  Pair pair(harness, 2 * kWidth * sizeof(float));  // Of five kinds of inputs it holds two.
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 200; ++i) {
    const auto x = static_cast<float>(i * 7 % 5);
    answers.push_back(
        harness.Submit({.plan = pair.plan, .inputs = {Ramp(1, x), Ramp(1, 4), Ramp(1, 4)}}));
  }
  for (int i = 0; i < 200; ++i) {
    CAPTURE(i);
    REQUIRE_OK(answers[static_cast<size_t>(i)]->Get().status);
    REQUIRE(ToFloats(answers[static_cast<size_t>(i)]->Get().outputs[0]) ==
            TwiceSummed(1, static_cast<float>(i * 7 % 5), 4));
  }
  CHECK(pair.cache->counts().size_bytes <= 2 * kWidth * sizeof(float));
}

// A request of ten rows runs in parts of four, four and two; each part's rows are found again.
TEST_CASE("Parts of a request are known by themselves") {
  EngineHarness harness;
  Pair pair(harness, 1 << 20);
  const std::vector<float> first = pair.Ask(1, 2, 3, 10);
  CHECK(pair.Ask(1, 2, 3, 10) == first);
  CHECK(pair.cache->counts().hits == 3);
  CHECK(pair.cache->counts().misses == 3);
}

// Two pipelines of one kind on two engines would have one cache; here two plans have it. What one
// has computed the other knows, whichever models it names.
TEST_CASE("Plans can have one cache") {
  EngineHarness harness;
  Pair pair(harness, 1 << 20);
  const std::vector<float> first = pair.Ask(1, 2, 3);
  pair.plan = Cached(harness.AddModel("a", ScaleAdd({1, 4})),
                     harness.AddModel("b", ScaleAdd({1, 4})), pair.cache);
  CHECK(pair.Ask(1, 2, 3) == first);
  CHECK(pair.cache->counts().hits == 1);
}

// A pipeline of one step whose outputs are kept, both of them outputs of the pipeline too.
std::shared_ptr<const Plan> CachedPair(const Subgraph* model, std::shared_ptr<StepCache> cache) {
  return VALUE(BuildPipeline({.name = "inner",
                              .steps = {{.name = "only",
                                         .subgraph = model,
                                         .input_map = {{"x", "x"}, {"y", "y"}},
                                         .output_map = {{"scaled", "a"}, {"summed", "b"}},
                                         .cache = std::move(cache)}}}));
}

// The outer pipeline reads one output of the two and comes first: the inner one finds both.
TEST_CASE("Pipelines that read different outputs of a step can have one cache") {
  EngineHarness harness;
  const auto cache = std::make_shared<StepCache>(harness.pinned(), 1 << 20);
  const auto inner = CachedPair(harness.AddModel("m", ScaleAdd({1, 4})), cache);
  PipelineSpec spec{.name = "outer", .outputs = {{"z", DataType::kFp32, {kWidth}}}};
  REQUIRE_OK(AddNestedSteps(
      {.name = "p", .input_map = {{"x", "x"}, {"y", "y"}}, .output_map = {{"a", "z"}}}, *inner,
      spec.steps));
  const auto outer = VALUE(BuildPipeline(spec));
  REQUIRE_OK(harness.Submit({.plan = outer, .inputs = {Ramp(1, 1), Ramp(1, 2)}})->Get().status);
  const auto answer = harness.Submit({.plan = inner, .inputs = {Ramp(1, 1), Ramp(1, 2)}});
  REQUIRE_OK(answer->Get().status);
  CHECK(cache->counts().hits == 1);
  REQUIRE(answer->Get().outputs.size() == 2);
  CHECK(ToFloats(answer->Get().outputs[1]) == Summed(1, 1, 2));
}

// Behind a step whose outputs stay on the device there are no bytes to know inputs by: the inner
// pipeline serves there without its cache.
TEST_CASE("A cached pipeline behind a step on the device") {
  EngineHarness harness;
  const auto cache = std::make_shared<StepCache>(harness.pinned(), 1 << 20);
  const Subgraph* model = harness.AddModel("m", ScaleAdd({1, 4}));
  const auto inner = CachedPair(model, cache);
  PipelineSpec spec{.name = "outer", .outputs = {{"z", DataType::kFp32, {kWidth}}}};
  spec.steps.push_back({.name = "before",
                        .subgraph = model,
                        .input_map = {{"x", "x"}, {"y", "y"}},
                        .output_map = {{"summed", "between"}}});
  REQUIRE_OK(AddNestedSteps(
      {.name = "p", .input_map = {{"x", "between"}, {"y", "y"}}, .output_map = {{"b", "z"}}},
      *inner, spec.steps));
  const auto outer = VALUE(BuildPipeline(spec));
  for (int i = 0; i < 2; ++i) {
    const auto answer = harness.Submit({.plan = outer, .inputs = {Ramp(1, 1), Ramp(1, 2)}});
    REQUIRE_OK(answer->Get().status);
    CHECK(ToFloats(answer->Get().outputs[0]) == TwiceSummed(1, 1, 2));
  }
  CHECK(cache->counts().hits == 0);
  CHECK(cache->counts().misses == 0);
}

// The pool has nothing left: nothing is kept, and the request is served all the same.
TEST_CASE("Without pinned memory nothing is kept") {
  EngineHarness harness({.pinned_bytes = 1 << 16});
  StepCache cache(harness.pinned(), 1 << 15);
  std::vector<memory::HostBlock> all;
  for (auto block = harness.pinned().Allocate(64); block.ok();
       block = harness.pinned().Allocate(64)) {
    all.push_back(*std::move(block));
  }
  const KnownOutputs::Tensor output{.dims = {16}, .bytes = all.front().bytes()};
  cache.Keep(ContentDigest(), std::span(&output, 1));
  CHECK(cache.counts().not_stored == 1);
  CHECK(cache.Find(ContentDigest()) == nullptr);
  all.pop_back();
  cache.Keep(ContentDigest(), std::span(&output, 1));
  CHECK(cache.counts().size_bytes == 64);
  REQUIRE(cache.Find(ContentDigest()) != nullptr);
  cache.Clear();
  CHECK(cache.counts().size_bytes == 0);
  CHECK(cache.Find(ContentDigest()) == nullptr);
  // Larger than the whole cache.
  StepCache small(harness.pinned(), 32);
  small.Keep(ContentDigest(), std::span(&output, 1));
  CHECK(small.counts().not_stored == 1);
}

// Dims and bytes both count, and where one input ends and the next begins.
TEST_CASE("Digests tell inputs apart") {
  const std::string bytes(64, 'a');
  const auto view = std::as_bytes(std::span(bytes));
  const auto digest = [](const std::vector<hostops::HostInput>& inputs) {
    return DigestOf(inputs);
  };
  CHECK(digest({{{1, 16}, view}}) == digest({{{1, 16}, view}}));
  CHECK_FALSE(digest({{{1, 16}, view}}) == digest({{{16, 1}, view}}));
  CHECK_FALSE(digest({{{1}, view.first(10)}, {{1}, view.first(54)}}) ==
              digest({{{1}, view.first(54)}, {{1}, view.first(10)}}));
  CHECK_FALSE(digest({{{1}, view}}) == digest({{{1}, view}, {{1}, {}}}));
}

}  // namespace
}  // namespace omserve::scheduler
