// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_routes.h"

#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;

std::string Words(const absl::Status& status) { return std::string(MessageOf(status)); }

TEST_CASE("A label is never to be taken for a number") {
  for (const char* good : {"stable", "a", "v2", "blue-green_1", "xA"}) {
    CHECK(CheckLabel(good).ok());
  }
  for (const std::string& bad :
       {std::string(), std::string("1"), std::string("-a"), std::string("Stable"),
        std::string("a b"), std::string("a/b"), std::string("\xc3\xa9"), std::string(64, 'a')}) {
    INFO(bad);
    CHECK(CheckLabel(bad).code() == absl::StatusCode::kInvalidArgument);
  }
}

// A label that moves remembers where it was, also when it is moved to where it is.
TEST_CASE("A label goes back to where it was") {
  ModelRoutes routes;
  REQUIRE_OK(MoveLabel("stable", 3, routes));
  const absl::Status nowhere = RollBackLabel("stable", routes);
  CHECK(nowhere.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE_OK(MoveLabel("stable", 4, routes));
  REQUIRE_OK(MoveLabel("stable", 4, routes));
  REQUIRE_OK(RollBackLabel("stable", routes));
  CHECK(routes.labels.at("stable") == 3);
  REQUIRE_OK(RollBackLabel("stable", routes));
  CHECK(routes.labels.at("stable") == 4);
  for (const int64_t version : {0, -5}) {
    CHECK(MoveLabel("stable", version, routes).code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK(routes.labels.at("stable") == 4);
  CHECK_THAT(Words(RollBackLabel("canary", routes)), Contains("no label 'canary': it has stable"));
  REQUIRE_OK(RemoveLabel("stable", routes));
  CHECK(routes == ModelRoutes());
  CHECK(RemoveLabel("stable", routes).code() == absl::StatusCode::kNotFound);
}

TEST_CASE("Labels have an end") {
  ModelRoutes routes;
  for (int i = 0; i < 100; ++i) {
    REQUIRE_OK(MoveLabel("l" + std::to_string(i), 1, routes));
  }
  CHECK_THAT(Words(MoveLabel("more", 1, routes)), Contains("no more are kept; remove one"));
  CHECK(routes.labels.size() == 100);
  REQUIRE_OK(MoveLabel("l7", 2, routes));
}

TEST_CASE("Shares of traffic are of labels and make 100") {
  ModelRoutes routes;
  REQUIRE_OK(MoveLabel("stable", 3, routes));
  REQUIRE_OK(MoveLabel("canary", 4, routes));
  REQUIRE_OK(SetTraffic({{"stable", 90}, {"canary", 10}}, routes));
  const ModelRoutes before = routes;
  for (const std::vector<TrafficShare>& bad :
       std::vector<std::vector<TrafficShare>>{{{"stable", 99}},
                                              {{"stable", 50}, {"stable", 50}},
                                              {{"stable", 100}, {"canary", 0}},
                                              {{"stable", 101}, {"canary", -1}},
                                              {{"stable", 50}, {"nobody", 50}}}) {
    CHECK(SetTraffic(bad, routes).code() == absl::StatusCode::kInvalidArgument);
    CHECK(routes == before);
  }
  CHECK(RemoveLabel("canary", routes).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(routes == before);
  REQUIRE_OK(SetTraffic({}, routes));
  REQUIRE_OK(RemoveLabel("canary", routes));
}

// Requests with keys fall to the shares in their proportion, keys of any kind, and so do those
// without, in any stretch of them.
TEST_CASE("Shares get their part") {
  const std::vector<TrafficShare> traffic = {{"a", 70}, {"b", 25}, {"c", 5}};
  constexpr int kRequests = 20'000;
  std::array<int, 3> by_key{};
  std::array<int, 3> by_number{};
  for (int i = 0; i < kRequests; ++i) {
    ++by_key.at(ShareAt(traffic, PlaceOfKey("m", "user-" + std::to_string(i))));
    ++by_number.at(ShareAt(traffic, PlaceOfNumber(static_cast<uint64_t>(i))));
  }
  for (size_t i = 0; i < traffic.size(); ++i) {
    const int expected = kRequests * traffic[i].percent / 100;
    CHECK(std::abs(by_key.at(i) - expected) < kRequests / 100);
    CHECK(std::abs(by_number.at(i) - expected) < 10);
  }
}

// A border that moves takes along the requests that it passes over, and no others.
TEST_CASE("Keys stay where they are when shares change") {
  const std::vector<TrafficShare> before = {{"stable", 90}, {"canary", 10}};
  const std::vector<TrafficShare> after = {{"stable", 80}, {"canary", 20}};
  int moved = 0;
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t place = PlaceOfKey("m", std::to_string(i));
    CHECK(PlaceOfKey("m", std::to_string(i)) == place);
    const size_t was = ShareAt(before, place);
    const size_t is = ShareAt(after, place);
    moved += was == is ? 0 : 1;
    CHECK((was == is || (was == 0 && is == 1)));
  }
  CHECK(moved > 800);
  CHECK(moved < 1200);
  // One model's canaries are not another's.
  int both = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = std::to_string(i);
    both += ShareAt(before, PlaceOfKey("m", key)) + ShareAt(before, PlaceOfKey("n", key)) == 2;
  }
  CHECK(both < 200);
}

// Fleets depend on it: the same key is the same place on every machine, today and tomorrow.
TEST_CASE("Places of keys are for ever") {
  CHECK(PlaceOfKey("text", "alice") == PlaceOfKey("text", "alice"));
  CHECK(PlaceOfKey("text", "alice") != PlaceOfKey("texta", "lice"));
  CHECK(PlaceOfKey("text", "alice") == 0x7b6956a66688c7ba);
  CHECK(PlaceOfKey("", "") == 0x25fc6dd36ce04b20);
}

}  // namespace
}  // namespace omserve::server
