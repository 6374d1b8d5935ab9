// SPDX-License-Identifier: Apache-2.0
// The CPU device without any function that came after CANN 5.0: the other ways must do as well.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/runtime/acl/acl_fixture.h"
#include "tests/runtime/acl/tiny_model.h"

namespace omserve::acl {
namespace {

using Catch::Matchers::Contains;
using testing::BytesOf;
using testing::OpenedDevice;

OpenedDevice OpenLegacyDevice() {
  OpenedDevice opened;
  opened.runtime = VALUE(Runtime::Open({.library = OMSERVE_LEGACY_LIBRARY, .config_file = ""}));
  opened.device = VALUE(opened.runtime->OpenDevice(0));
  return opened;
}

// An old library opens; what it cannot say stays empty. Closing it with the old function leaves a
// process in which the next one opens.
TEST_CASE("an old library opens and closes") {
  for (int round = 0; round < 2; ++round) {
    const OpenedDevice opened = OpenLegacyDevice();
    CHECK(opened.runtime->soc_name().empty());
    CHECK_FALSE(opened.runtime->is_host());
    CHECK(opened.runtime->device_count() == 1);
    CHECK(VALUE(opened.device->CreateStream()).id() == -1);
    CHECK(opened.device->utilization().status().code() == absl::StatusCode::kUnimplemented);
    CHECK(opened.device->IsNormal().status().code() == absl::StatusCode::kUnimplemented);
  }
  CHECK(testing::OpenDevice().runtime->is_host());
}

// Old events cannot be recorded twice; ours are renewed instead, and waits keep the record they
// saw.
TEST_CASE("events of an old library are re-recordable") {
  const OpenedDevice opened = OpenLegacyDevice();
  const Device& device = *opened.device;
  constexpr size_t kCount = size_t{1} << 16;
  const HostBuffer in = VALUE(device.AllocateHost(kCount));
  const HostBuffer out = VALUE(device.AllocateHost(kCount));
  const DeviceBuffer between = VALUE(device.Allocate(kCount));
  Stream producer = VALUE(device.CreateStream());
  Stream consumer = VALUE(device.CreateStream());
  Event produced = VALUE(device.CreateEvent(true));
  Event consumed = VALUE(device.CreateEvent(true));
  CHECK(VALUE(produced.IsComplete()));
  for (int round = 1; round < 20; ++round) {
    std::memset(in.bytes().data(), round, kCount);
    REQUIRE_OK(producer.Wait(consumed));
    REQUIRE_OK(producer.CopyToDevice(between.get(), in.bytes()));
    REQUIRE_OK(producer.Record(produced));
    REQUIRE_OK(consumer.Wait(produced));
    REQUIRE_OK(consumer.CopyToHost(out.bytes(), between.get()));
    REQUIRE_OK(consumer.Record(consumed));
    REQUIRE_OK(consumer.Synchronize());
    REQUIRE(VALUE(consumed.IsComplete()));
    REQUIRE(out.bytes()[0] == static_cast<std::byte>(round));
    REQUIRE(out.bytes()[kCount - 1] == static_cast<std::byte>(round));
  }
  CHECK_FALSE(consumed.TimestampUs().has_value());
}

// Time between two events needs none of the later functions.
TEST_CASE("timed events of an old library measure") {
  const OpenedDevice opened = OpenLegacyDevice();
  Stream stream = VALUE(opened.device->CreateStream());
  Event start = VALUE(opened.device->CreateEvent(true));
  Event end = VALUE(opened.device->CreateEvent(true));
  for (int round = 0; round < 2; ++round) {
    REQUIRE_OK(stream.Record(start));
    REQUIRE_OK(stream.Record(end));
    REQUIRE_OK(stream.Synchronize());
    CHECK(VALUE(ElapsedMs(start, end)) >= 0.0F);
  }
}

// Without stream numbers a failed execution may be anyone's, so every stream of the device is told,
// without the code and the words that only later releases have.
TEST_CASE("an old library's task failures are given to all streams") {
  const OpenedDevice opened = OpenLegacyDevice();
  const Device& device = *opened.device;
  const std::string om = testing::PickModel();
  const std::unique_ptr<Model> model = VALUE(Model::Load(device, BytesOf(om), nullptr));
  const DeviceBuffer index = testing::ToDevice(device, std::vector<int64_t>{9});
  const DeviceBuffer picked = VALUE(device.Allocate(sizeof(float)));
  Binding binding = VALUE(Binding::Create(*model));
  REQUIRE_OK(binding.BindInput(0, index.get(), sizeof(int64_t)));
  REQUIRE_OK(binding.BindOutput(0, picked.get(), sizeof(float)));
  Stream stream = VALUE(device.CreateStream());
  Stream other = VALUE(device.CreateStream());
  REQUIRE_OK(model->Enqueue(binding, 0, stream));
  const absl::Status synchronised = stream.Synchronize();
  CHECK_THAT(std::string(MessageOf(synchronised)), Contains("ACL_ERROR_RT_MODEL_EXECUTE"));
  REQUIRE_OK(stream.TakeTaskError());
  const absl::Status told = other.TakeTaskError();
  CHECK(told.code() == absl::StatusCode::kInternal);
  CHECK_THAT(std::string(MessageOf(told)), Contains("a task on device 0 failed"));
  REQUIRE_OK(other.TakeTaskError());
}

// Gears need none of the later functions either, and a refusal still has code and name.
TEST_CASE("models run on an old library") {
  const OpenedDevice opened = OpenLegacyDevice();
  const Device& device = *opened.device;
  const std::string om = testing::ScaleAddModel({-1}, om::GearKind::kBatch, {{1}, {2}});
  const std::unique_ptr<Model> model = VALUE(Model::Load(device, BytesOf(om), nullptr));
  REQUIRE(model->info().gears.size() == 2);
  const DeviceBuffer x = testing::ToDevice(device, std::vector<float>{1, 2});
  const DeviceBuffer out = VALUE(device.Allocate(16));
  Binding binding = VALUE(Binding::Create(*model));
  REQUIRE_OK(binding.BindInput(0, x.get(), 8));
  REQUIRE_OK(binding.BindInput(1, x.get(), 8));
  REQUIRE_OK(binding.BindOutput(0, out.get(), 8));
  REQUIRE_OK(binding.BindOutput(1, out.get() + 8, 8));
  Stream stream = VALUE(device.CreateStream());
  REQUIRE_OK(model->Enqueue(binding, 1, stream));
  REQUIRE_OK(stream.Synchronize());
  CHECK(testing::ToHost<float>(device, out.get(), 4) == std::vector<float>{2.5F, 5, 3.5F, 7});
  const absl::Status refused = Model::Load(device, BytesOf("not a model"), nullptr).status();
  CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace omserve::acl
