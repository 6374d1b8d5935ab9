// SPDX-License-Identifier: Apache-2.0
// The catalog's lines: what clients find while versions come, are switched, fail and go.
#include "server/core/catalog.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "runtime/base/errors.h"
#include "tests/runtime/acl/acl_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

std::chrono::milliseconds NoTime() { return std::chrono::milliseconds(7); }

ModelHandle NewModel(int64_t version, uint64_t load) {
  auto model = std::make_shared<Model>();
  model->name = "m";
  model->version = version;
  model->load = load;
  model->is_pipeline = true;
  model->plan = std::make_shared<const scheduler::Plan>();
  return model;
}

// The load that has begun gets as far as to serve.
void Come(Catalog& catalog, ModelHandle model) {
  catalog.Advance(model->name, model->version, VersionState::kLoading, "read");
  catalog.Serve(std::move(model), "built");
}

// "1:READY 2:FAILED reason", in the order of versions.
std::string Lines(const Catalog& catalog) {
  std::string text;
  for (const CatalogEntry& entry : catalog.List()) {
    CHECK((entry.state == VersionState::kReady) == (entry.model != nullptr));
    text += text.empty() ? "" : ", ";
    text += fmt::format("{}:{}", entry.version, VersionStateName(entry.state));
    text += entry.status.ok() ? "" : " " + std::string(MessageOf(entry.status));
  }
  return text;
}

// A first load, a second of the same version while the first serves, and the way out.
TEST_CASE("A version comes, is switched and goes", "[1.12/states-between]") {
  Catalog catalog(&NoTime);
  catalog.Know("m");
  CHECK(Lines(catalog) == "0:DISCOVERED not loaded");
  CHECK(catalog.Find("m", "").status().code() == absl::StatusCode::kNotFound);
  catalog.Begin("m", 1, "asked for");
  CHECK(Lines(catalog) == "1:VERIFYING loading");
  CHECK(catalog.Find("m", "").status().code() == absl::StatusCode::kUnavailable);
  Come(catalog, NewModel(1, 1));
  CHECK(VALUE(catalog.Find("m", ""))->load == 1);

  const ModelHandle held = VALUE(catalog.Find("m", "1"));
  catalog.Begin("m", 1, "asked for");
  CHECK(Lines(catalog) == "1:READY");
  catalog.Fail("m", 1, Internal("broken"));
  CHECK(Lines(catalog) == "1:READY");
  catalog.Begin("m", 1, "asked for");
  Come(catalog, NewModel(1, 2));
  CHECK(VALUE(catalog.Find("m", ""))->load == 2);
  catalog.NoteGone(*held);  // Of the first load: nothing of the line.
  CHECK(Lines(catalog) == "1:READY");

  const ModelHandle second = VALUE(catalog.Find("m", ""));
  catalog.Withdraw("m", 1, Unavailable("unloaded"), /*wanted=*/false);
  CHECK(Lines(catalog) == "1:DRAINING unloaded");
  CHECK(catalog.Find("m", "").status().code() == absl::StatusCode::kUnavailable);
  catalog.NoteGone(*second);
  CHECK(Lines(catalog) == "1:UNLOADED unloaded");
  CHECK(std::string(MessageOf(catalog.FindStep("m", 0).status())) == "model 'm' is not loaded");
  catalog.Forget("m");
  CHECK(Lines(catalog).empty());
}

// Loaded again while its last requests end: these end unnoticed.
TEST_CASE("A version is loaded again while it is unloaded") {
  Catalog catalog(&NoTime);
  catalog.Begin("m", 1, "asked for");
  Come(catalog, NewModel(1, 1));
  const ModelHandle first = VALUE(catalog.Find("m", ""));
  catalog.Withdraw("m", 1, Unavailable("unloaded"), /*wanted=*/false);
  catalog.Begin("m", 1, "asked for");
  CHECK(Lines(catalog) == "1:VERIFYING loading");
  catalog.NoteGone(*first);
  CHECK(Lines(catalog) == "1:VERIFYING loading");
  Come(catalog, NewModel(1, 2));
  CHECK(Lines(catalog) == "1:READY");
  // A model that leaves the repository: its line goes with its last request.
  const ModelHandle second = VALUE(catalog.Find("m", ""));
  catalog.Withdraw("m", 1, Unavailable("unloaded"), /*wanted=*/false);
  catalog.Forget("m");
  CHECK(Lines(catalog) == "1:DRAINING unloaded");
  catalog.NoteGone(*second);
  CHECK(Lines(catalog).empty());
}

// A model that cannot be read has a line of no version, unless a version of it serves.
TEST_CASE("What cannot be read is told of while nothing serves") {
  Catalog catalog(&NoTime);
  catalog.Fail("m", 0, InvalidArgument("key 'x': unknown"));
  CHECK(Lines(catalog) == "0:FAILED key 'x': unknown");
  CHECK(catalog.Find("m", "").status().code() == absl::StatusCode::kUnavailable);
  catalog.Begin("m", 3, "asked for");
  Come(catalog, NewModel(3, 1));
  catalog.Fail("m", 0, InvalidArgument("key 'x': unknown"));
  CHECK(Lines(catalog) == "3:READY");
  catalog.Begin("m", 4, "asked for");
  catalog.Fail("m", 4, Internal("broken"));
  CHECK(Lines(catalog) == "3:READY, 4:FAILED broken");
  CHECK(VALUE(catalog.Find("m", ""))->version == 3);
}

// While one serves, the load beside it has a state of its own; the counts are of both.
TEST_CASE("Every transition is counted with its reason") {
  Catalog catalog(&NoTime);
  catalog.Begin("m", 1, "first");
  catalog.Advance("m", 1, VersionState::kLoading, "read");
  catalog.Advance("m", 1, VersionState::kVerifying, "memory was freed");
  Come(catalog, NewModel(1, 1));
  catalog.Begin("m", 1, "again");
  catalog.Advance("m", 1, VersionState::kLoading, "read");
  catalog.Advance("m", 1, VersionState::kWarming, "loaded");
  CatalogEntry entry = catalog.List().front();
  CHECK(entry.state == VersionState::kReady);
  CHECK(entry.next == VersionState::kWarming);
  CHECK(entry.reason == "loaded");
  CHECK(entry.since == NoTime());
  catalog.Fail("m", 1, Internal("broken"));
  entry = catalog.List().front();
  CHECK_FALSE(entry.next.has_value());
  CHECK(entry.reason == "broken");
  const TransitionCounts counts = catalog.Transitions().at("m");
  const auto into = [&](VersionState state) { return counts.at(static_cast<size_t>(state)); };
  CHECK(into(VersionState::kVerifying) == 3);
  CHECK(into(VersionState::kLoading) == 3);
  CHECK(into(VersionState::kWarming) == 1);
  CHECK(into(VersionState::kReady) == 1);
  CHECK(into(VersionState::kFailed) == 1);
}

// It was judged, or was idle; what comes back by hand is neither.
TEST_CASE("A version is told of as it went") {
  Catalog catalog(&NoTime);
  catalog.Begin("m", 1, "first");
  Come(catalog, NewModel(1, 1));
  const ModelHandle first = VALUE(catalog.Find("m", ""));
  catalog.Begin("m", 2, "newer");
  Come(catalog, NewModel(2, 2));
  const ModelHandle second = VALUE(catalog.Find("m", ""));
  catalog.Withdraw("m", 2, Unavailable("worse"), /*wanted=*/false, Catalog::Leaving::kFailed);
  CHECK(Lines(catalog) == "1:READY, 2:DRAINING worse");
  CHECK(VALUE(catalog.Find("m", ""))->version == 1);
  catalog.NoteGone(*second);
  CHECK(Lines(catalog) == "1:READY, 2:FAILED worse");
  catalog.Withdraw("m", 1, Unavailable("idle"), /*wanted=*/true, Catalog::Leaving::kParked);
  CHECK(catalog.IsParked("m"));
  catalog.NoteGone(*first);
  catalog.Begin("m", 1, "asked for");
  catalog.Fail("m", 1, ResourceExhausted("no room"));
  CHECK(catalog.IsParked("m"));  // That may pass.
  catalog.Begin("m", 1, "asked for");
  catalog.Fail("m", 1, InvalidArgument("broken"));
  CHECK_FALSE(catalog.IsParked("m"));
  CHECK_FALSE(catalog.IsParked("nobody"));
}

// What serves makes room for another load of the same version: the line is that load's from then
// on.
TEST_CASE("A version is withdrawn while another load of it comes") {
  Catalog catalog(&NoTime);
  catalog.Begin("m", 1, "first");
  Come(catalog, NewModel(1, 1));
  const ModelHandle first = VALUE(catalog.Find("m", ""));
  catalog.Begin("m", 1, "again");
  catalog.Advance("m", 1, VersionState::kLoading, "read");
  catalog.Withdraw("m", 1, Unavailable("makes room"), /*wanted=*/true);
  CHECK(Lines(catalog) == "1:LOADING makes room");
  catalog.NoteGone(*first);
  CHECK(Lines(catalog) == "1:LOADING makes room");
  catalog.Advance("m", 1, VersionState::kVerifying, "memory was freed");
  SECTION("and serves") {
    Come(catalog, NewModel(1, 2));
    CHECK(VALUE(catalog.Find("m", ""))->load == 2);
  }
  SECTION("and fails") {
    catalog.Fail("m", 1, Internal("broken"));
    CHECK(Lines(catalog) == "1:FAILED broken");
  }
}

TEST_CASE("A load is put back in the place of the one that took it") {
  Catalog catalog(&NoTime);
  catalog.Begin("m", 1, "first");
  Come(catalog, NewModel(1, 1));
  const ModelHandle first = VALUE(catalog.Find("m", ""));
  catalog.Begin("m", 1, "again");
  Come(catalog, NewModel(1, 2));
  catalog.PutBack(first, "worse");
  CHECK(VALUE(catalog.Find("m", ""))->load == 1);
  CHECK(catalog.List().front().reason == "worse");
}

// A pipeline's version that is replaced gives its caches' memory back; its other versions do not.
TEST_CASE("Memory of caches counts but for the version that is replaced") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const auto pool = VALUE(memory::HostPool::Create(*opened.device, 4096));
  Catalog catalog(&NoTime);
  for (const int64_t version : {1, 2}) {
    auto plan = std::make_shared<scheduler::Plan>();
    plan->nodes.emplace_back().cache =
        std::make_shared<scheduler::StepCache>(*pool, static_cast<size_t>(version) * 100);
    auto model = std::make_shared<Model>(*NewModel(version, 1));
    model->plan = std::move(plan);
    catalog.Begin("m", version, "asked for");
    Come(catalog, std::move(model));
  }
  CHECK(catalog.CachedBytes("m", 1) == 200);
  CHECK(catalog.CachedBytes("m", 2) == 100);
  CHECK(catalog.CachedBytes("m", 3) == 300);
  CHECK(catalog.CachedBytes("other", 1) == 300);
}

// A pipeline over another one has the cache of that one too, which goes with that one only.
TEST_CASE("Memory of caches counts for the pipeline that made them") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const auto pool = VALUE(memory::HostPool::Create(*opened.device, 4096));
  Catalog catalog(&NoTime);
  const auto serve = [&](const std::string& name, std::vector<ModelHandle> steps,
                         std::vector<std::shared_ptr<scheduler::StepCache>> caches) {
    auto plan = std::make_shared<scheduler::Plan>();
    for (auto& cache : caches) {
      plan->nodes.emplace_back().cache = std::move(cache);
    }
    auto model = std::make_shared<Model>(*NewModel(1, 1));
    model->name = name;
    model->plan = std::move(plan);
    model->steps = std::move(steps);
    catalog.Begin(name, 1, "asked for");
    Come(catalog, model);
    return ModelHandle(model);
  };
  const auto below = std::make_shared<scheduler::StepCache>(*pool, 100);
  const auto own = std::make_shared<scheduler::StepCache>(*pool, 1000);
  const ModelHandle inner = serve("inner", {}, {below});
  const ModelHandle outer = serve("outer", {inner}, {own, below});
  CHECK(catalog.CachedBytes("", 0) == 1100);
  CHECK(catalog.CachedBytes("outer", 1) == 100);
  CHECK(catalog.CachedBytes("inner", 1) == 1000);
  // The inner one was loaded again and the outer one stays on the load before: that one's cache
  // goes with the outer one.
  serve("inner", {}, {std::make_shared<scheduler::StepCache>(*pool, 200)});
  CHECK(catalog.CachedBytes("", 0) == 1300);
  CHECK(catalog.CachedBytes("outer", 1) == 200);
}

}  // namespace
}  // namespace omserve::server
