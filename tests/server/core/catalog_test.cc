// SPDX-License-Identifier: Apache-2.0
// The catalog's lines: what clients find while versions come, are switched, fail and go.
#include "server/core/catalog.h"

#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/errors.h"
#include "tests/runtime/acl/acl_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

ModelHandle NewModel(int64_t version, uint64_t load) {
  auto model = std::make_shared<Model>();
  model->name = "m";
  model->version = version;
  model->load = load;
  model->is_pipeline = true;
  model->plan = std::make_shared<const scheduler::Plan>();
  return model;
}

// "1:READY 2:UNAVAILABLE reason", in the order of versions.
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
  Catalog catalog;
  catalog.Know("m");
  CHECK(Lines(catalog) == "0:UNAVAILABLE not loaded");
  CHECK(catalog.Find("m", "").status().code() == absl::StatusCode::kNotFound);
  catalog.Begin("m", 1);
  CHECK(Lines(catalog) == "1:LOADING loading");
  CHECK(catalog.Find("m", "").status().code() == absl::StatusCode::kUnavailable);
  catalog.Serve(NewModel(1, 1));
  CHECK(VALUE(catalog.Find("m", ""))->load == 1);

  const ModelHandle held = VALUE(catalog.Find("m", "1"));
  catalog.Begin("m", 1);
  CHECK(Lines(catalog) == "1:READY");
  catalog.Fail("m", 1, Internal("broken"));
  CHECK(Lines(catalog) == "1:READY");
  catalog.Begin("m", 1);
  catalog.Serve(NewModel(1, 2));
  CHECK(VALUE(catalog.Find("m", ""))->load == 2);
  catalog.NoteGone(*held);  // Of the first load: nothing of the line.
  CHECK(Lines(catalog) == "1:READY");

  const ModelHandle second = VALUE(catalog.Find("m", ""));
  catalog.Withdraw("m", 1, Unavailable("unloaded"), /*wanted=*/false);
  CHECK(Lines(catalog) == "1:UNLOADING unloaded");
  CHECK(catalog.Find("m", "").status().code() == absl::StatusCode::kUnavailable);
  catalog.NoteGone(*second);
  CHECK(Lines(catalog) == "1:UNAVAILABLE unloaded");
  CHECK(std::string(MessageOf(catalog.FindStep("m", 0).status())) == "model 'm' is not loaded");
  catalog.Forget("m");
  CHECK(Lines(catalog).empty());
}

// Loaded again while its last requests end: these end unnoticed.
TEST_CASE("A version is loaded again while it is unloaded") {
  Catalog catalog;
  catalog.Begin("m", 1);
  catalog.Serve(NewModel(1, 1));
  const ModelHandle first = VALUE(catalog.Find("m", ""));
  catalog.Withdraw("m", 1, Unavailable("unloaded"), /*wanted=*/false);
  catalog.Begin("m", 1);
  CHECK(Lines(catalog) == "1:LOADING loading");
  catalog.NoteGone(*first);
  CHECK(Lines(catalog) == "1:LOADING loading");
  catalog.Serve(NewModel(1, 2));
  CHECK(Lines(catalog) == "1:READY");
  // A model that leaves the repository: its line goes with its last request.
  const ModelHandle second = VALUE(catalog.Find("m", ""));
  catalog.Withdraw("m", 1, Unavailable("unloaded"), /*wanted=*/false);
  catalog.Forget("m");
  CHECK(Lines(catalog) == "1:UNLOADING unloaded");
  catalog.NoteGone(*second);
  CHECK(Lines(catalog).empty());
}

// A model that cannot be read has a line of no version, unless a version of it serves.
TEST_CASE("What cannot be read is told of while nothing serves") {
  Catalog catalog;
  catalog.Fail("m", 0, InvalidArgument("key 'x': unknown"));
  CHECK(Lines(catalog) == "0:UNAVAILABLE key 'x': unknown");
  CHECK(catalog.Find("m", "").status().code() == absl::StatusCode::kUnavailable);
  catalog.Begin("m", 3);
  catalog.Serve(NewModel(3, 1));
  catalog.Fail("m", 0, InvalidArgument("key 'x': unknown"));
  CHECK(Lines(catalog) == "3:READY");
  catalog.Begin("m", 4);
  catalog.Fail("m", 4, Internal("broken"));
  CHECK(Lines(catalog) == "3:READY, 4:UNAVAILABLE broken");
  CHECK(VALUE(catalog.Find("m", ""))->version == 3);
}

// A pipeline's version that is replaced gives its caches' memory back; its other versions do not.
TEST_CASE("Memory of caches counts but for the version that is replaced") {
  const testing::OpenedDevice opened = testing::OpenDevice();
  const auto pool = VALUE(memory::HostPool::Create(*opened.device, 4096));
  Catalog catalog;
  for (const int64_t version : {1, 2}) {
    auto plan = std::make_shared<scheduler::Plan>();
    plan->nodes.emplace_back().cache =
        std::make_shared<scheduler::StepCache>(*pool, static_cast<size_t>(version) * 100);
    auto model = std::make_shared<Model>(*NewModel(version, 1));
    model->plan = std::move(plan);
    catalog.Begin("m", version);
    catalog.Serve(std::move(model));
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
  Catalog catalog;
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
    catalog.Begin(name, 1);
    catalog.Serve(model);
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
