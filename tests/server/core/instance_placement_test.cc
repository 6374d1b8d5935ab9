// SPDX-License-Identifier: Apache-2.0
#include "server/core/instance_placement.h"

#include <catch2/catch.hpp>

#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelConfig;
using Groups = std::vector<std::vector<int>>;

constexpr int kDevices[] = {0, 2, 5};

void AddGroup(ModelConfig& config, int count, const std::vector<int>& gpus) {
  inference::ModelInstanceGroup& group = *config.add_instance_group();
  group.set_count(count);
  group.mutable_gpus()->Assign(gpus.begin(), gpus.end());
}

TEST_CASE("Without groups every device has one instance") {
  CHECK(VALUE(PlaceInstances({}, kDevices)) == Groups{{0}, {0}, {0}});
}

// The count is for each device; a count of 0 is 1.
TEST_CASE("A group without ids is on every device") {
  ModelConfig config;
  AddGroup(config, 2, {});
  AddGroup(config, 0, {});
  CHECK(VALUE(PlaceInstances(config, kDevices)) == Groups{{0, 0, 1}, {0, 0, 1}, {0, 0, 1}});
}

TEST_CASE("A group is on the devices that it lists, and groups add up") {
  ModelConfig config;
  AddGroup(config, 1, {5});
  AddGroup(config, 2, {5, 0});
  CHECK(VALUE(PlaceInstances(config, kDevices)) == Groups{{1, 1}, {}, {0, 1, 1}});
}

TEST_CASE("A device that is not served on is refused by name") {
  ModelConfig config;
  AddGroup(config, 1, {0});
  AddGroup(config, 1, {1});
  CHECK_THAT(std::string(MessageOf(PlaceInstances(config, kDevices).status())),
             Catch::Contains("instance_group[1].gpus: device 1") && Catch::Contains("(0, 2, 5)"));
}

TEST_CASE("A pipeline is where all of its steps are") {
  const std::vector<StepPlaces> steps = {{"see", "vision", {true, true, false}},
                                         {"read", "text", {false, true, true}}};
  CHECK(VALUE(PlacePipeline(steps, kDevices)) == std::vector<size_t>{1});
  CHECK(VALUE(PlacePipeline({}, kDevices)) == std::vector<size_t>{0, 1, 2});
}

TEST_CASE("A pipeline without a device in common is told where its steps are") {
  const std::vector<StepPlaces> steps = {{"see", "vision", {true, false, true}},
                                         {"read", "text", {false, true, false}}};
  const absl::Status status = PlacePipeline(steps, kDevices).status();
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(MessageOf(status)),
             Catch::Contains("step 'see' (model 'vision') on 0, 5") &&
                 Catch::Contains("step 'read' (model 'text') on 2"));
}

}  // namespace
}  // namespace omserve::server
