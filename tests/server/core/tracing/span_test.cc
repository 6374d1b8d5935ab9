// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/span.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

#include "tests/server/core/tracing/traces.h"

namespace omserve::server {
namespace {

const Span& Named(const std::vector<Span>& spans, const std::string& name) {
  for (const Span& span : spans) {
    if (span.name == name) {
      return span;
    }
  }
  FAIL("no span " << name);
  return spans.front();
}

// The tree, its times, and that no span is outside its parent.
TEST_CASE("A request's spans", "[span]") {
  auto request = Request("scenes", 9, 1000, 9000);
  request->parent = 4;
  request->steps = {
      DeviceStep("vision", 1, 1100, 1500, 3000),
      {.step = "argmax", .ready = AtUs(3000), .begun = AtUs(3010), .done = AtUs(3020)},
      {.step = "kept", .model = "text", .reason = "cached"}};
  const std::vector<Span> spans = SpansOf(*request);
  REQUIRE(spans.size() == 6);
  CHECK(spans[0].name == "infer scenes");
  CHECK(spans[0].id == 9);
  CHECK(spans[0].parent == 4);
  const Span& step = Named(spans, "step vision");
  CHECK(step.parent == 9);
  CHECK(step.begin == AtUs(1100));
  CHECK(step.end == AtUs(3000));
  CHECK(Named(spans, "queue").parent == step.id);
  CHECK(Named(spans, "queue").end == AtUs(1500));
  const Span& batch = Named(spans, "batch");
  CHECK(batch.parent == step.id);
  CHECK(batch.begin == AtUs(1500));
  CHECK(Named(spans, "compute").parent == batch.id);
  CHECK(Named(spans, "compute").end - Named(spans, "compute").begin ==
        std::chrono::microseconds(1500 - 40));
  CHECK(Named(spans, "step argmax").parent == 9);
  std::map<SpanId, const Span*> by_id;
  for (const Span& span : spans) {
    CHECK(by_id.emplace(span.id, &span).second);
    CHECK(span.begin <= span.end);
    if (span.id != 9) {
      REQUIRE(by_id.contains(span.parent));
      CHECK(by_id[span.parent]->begin <= span.begin);
      CHECK(span.end <= by_id[span.parent]->end);
    }
  }
  CHECK(SpansOf(*request).back().id == spans.back().id);
}

// Launched behind its producer, before that was over: there was no waiting in a queue.
TEST_CASE("A step that was launched ahead has no queue", "[span]") {
  auto request = Request("scenes", 9, 1000, 9000);
  request->steps = {DeviceStep("fusion", 1, 3000, 1500, 4000)};
  const std::vector<Span> spans = SpansOf(*request);
  CHECK(spans.size() == 4);
  CHECK(Named(spans, "step fusion").begin == AtUs(1500));
}

}  // namespace
}  // namespace omserve::server
