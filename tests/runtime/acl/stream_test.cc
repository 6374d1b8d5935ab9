// SPDX-License-Identifier: Apache-2.0
// Device memory, streams and events on the CPU device.
#include <catch2/catch.hpp>
#include <cstdint>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/thread.h"
#include "tests/runtime/acl/acl_fixture.h"

namespace omserve::acl {
namespace {

using Catch::Matchers::Contains;
using testing::OpenDevice;
using testing::OpenedDevice;
using testing::ToDevice;
using testing::ToHost;

std::string Words(const absl::Status& status) { return std::string(MessageOf(status)); }

std::vector<uint32_t> Counting(size_t count, uint32_t first) {
  std::vector<uint32_t> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

void Fill(const HostBuffer& buffer, const std::vector<uint32_t>& values) {
  REQUIRE(buffer.bytes().size() == values.size() * sizeof(uint32_t));
  std::memcpy(buffer.bytes().data(), values.data(), buffer.bytes().size());
}

std::vector<uint32_t> Read(const HostBuffer& buffer) {
  std::vector<uint32_t> values(buffer.bytes().size() / sizeof(uint32_t));
  std::memcpy(values.data(), buffer.bytes().data(), buffer.bytes().size());
  return values;
}

// Bytes go to the device, move on it, into the middle of a block, and come back unchanged.
TEST_CASE("copies in one stream run in order") {
  const OpenedDevice opened = OpenDevice();
  const Device& device = *opened.device;
  const std::vector<uint32_t> values = Counting(1000, 7);
  const HostBuffer in = VALUE(device.AllocateHost(4000));
  const HostBuffer out = VALUE(device.AllocateHost(4000));
  Fill(in, values);
  const DeviceBuffer first = VALUE(device.Allocate(4000));
  const DeviceBuffer second = VALUE(device.Allocate(8000));
  Stream stream = VALUE(device.CreateStream());
  REQUIRE_OK(stream.CopyToDevice(first.get(), in.bytes()));
  REQUIRE_OK(stream.CopyOnDevice(second.get() + 128, first.get(), 4000));
  REQUIRE_OK(stream.CopyToHost(out.bytes(), second.get() + 128));
  REQUIRE_OK(stream.Synchronize());
  CHECK(Read(out) == values);
}

// Nothing to copy, to clear or to allocate is no error and no call.
TEST_CASE("sizes of 0 are no-ops") {
  const OpenedDevice opened = OpenDevice();
  Stream stream = VALUE(opened.device->CreateStream());
  REQUIRE_OK(stream.CopyToDevice(DevicePtr{}, {}));
  REQUIRE_OK(stream.CopyToHost({}, DevicePtr{}));
  REQUIRE_OK(stream.CopyOnDevice(DevicePtr{}, DevicePtr{}, 0));
  REQUIRE_OK(opened.device->Clear(DevicePtr{}, 0));
  REQUIRE_OK(opened.device->CopyToDeviceNow(DevicePtr{}, {}));
  CHECK_FALSE(VALUE(opened.device->Allocate(0)).get());
  CHECK(VALUE(opened.device->AllocateHost(0)).bytes().empty());
}

// Cleared memory reads as zeros, and only what was asked for.
TEST_CASE("Clear writes zeros") {
  const OpenedDevice opened = OpenDevice();
  const DeviceBuffer buffer = ToDevice(*opened.device, Counting(8, 1));
  REQUIRE_OK(opened.device->Clear(buffer.get() + 8, 16));
  CHECK(ToHost<uint32_t>(*opened.device, buffer.get(), 8) ==
        std::vector<uint32_t>{1, 2, 0, 0, 0, 0, 7, 8});
}

// Buffers start on 64 bytes, and memory that goes out of scope is free again.
TEST_CASE("buffers are aligned and come back") {
  const OpenedDevice opened = OpenDevice();
  const size_t before = testing::FreeBytes(*opened.device);
  {
    DeviceBuffer buffer = VALUE(opened.device->Allocate(1000));
    CHECK(buffer.get().address % 64 == 0);
    CHECK(buffer.size_bytes() == 1000);
    CHECK(testing::FreeBytes(*opened.device) <= before - 1000);
    const HostBuffer host = VALUE(opened.device->AllocateHost(1000));
    CHECK(reinterpret_cast<uintptr_t>(host.bytes().data()) % 64 == 0);
    buffer = VALUE(opened.device->Allocate(10));  // The first one is freed here.
    CHECK(testing::FreeBytes(*opened.device) > before - 1000);
    DeviceBuffer other = std::move(buffer);
    CHECK_FALSE(buffer.get());  // NOLINT(bugprone-use-after-move): the state is what is tested.
    CHECK(other.size_bytes() == 10);
  }
  CHECK(testing::FreeBytes(*opened.device) == before);
}

// More than the device has is refused with size, device and remedy, and changes nothing.
TEST_CASE("memory that does not suffice is resource exhausted") {
  const OpenedDevice opened = OpenDevice("\"memory_bytes\": 16777216");
  const size_t before = testing::FreeBytes(*opened.device);
  const absl::Status status = opened.device->Allocate(size_t{1} << 30).status();
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(Words(status), Contains("1073741824 bytes on device 0") && Contains("207001"));
  CHECK(testing::FreeBytes(*opened.device) == before);
  CHECK(VALUE(opened.device->memory()).total_bytes == 16777216);
}

// A stream waits for what another did up to the record, however long that takes.
TEST_CASE("an event orders two streams") {
  const OpenedDevice opened = OpenDevice();
  const Device& device = *opened.device;
  constexpr size_t kCount = size_t{1} << 18;
  const HostBuffer in = VALUE(device.AllocateHost(kCount * 4));
  const HostBuffer out = VALUE(device.AllocateHost(kCount * 4));
  const DeviceBuffer first = VALUE(device.Allocate(kCount * 4));
  const DeviceBuffer second = VALUE(device.Allocate(kCount * 4));
  Stream producer = VALUE(device.CreateStream());
  Stream consumer = VALUE(device.CreateStream());
  Event produced = VALUE(device.CreateEvent(false));
  Event consumed = VALUE(device.CreateEvent(false));
  for (uint32_t round = 0; round < 10; ++round) {
    const std::vector<uint32_t> values = Counting(kCount, round * 1000);
    Fill(in, values);
    REQUIRE_OK(producer.Wait(consumed));  // Recorded again each round; before the first, no wait.
    REQUIRE_OK(producer.CopyToDevice(first.get(), in.bytes()));
    REQUIRE_OK(producer.CopyOnDevice(second.get(), first.get(), kCount * 4));
    REQUIRE_OK(producer.Record(produced));
    REQUIRE_OK(consumer.Wait(produced));
    REQUIRE_OK(consumer.CopyToHost(out.bytes(), second.get()));
    REQUIRE_OK(consumer.Record(consumed));
    REQUIRE_OK(consumer.Synchronize());
    REQUIRE(Read(out) == values);
  }
  REQUIRE_OK(producer.Synchronize());
}

// An event is complete before any record and after its stream has passed the newest one.
TEST_CASE("an event tells when its record was reached") {
  const OpenedDevice opened = OpenDevice();
  Stream stream = VALUE(opened.device->CreateStream());
  Event event = VALUE(opened.device->CreateEvent(false));
  CHECK(VALUE(event.IsComplete()));
  REQUIRE_OK(stream.Wait(event));
  for (int round = 0; round < 3; ++round) {
    REQUIRE_OK(stream.Record(event));
    REQUIRE_OK(stream.Synchronize());
    CHECK(VALUE(event.IsComplete()));
  }
  CHECK_FALSE(event.TimestampUs().has_value());
}

// Timed events give instants on one clock for all streams, and the time between two of one stream.
TEST_CASE("timed events measure") {
  const OpenedDevice opened = OpenDevice();
  const Device& device = *opened.device;
  const DeviceBuffer buffer = VALUE(device.Allocate(size_t{1} << 20));
  const HostBuffer host = VALUE(device.AllocateHost(size_t{1} << 20));
  Stream stream = VALUE(device.CreateStream());
  Stream later = VALUE(device.CreateStream());
  Event start = VALUE(device.CreateEvent(true));
  Event end = VALUE(device.CreateEvent(true));
  Event after = VALUE(device.CreateEvent(true));
  CHECK_FALSE(start.TimestampUs().has_value());
  REQUIRE_OK(stream.Record(start));
  REQUIRE_OK(stream.CopyToDevice(buffer.get(), host.bytes()));
  REQUIRE_OK(stream.Record(end));
  REQUIRE_OK(later.Wait(end));
  REQUIRE_OK(later.Record(after));
  REQUIRE_OK(later.Synchronize());
  REQUIRE(start.TimestampUs().has_value());
  CHECK(*start.TimestampUs() <= *end.TimestampUs());
  CHECK(*end.TimestampUs() <= *after.TimestampUs());
  CHECK(VALUE(ElapsedMs(start, end)) >= 0.0F);
  const absl::Status reversed = ElapsedMs(end, start).status();
  if (*start.TimestampUs() < *end.TimestampUs()) {
    CHECK_THAT(Words(reversed), Contains("aclrtEventElapsedTime"));
  }
}

// The time between events that keep none is an error by name.
TEST_CASE("untimed events do not measure") {
  const OpenedDevice opened = OpenDevice();
  Stream stream = VALUE(opened.device->CreateStream());
  Event start = VALUE(opened.device->CreateEvent(false));
  Event end = VALUE(opened.device->CreateEvent(false));
  REQUIRE_OK(stream.Record(start));
  REQUIRE_OK(stream.Record(end));
  REQUIRE_OK(stream.Synchronize());
  CHECK_THAT(Words(ElapsedMs(start, end).status()), Contains("107006"));
}

// A new thread has no context: calls there fail by name until it is bound.
TEST_CASE("a thread must be bound to the device") {
  const OpenedDevice opened = OpenDevice();
  absl::Status unbound;
  absl::Status bound;
  {
    const std::jthread thread = StartThread("unbound", [&] {
      unbound = opened.device->CreateStream().status();
      bound = opened.device->Bind();
      bound.Update(opened.device->CreateStream().status());
    });
  }
  CHECK(unbound.code() == absl::StatusCode::kInternal);
  CHECK_THAT(Words(unbound), Contains("ACL_ERROR_RT_CONTEXT_NULL"));
  REQUIRE_OK(bound);
}

// A copy past the end of a device block fails, at the call or as a task of its own stream only.
TEST_CASE("a copy outside of its block fails on its stream") {
  const OpenedDevice opened = OpenDevice();
  const Device& device = *opened.device;
  const HostBuffer host = VALUE(device.AllocateHost(8192));
  const DeviceBuffer buffer = VALUE(device.Allocate(4096));
  Stream bad = VALUE(device.CreateStream());
  Stream good = VALUE(device.CreateStream());
  absl::Status status = bad.CopyToDevice(buffer.get(), host.bytes());
  status.Update(bad.Synchronize());
  CHECK(status.code() == absl::StatusCode::kInternal);
  CHECK_THAT(Words(status), Contains("device 0"));
  REQUIRE_OK(good.Synchronize());
  REQUIRE_OK(good.TakeTaskError());
  REQUIRE_OK(bad.TakeTaskError());
  REQUIRE_OK(bad.CopyToDevice(buffer.get(), host.bytes().first(4096)));
  REQUIRE_OK(bad.Synchronize());
}

// Streams move with their identity, and a moved-from one can be destroyed.
TEST_CASE("a stream can be moved") {
  const OpenedDevice opened = OpenDevice();
  Stream first = VALUE(opened.device->CreateStream());
  const int32_t id = first.id();
  Stream second = std::move(first);
  CHECK(second.id() == id);
  REQUIRE_OK(second.Synchronize());
  second = VALUE(opened.device->CreateStream());
  CHECK(second.id() != id);
  REQUIRE_OK(second.Synchronize());
}

}  // namespace
}  // namespace omserve::acl
