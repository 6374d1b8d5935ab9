// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "runtime/acl/shortage.h"
#include "runtime/base/file.h"
#include "runtime/registry/registry.h"
#include "tests/runtime/acl/acl_fixture.h"
#include "tests/runtime/acl/tiny_model.h"

namespace omserve::registry {
namespace {

using Catch::Matchers::Contains;
using testing::OpenDevice;
using testing::OpenedDevice;
using testing::ScaleAddModel;

std::string Words(const absl::Status& status) { return std::string(MessageOf(status)); }

LoadedSubgraph::Options Written(const std::string& om, int instance_count) {
  REQUIRE_OK(WriteFileAtomically("model.om", om));
  return {.name = "tiny",
          .version = 7,
          .file = VALUE(ModelFile::Open("model.om")),
          .instance_count = instance_count};
}

std::string BatchModel() { return ScaleAddModel({-1, 3}, om::GearKind::kBatch, {{1}, {4}}); }

// Requires that loading fails with `code` and leaves the device's memory as it was.
std::string RefusalOf(const acl::Device& device, const LoadedSubgraph::Options& options,
                      absl::StatusCode code) {
  const size_t before = testing::FreeBytes(device);
  const absl::Status status = LoadedSubgraph::Load(device, options).status();
  INFO(Words(status));
  REQUIRE(status.code() == code);
  REQUIRE(testing::FreeBytes(device) == before);
  return Words(status);
}

// Every instance works by itself, all have one description, and unloading gives all memory back.
TEST_CASE("a subgraph is loaded with its instances") {
  const OpenedDevice opened = OpenDevice();
  const acl::Device& device = *opened.device;
  const size_t before = testing::FreeBytes(device);
  const std::string om = BatchModel();
  {
    const std::unique_ptr<LoadedSubgraph> subgraph =
        VALUE(LoadedSubgraph::Load(device, Written(om, 3)));
    CHECK(subgraph->name() == "tiny");
    CHECK(subgraph->version() == 7);
    CHECK(subgraph->file().size_bytes() == om.size());
    CHECK(subgraph->weight_bytes() == sizeof(float));
    CHECK(subgraph->info().gears.size() == 2);
    REQUIRE(subgraph->instances().size() == 3);
    CHECK(testing::FreeBytes(device) < before);
    acl::Stream stream = VALUE(device.CreateStream());
    const acl::DeviceBuffer x = testing::ToDevice(device, std::vector<float>{1, 2, 3});
    const acl::DeviceBuffer out = VALUE(device.Allocate(24));
    for (const std::unique_ptr<acl::Model>& instance : subgraph->instances()) {
      REQUIRE_OK(device.Clear(out.get(), 24));
      acl::Binding binding = VALUE(acl::Binding::Create(*instance));
      REQUIRE_OK(binding.BindInput(0, x.get(), 12));
      REQUIRE_OK(binding.BindInput(1, x.get(), 12));
      REQUIRE_OK(binding.BindOutput(0, out.get(), 12));
      REQUIRE_OK(binding.BindOutput(1, out.get() + 12, 12));
      REQUIRE_OK(instance->Enqueue(binding, 0, stream));
      REQUIRE_OK(stream.Synchronize());
      CHECK(testing::ToHost<float>(device, out.get(), 6) ==
            std::vector<float>{2.5F, 5.0F, 7.5F, 3.5F, 7.0F, 10.5F});
    }
  }
  CHECK(testing::FreeBytes(device) == before);
}

// More instances cost work memory each and the weights once.
TEST_CASE("instances of a subgraph share the weights") {
  const OpenedDevice opened = OpenDevice();
  const acl::Device& device = *opened.device;
  const std::string om = BatchModel();
  const auto cost = [&](int instance_count) {
    const size_t before = testing::FreeBytes(device);
    const auto subgraph = VALUE(LoadedSubgraph::Load(device, Written(om, instance_count)));
    return before - testing::FreeBytes(device);
  };
  const size_t one = cost(1);
  const size_t per_instance = cost(2) - one;
  CHECK(per_instance >= 4096);  // Work memory.
  CHECK(per_instance < one);
  CHECK(cost(4) == one + 3 * per_instance);
}

// What is loaded needs its file no longer, and a lost instance is loaded from it, whatever has
// become of its name.
TEST_CASE("a subgraph is loaded again from a file that was replaced") {
  const OpenedDevice opened = OpenDevice();
  const auto subgraph = VALUE(LoadedSubgraph::Load(*opened.device, Written(BatchModel(), 2)));
  REQUIRE_OK(WriteFileAtomically("model.om", "another one"));
  CHECK_FALSE(subgraph->file().IsOverwritten());
  REQUIRE_OK(subgraph->Reload(*opened.device, 1));
  CHECK(subgraph->instances()[1]->info().gears.size() == 2);
}

// A file that was written into is not the one that was loaded.
TEST_CASE("a subgraph is not loaded again from a file that was overwritten") {
  const OpenedDevice opened = OpenDevice();
  const auto subgraph = VALUE(LoadedSubgraph::Load(*opened.device, Written(BatchModel(), 2)));
  std::ofstream("model.om", std::ios::trunc) << "half of anoth";
  CHECK(subgraph->file().IsOverwritten());
  const absl::Status status = subgraph->Reload(*opened.device, 0);
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(Words(status), Contains("model 'tiny' version 7 ('model.om')") &&
                                Contains("somebody has written to it"));
  CHECK(subgraph->instances()[0] == nullptr);
  CHECK(subgraph->instances()[1]->info().gears.size() == 2);
}

// A file compiled for a chip is refused by the CPU device with both names.
TEST_CASE("a subgraph for another chip is refused") {
  const OpenedDevice opened = OpenDevice();
  const std::string om = testing::ForOtherChip(BatchModel(), "Ascend310P3");
  CHECK_THAT(RefusalOf(*opened.device, Written(om, 2), absl::StatusCode::kInvalidArgument),
             Contains("'model.om'") && Contains("Ascend310P3") && Contains("OmserveHost"));
}

// A model whose dims a caller would have to give is refused with its ranges and what to do.
TEST_CASE("a subgraph of dynamic shape is refused") {
  const OpenedDevice opened = OpenDevice();
  const std::string om = ScaleAddModel({-1, 3}, om::GearKind::kNone, {});
  CHECK_THAT(RefusalOf(*opened.device, Written(om, 2), absl::StatusCode::kInvalidArgument),
             Contains("x [1~8,3], y [1~8,3]") && Contains("compile it with gears"));
}

// Empty, cut off and foreign files are refused without a trace.
TEST_CASE("a damaged subgraph is refused") {
  const OpenedDevice opened = OpenDevice();
  const std::string om = BatchModel();
  for (const std::string& damaged :
       {std::string(), om.substr(0, 100), om.substr(0, om.size() / 2), om.substr(0, om.size() - 1),
        std::string(4096, '\0'), std::string("PK\x03\x04 a zip archive")}) {
    CHECK_THAT(RefusalOf(*opened.device, Written(damaged, 2), absl::StatusCode::kInvalidArgument),
               Contains("model 'tiny' version 7 ('model.om')"));
  }
}

// More than the device has is refused before anything is loaded, with what each part takes.
TEST_CASE("a subgraph that does not fit the device is refused with the numbers") {
  const OpenedDevice opened = OpenDevice("\"memory_bytes\": 1048576");
  LoadedSubgraph::Options options = Written(BatchModel(), 100000);
  options.batches_per_instance = 2;
  const std::string refusal =
      RefusalOf(*opened.device, options, absl::StatusCode::kResourceExhausted);
  CHECK_THAT(refusal, Contains("model 'tiny'") && Contains("it needs ") &&
                          Contains("work memory 100000 x ") && Contains(" bytes free"));
  const std::optional<acl::Shortage> shortage = acl::ShortageOf(
      WithContext(LoadedSubgraph::Load(*opened.device, options).status(), "context"));
  REQUIRE(shortage.has_value());
  CHECK(shortage->device == 0);
  CHECK(shortage->missing_bytes > 100000);
  // Two inputs of four rows of three numbers, for two batches each.
  const size_t input_bytes = 2 * 4 * 3 * sizeof(float);
  CHECK_THAT(refusal, Contains(fmt::format("input buffers 200000 x {}", input_bytes)));
  options.instance_count = 2;
  const auto loaded = VALUE(LoadedSubgraph::Load(*opened.device, options));
  CHECK(loaded->needs().inputs == 2 * 2 * input_bytes);
  CHECK(loaded->needs().weights == loaded->weight_bytes());
}

// The device says no in the middle, whatever it said before: what was loaded is given back.
TEST_CASE("a load that fails half way leaves nothing behind") {
  const OpenedDevice opened =
      OpenDevice(R"("faults": [{"call": "aclmdlLoadFromMemWithMem", "nth": 3, "code": 207001}])");
  CHECK_THAT(
      RefusalOf(*opened.device, Written(BatchModel(), 4), absl::StatusCode::kResourceExhausted),
      Contains("instance 3 of 4") && Contains("model 'tiny'"));
  REQUIRE_OK(LoadedSubgraph::Load(*opened.device, Written(BatchModel(), 4)));
}

// Instance counts below 1 are the configuration's mistake.
TEST_CASE("a subgraph has at least one instance") {
  const OpenedDevice opened = OpenDevice();
  for (const int instance_count : {0, -1}) {
    CHECK_THAT(RefusalOf(*opened.device, Written(BatchModel(), instance_count),
                         absl::StatusCode::kInvalidArgument),
               Contains(fmt::format("instance count {}", instance_count)));
  }
}

}  // namespace
}  // namespace omserve::registry
