// SPDX-License-Identifier: Apache-2.0
// Where the timed engine takes costs from, and settings that it refuses.
#include <fmt/format.h>

#include <chrono>

#include "runtime/base/clock.h"
#include "tests/runtime/hostacl/model_files.h"
#include "tests/runtime/hostacl/timed_models.h"

namespace omserve::hostacl {
namespace {

std::string Timed(const std::string& timed) {
  return R"({"engine": "timed", "cores": 2, "timed": )" + timed + "}";
}

aclError Load(const std::string& file) {
  uint32_t id = 0;
  const aclError code = ACL(aclmdlLoadFromMem)(file.data(), file.size(), &id);
  if (code == ACL_SUCCESS) {
    REQUIRE_ACL(ACL(aclmdlUnload)(id));
  }
  return code;
}

// Milliseconds of one execution of a model without gears.
double ExecuteMs(const std::string& file) {
  const LoadedModel model(file);
  const DeviceBytes x(16 * sizeof(float));
  const DeviceBytes y(16 * sizeof(float));
  const TestDataset input({EntryOf(x)});
  const TestDataset output({EntryOf(y)});
  const Clock::time_point start = SteadyClock().Now();
  REQUIRE_ACL(ACL(aclmdlExecute)(model.id(), input.get(), output.get()));
  return std::chrono::duration<double, std::milli>(SteadyClock().Now() - start).count();
}

std::string Static(std::vector<int64_t> cost_us) {
  return TimedFile(TimedModel({2, 8}, om::GearKind::kNone, {}, std::move(cost_us)));
}

std::string Batched(std::vector<int64_t> cost_us) {
  return TimedFile(TimedModel({-1, 8}, om::GearKind::kBatch, {{1}, {4}}, std::move(cost_us)));
}

// A model without a cost is refused and told how to get one.
TEST_CASE("A model without a cost is refused") {
  const AclSession session(R"({"engine": "timed"})");
  CHECK(Load(Static({})) == ACL_ERROR_GE_LOAD_MODEL);
  const std::string text = RecentError();
  CHECK_THAT(text, Catch::Contains("omc measure --write"));
  CHECK_THAT(text, Catch::Contains("timed.default_cost_us"));
  CHECK(Load(Static({100})) == ACL_SUCCESS);
}

// The settings come before the file, the file before the default.
TEST_CASE("Costs have an order of precedence") {
  {
    const AclSession session(Timed(R"({"default_cost_us": 100000})"));
    CHECK(ExecuteMs(Static({})) >= 100);
    CHECK(ExecuteMs(Static({100})) < 100);
  }
  const AclSession session(Timed(R"({"default_cost_us": 100, "cost_us": {"timed": 100000}})"));
  CHECK(ExecuteMs(Static({})) >= 100);
  CHECK(ExecuteMs(Static({100})) >= 100);
}

// Costs by gear fill what is there; a gear that stays without one is named.
TEST_CASE("Costs are given by gear") {
  const AclSession session(Timed(R"({"cost_us": {"timed": {"4": 2000}}})"));
  CHECK(Load(Batched({})) == ACL_ERROR_GE_LOAD_MODEL);
  CHECK_THAT(RecentError(), Catch::Contains("for gear 1"));
  CHECK(Load(Batched({10, 20})) == ACL_SUCCESS);
  CHECK(Load(Static({10})) == ACL_ERROR_GE_LOAD_MODEL);
  CHECK_THAT(RecentError(), Catch::Contains("gear '4'") && Catch::Contains("gears are none"));
}

// A model that wants more cores than a device has cannot be loaded.
TEST_CASE("A model wants no more cores than there are") {
  for (const int wanted : {2, 3}) {
    const AclSession session(
        Timed(fmt::format(R"({{"cores_per_execution": {{"timed": {}}}}})", wanted)));
    CHECK(Load(Static({100})) == (wanted == 2 ? ACL_SUCCESS : ACL_ERROR_GE_LOAD_MODEL));
    CHECK((wanted == 2 || RecentError().find("2 cores") != std::string::npos));
  }
}

// Settings of the timed engine are checked like all others, and refused beside another engine.
TEST_CASE("Wrong settings of the timed engine are refused") {
  const auto init = [](const std::string& settings) {
    return ACL(aclInit)(WriteTextFile("acl.json", "{\"hostacl\": " + settings + "}").c_str());
  };
  for (const char* timed :
       {"1", R"({"cost": 1})", R"({"default_cost_us": 0})", R"({"default_cost_us": 1.5})",
        R"({"jitter": 1.1})", R"({"jitter": "a"})", R"({"seed": -1})", R"({"cost_us": 5})",
        R"({"cost_us": {"m": 0}})", R"({"cost_us": {"m": {"1": "x"}}})",
        R"({"cost_us": {"m": {"1": 3600000001}}})", R"({"cores_per_execution": {"m": 0}})",
        R"({"cores_per_execution": []})", R"({"copy_bytes_per_us": -1})",
        R"({"copy_latency_us": true})"}) {
    CAPTURE(timed);
    CHECK(init(Timed(timed)) == ACL_ERROR_FILE_ATTR_INVALID);
    CHECK_THAT(RecentError(), Catch::Contains("timed"));
  }
  CHECK(init(R"({"timed": {"default_cost_us": 5}})") == ACL_ERROR_FILE_ATTR_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("'engine' is 'onnxruntime'"));
}

}  // namespace
}  // namespace omserve::hostacl
