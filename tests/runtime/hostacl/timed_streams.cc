// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/timed_streams.h"

#include <algorithm>
#include <ctime>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "tests/runtime/acl/acl_fixture.h"
#include "tests/runtime/hostacl/timed_models.h"

namespace omserve::hostacl {
namespace {

double CpuMs() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

// One stream with what its executions need. Everything that can fail does so in the constructor, in
// the test's own thread.
struct Lane {
  Lane(const acl::Device& on, std::span<const std::byte> om)
      : device(on),
        stream(VALUE(on.CreateStream())),
        x(VALUE(on.Allocate(kBytes))),
        y(VALUE(on.Allocate(kBytes))),
        model(VALUE(acl::Model::Load(on, om, VALUE(acl::SharedWeights::Allocate(on, om))))),
        binding(VALUE(acl::Binding::Create(*model))) {
    REQUIRE_OK(binding.BindInput(0, x.get(), kBytes));
    REQUIRE_OK(binding.BindOutput(0, y.get(), kBytes));
  }

  absl::Status Run(int executions) {
    RETURN_IF_ERROR(device.Bind());
    for (int i = 0; i < executions; ++i) {
      RETURN_IF_ERROR(model->Enqueue(binding, 0, stream));
    }
    return stream.Synchronize();
  }

  static constexpr size_t kBytes = 64;
  const acl::Device& device;
  acl::Stream stream;
  acl::DeviceBuffer x;
  acl::DeviceBuffer y;
  std::unique_ptr<acl::Model> model;
  acl::Binding binding;
};

}  // namespace

double BoundMs(const StreamsLoad& load) {
  const double contention =
      std::max(1.0, static_cast<double>(load.streams) / static_cast<double>(load.cores));
  return std::chrono::duration<double, std::milli>(load.cost).count() * load.executions *
         contention;
}

StreamsRun RunStreams(const StreamsLoad& load) {
  const std::string file =
      TimedFile(TimedModel({1, 16}, om::GearKind::kNone, {}, {load.cost.count()}));
  const std::unique_ptr<acl::Runtime> runtime = VALUE(testing::TryOpenRuntime(
      fmt::format(R"("engine": "timed", "device_count": {}, "cores": {}, "memory_bytes": 16777216)",
                  load.devices, load.cores)));
  std::vector<std::unique_ptr<acl::Device>> devices;
  std::vector<std::unique_ptr<Lane>> lanes;
  for (int i = 0; i < load.devices; ++i) {
    devices.push_back(VALUE(runtime->OpenDevice(i)));
    for (int stream = 0; stream < load.streams; ++stream) {
      lanes.push_back(std::make_unique<Lane>(*devices.back(), std::as_bytes(std::span(file))));
    }
  }

  std::vector<absl::Status> statuses(lanes.size());
  std::latch start(static_cast<std::ptrdiff_t>(lanes.size()) + 1);
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < lanes.size(); ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      statuses[i] = lanes[i]->Run(load.executions);
    });
  }
  const Clock::time_point begin = SteadyClock().Now();
  const double cpu_before = CpuMs();
  start.arrive_and_wait();
  threads.clear();
  const StreamsRun run = {
      std::chrono::duration<double, std::milli>(SteadyClock().Now() - begin).count(),
      CpuMs() - cpu_before};
  for (const absl::Status& status : statuses) {
    REQUIRE_OK(status);
  }
  for (std::unique_ptr<Lane>& lane : lanes) {
    REQUIRE_OK(lane->device.Bind());
    lane.reset();
  }
  return run;
}

}  // namespace omserve::hostacl
