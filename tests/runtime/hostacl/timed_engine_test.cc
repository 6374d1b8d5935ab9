// SPDX-License-Identifier: Apache-2.0
// The timed engine through the C functions: answers, time, gears, copies.
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/base/clock.h"
#include "tests/runtime/hostacl/model_files.h"
#include "tests/runtime/hostacl/timed_models.h"

namespace omserve::hostacl {
namespace {

// No ONNX Runtime can be found with these settings.
std::string Timed(const std::string& more = "") {
  return R"({"engine": "timed", "ort_library": "/none")" + more + "}";
}

double MsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock().Now() - start).count();
}

std::vector<float> Ramp(size_t count, float start = 0) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = start + static_cast<float>(i);
  }
  return values;
}

// A model with a gear input and its buffers at the largest gear.
struct TimedRun {
  explicit TimedRun(const om::ModelDescription& description)
      : model(TimedFile(description)),
        x(description.inputs[0].size_bytes),
        y(description.outputs[0].size_bytes),
        gear(64),
        input(description.gears.empty() ? std::vector{EntryOf(x)}
                                        : std::vector{EntryOf(x), EntryOf(gear)}),
        output({EntryOf(y)}) {}

  void Write(const std::vector<float>& values) const {
    REQUIRE_ACL(ACL(aclrtMemcpy)(x.get(), x.size_bytes(), values.data(),
                                 values.size() * sizeof(float), ACL_MEMCPY_HOST_TO_DEVICE));
  }
  // Synchronously; the first `count` numbers of y.
  std::vector<float> Execute(const std::vector<float>& values) const {
    Write(values);
    REQUIRE_ACL(ACL(aclmdlExecute)(model.id(), input.get(), output.get()));
    std::vector<float> all = y.Read<float>();
    all.resize(values.size());
    return all;
  }

  LoadedModel model;
  DeviceBytes x;
  DeviceBytes y;
  DeviceBytes gear;
  TestDataset input;
  TestDataset output;
};

// An execution takes its cost, now and in a stream, in either run mode, and answers by the
// function; the launch itself does not wait.
TEST_CASE("A timed model answers after its cost") {
  for (const char* run_mode : {"host", "device"}) {
    CAPTURE(run_mode);
    const AclSession session(Timed(fmt::format(R"(, "run_mode": "{}")", run_mode)));
    const TimedRun run(TimedModel({2, 8}, om::GearKind::kNone, {}, {100'000}));
    const std::vector<float> x = Ramp(16);
    Clock::time_point start = SteadyClock().Now();
    CHECK(run.Execute(x) == TimedAnswer(x, 2));
    CHECK(MsSince(start) >= 100);

    const TestStream stream;
    run.Write(Ramp(16, 100));
    start = SteadyClock().Now();
    REQUIRE_ACL(
        ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), run.output.get(), stream.get()));
    REQUIRE_ACL(
        ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), run.output.get(), stream.get()));
    CHECK(MsSince(start) < 100);
    REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
    CHECK(MsSince(start) >= 200);
    CHECK(run.y.Read<float>() == TimedAnswer(Ramp(16, 100), 2));
  }
}

// A model whose dims are not known before it runs has no cost to take, and is not loaded.
TEST_CASE("The timed engine refuses a dynamic shape") {
  const AclSession session(Timed());
  om::ModelDescription model = TimedModel({2, 8}, om::GearKind::kNone, {}, {100});
  model.inputs[0].dims[0] = -1;
  model.inputs[0].size_bytes = 0;
  model.inputs[0].dim_ranges = {{1, 4}, {8, 8}};
  const std::string file = TimedFile(model);
  uint32_t id = 0;
  CHECK(ACL(aclmdlLoadFromMem)(file.data(), file.size(), &id) == ACL_ERROR_GE_LOAD_MODEL);
  CHECK_THAT(RecentError(), Catch::Contains("x [1~4,8]"));
}

// A row's answer is its own at every batch, and the gear decides the time.
TEST_CASE("Batch gears have their own cost and the same rows") {
  const AclSession session(Timed());
  const TimedRun run(TimedModel({-1, 8}, om::GearKind::kBatch, {{1}, {4}}, {5'000, 25'000}));
  const std::vector<float> x = Ramp(32);
  REQUIRE_ACL(ACL(aclmdlSetDynamicBatchSize)(run.model.id(), run.input.get(), 1, 4));
  Clock::time_point start = SteadyClock().Now();
  const std::vector<float> together = run.Execute(x);
  CHECK(MsSince(start) >= 25);
  CHECK(together == TimedAnswer(x, 4));

  REQUIRE_ACL(ACL(aclmdlSetDynamicBatchSize)(run.model.id(), run.input.get(), 1, 1));
  std::vector<float> apart;
  start = SteadyClock().Now();
  for (size_t row = 0; row < 4; ++row) {
    const std::vector<float> one = run.Execute({x.begin() + static_cast<ptrdiff_t>(row * 8),
                                                x.begin() + static_cast<ptrdiff_t>(row * 8 + 8)});
    apart.insert(apart.end(), one.begin(), one.end());
  }
  CHECK(MsSince(start) >= 20);
  CHECK(apart == together);
}

// With dims gears the first dim is the rows where all tensors share it.
TEST_CASE("Dims gears have rows") {
  const AclSession session(Timed());
  const TimedRun run(TimedModel({-1, -1}, om::GearKind::kDims, {{1, 16}, {8, 32}}, {1'000, 2'000}));
  for (const auto& [rows, width] : {std::pair<size_t, size_t>{1, 16}, {8, 32}}) {
    aclmdlIODims dims{};
    dims.dimCount = 2;
    dims.dims[0] = static_cast<int64_t>(rows);
    dims.dims[1] = static_cast<int64_t>(width);
    REQUIRE_ACL(ACL(aclmdlSetInputDynamicDims)(run.model.id(), run.input.get(), 1, &dims));
    const std::vector<float> x = Ramp(rows * width);
    CHECK(run.Execute(x) == TimedAnswer(x, rows));
  }
}

// An image model has one row, whatever its size.
TEST_CASE("Image gears are one row") {
  const AclSession session(Timed());
  const TimedRun run(
      TimedModel({1, 1, -1, -1}, om::GearKind::kImage, {{4, 6}, {8, 8}}, {1'000, 2'000}));
  for (const auto& [height, width] : {std::pair<size_t, size_t>{4, 6}, {8, 8}}) {
    REQUIRE_ACL(ACL(aclmdlSetDynamicHWSize)(run.model.id(), run.input.get(), 1, height, width));
    const std::vector<float> x = Ramp(height * width);
    CHECK(run.Execute(x) == TimedAnswer(x, 1));
  }
}

// Two loads over one weight memory run side by side on two cores, and in turn on one.
TEST_CASE("Loads that share weights share cores") {
  om::ModelDescription description = TimedModel({2, 8}, om::GearKind::kNone, {}, {150'000});
  description.work_bytes = 4096;
  const std::string file = [&description] {
    const std::string_view weights = "0123456789abcdef";
    description.weight_bytes = weights.size();
    return VALUE(om::WriteHostModel(description, std::as_bytes(std::span("graph")),
                                    std::as_bytes(std::span(weights))));
  }();
  for (const int cores : {1, 2}) {
    const AclSession session(Timed(fmt::format(R"(, "cores": {})", cores)));
    const DeviceBytes weights(16);
    const DeviceBytes work(2 * 4096);
    const DeviceBytes x(Ramp(16));
    const DeviceBytes y(2 * 16 * sizeof(float));
    const TestStream streams[2];
    const TestDataset input({EntryOf(x)});
    uint32_t ids[2] = {};
    std::vector<std::unique_ptr<TestDataset>> outputs;
    for (size_t i = 0; i < 2; ++i) {
      REQUIRE_ACL(ACL(aclmdlLoadFromMemWithMem)(file.data(), file.size(), &ids[i],
                                                static_cast<std::byte*>(work.get()) + i * 4096,
                                                4096, weights.get(), weights.size_bytes()));
      outputs.push_back(std::make_unique<TestDataset>(std::vector<TestDataset::Entry>{
          {static_cast<std::byte*>(y.get()) + i * 16 * sizeof(float), 16 * sizeof(float)}}));
    }
    const Clock::time_point start = SteadyClock().Now();
    for (size_t i = 0; i < 2; ++i) {
      REQUIRE_ACL(
          ACL(aclmdlExecuteAsync)(ids[i], input.get(), outputs[i]->get(), streams[i].get()));
    }
    for (const TestStream& stream : streams) {
      REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
    }
    const double took_ms = MsSince(start);
    CAPTURE(cores, took_ms);
    // Two on one core are 300 ms of work; on two cores each has its own 150.
    CHECK(took_ms >= (cores == 1 ? 300 : 150));
    CHECK((cores == 1 || took_ms < 295));
    std::vector<float> expected = TimedAnswer(Ramp(16), 2);
    expected.insert(expected.end(), expected.begin(), expected.begin() + 16);
    CHECK(y.Read<float>() == expected);
    for (const uint32_t id : ids) {
      REQUIRE_ACL(ACL(aclmdlUnload)(id));
    }
  }
}

// The device says how busy its cores are.
TEST_CASE("Timed executions keep cores busy") {
  const AclSession session(Timed(R"(, "cores": 2)"));
  const auto busy = [] {
    aclrtUtilizationInfo info{};
    REQUIRE_ACL(ACL(aclrtGetDeviceUtilizationRate)(0, &info));
    return info.cubeUtilization;
  };
  const TimedRun run(TimedModel({2, 8}, om::GearKind::kNone, {}, {200'000}));
  const TestStream stream;
  CHECK(busy() == 0);
  REQUIRE_ACL(
      ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), run.output.get(), stream.get()));
  const Clock::time_point patience = SteadyClock().Now() + std::chrono::milliseconds(150);
  while (busy() == 0 && SteadyClock().Now() < patience) {
    std::this_thread::yield();
  }
  CHECK(busy() == 50);
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(busy() == 0);
}

// A copy between host and device takes its latency and its bytes' time; one within the device does
// not, and without the settings none does.
TEST_CASE("Copies take time where settings say so") {
  constexpr size_t kBytes = 1 << 20;
  const auto timed_copy = [](const std::string& settings, aclrtMemcpyKind kind) {
    const AclSession session(settings);
    const DeviceBytes a(kBytes);
    const DeviceBytes b(kBytes);
    std::vector<std::byte> host(kBytes);
    const bool from_host = kind == ACL_MEMCPY_HOST_TO_DEVICE;
    void* const target = kind == ACL_MEMCPY_DEVICE_TO_HOST ? host.data() : a.get();
    const void* const source = from_host ? host.data() : b.get();
    const Clock::time_point start = SteadyClock().Now();
    REQUIRE_ACL(ACL(aclrtMemcpy)(target, kBytes, source, kBytes, kind));
    return MsSince(start);
  };
  // 1 MiB at 50 bytes per us are 21 ms.
  const std::string slow =
      Timed(R"(, "timed": {"copy_bytes_per_us": 50, "copy_latency_us": 100000})");
  CHECK(timed_copy(slow, ACL_MEMCPY_HOST_TO_DEVICE) >= 120);
  CHECK(timed_copy(slow, ACL_MEMCPY_DEVICE_TO_HOST) >= 120);
  CHECK(timed_copy(slow, ACL_MEMCPY_DEVICE_TO_DEVICE) < 100);
  CHECK(timed_copy(Timed(), ACL_MEMCPY_HOST_TO_DEVICE) < 100);
}

// A copy of rows is one copy: its latency counts once.
TEST_CASE("A copy of rows has one latency") {
  const AclSession session(Timed(R"(, "timed": {"copy_latency_us": 20000})"));
  const DeviceBytes device(64 * 16);
  std::vector<std::byte> host(64 * 16);
  const Clock::time_point start = SteadyClock().Now();
  REQUIRE_ACL(
      ACL(aclrtMemcpy2d)(device.get(), 16, host.data(), 16, 16, 64, ACL_MEMCPY_HOST_TO_DEVICE));
  CHECK(MsSince(start) >= 20);
  CHECK(MsSince(start) < 600);
}

}  // namespace
}  // namespace omserve::hostacl
