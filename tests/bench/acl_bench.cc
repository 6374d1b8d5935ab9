// SPDX-License-Identifier: Apache-2.0
// What AscendCL's primitives cost: a launch, an event across two streams, a callback, a copy. Each
// row has the allocations per iteration of all threads, the library's included, and the processor
// time of the whole process.
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

#include <cstdlib>

#include "runtime/acl/acl_abi.h"
#include "tests/bench/allocation_count.h"

namespace omserve {
namespace {

void* Symbol(const char* name) {
  static void* const library = [] {
    const char* given = std::getenv("OMSERVE_ACL_LIBRARY");
    return dlopen(given != nullptr ? given : OMSERVE_BINARY_DIR "/lib/libascendcl.so",
                  RTLD_NOW | RTLD_LOCAL);
  }();
  void* const symbol = library == nullptr ? nullptr : dlsym(library, name);
  if (symbol == nullptr) {
    fmt::print(stderr, "acl_bench: no function {}: {}\n", name, dlerror());
    std::exit(1);
  }
  return symbol;
}

#define ACL(function)                                                                     \
  ([]() -> decltype(&::function) {                                                        \
    static const auto found = reinterpret_cast<decltype(&::function)>(Symbol(#function)); \
    return found;                                                                         \
  }())

void Require(aclError code) {
  if (code != ACL_SUCCESS) {
    fmt::print(stderr, "acl_bench: a call failed with {}\n", code);
    std::exit(1);
  }
}

double ProcessCpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Counts over the measured loop, after `warm` ran a few hundred times: the steady state.
class Meter final {
 public:
  template <typename Step>
  Meter(benchmark::State& state, Step warm) : state_(state) {
    for (int i = 0; i < 500; ++i) {
      warm();
    }
    allocations_ = AllocationCountOfAllThreads();
    cpu_ = ProcessCpuSeconds();
  }
  ~Meter() {
    const auto per_iteration = [this](double value) {
      return value / static_cast<double>(state_.iterations());
    };
    state_.counters["allocs"] =
        per_iteration(static_cast<double>(AllocationCountOfAllThreads() - allocations_));
    state_.counters["cpu_us"] = per_iteration((ProcessCpuSeconds() - cpu_) * 1e6);
  }
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

 private:
  benchmark::State& state_;
  size_t allocations_;
  double cpu_;
};

class Session final {
 public:
  Session() {
    Require(ACL(aclInit)(nullptr));
    Require(ACL(aclrtSetDevice)(0));
  }
  ~Session() { ACL(aclFinalize)(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

aclrtStream NewStream() {
  aclrtStream stream = nullptr;
  Require(ACL(aclrtCreateStream)(&stream));
  return stream;
}

void Nothing(void*) {}

// The call alone: 64 empty tasks are launched, and waited for outside the measured time.
void LaunchEmptyTask(benchmark::State& state) {
  const Session session;
  const aclrtStream stream = NewStream();
  constexpr int kTasks = 64;
  const auto launch = [stream] {
    for (int i = 0; i < kTasks; ++i) {
      Require(ACL(aclrtLaunchHostFunc)(stream, &Nothing, nullptr));
    }
  };
  const Meter meter(state, [&] {
    launch();
    Require(ACL(aclrtSynchronizeStream)(stream));
  });
  for (auto _ : state) {
    launch();
    state.PauseTiming();
    Require(ACL(aclrtSynchronizeStream)(stream));
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * kTasks);
}
BENCHMARK(LaunchEmptyTask)->UseRealTime();

// A task is launched and waited for.
void LaunchAndSynchronize(benchmark::State& state) {
  const Session session;
  const aclrtStream stream = NewStream();
  const auto step = [stream] {
    Require(ACL(aclrtLaunchHostFunc)(stream, &Nothing, nullptr));
    Require(ACL(aclrtSynchronizeStream)(stream));
  };
  const Meter meter(state, step);
  for (auto _ : state) {
    step();
  }
}
BENCHMARK(LaunchAndSynchronize)->UseRealTime();

// An event recorded on one stream, waited for by another, which the host then waits for.
void EventAcrossStreams(benchmark::State& state) {
  const Session session;
  const aclrtStream first = NewStream();
  const aclrtStream second = NewStream();
  aclrtEvent event = nullptr;
  Require(ACL(aclrtCreateEventExWithFlag)(&event, ACL_EVENT_SYNC));
  const auto step = [&] {
    Require(ACL(aclrtRecordEvent)(event, first));
    Require(ACL(aclrtStreamWaitEvent)(second, event));
    Require(ACL(aclrtSynchronizeStream)(second));
  };
  const Meter meter(state, step);
  for (auto _ : state) {
    step();
  }
}
BENCHMARK(EventAcrossStreams)->UseRealTime();

// A callback launched, run by the thread that processes reports, and noticed by the launcher, which
// is that same thread.
void CallbackRoundTrip(benchmark::State& state) {
  const Session session;
  const aclrtStream stream = NewStream();
  Require(ACL(aclrtSubscribeReport)(static_cast<uint64_t>(pthread_self()), stream));
  const auto step = [stream] {
    Require(ACL(aclrtLaunchCallback)(&Nothing, nullptr, ACL_CALLBACK_NO_BLOCK, stream));
    Require(ACL(aclrtProcessReport)(-1));
  };
  const Meter meter(state, step);
  for (auto _ : state) {
    step();
  }
}
BENCHMARK(CallbackRoundTrip)->UseRealTime();

// 1 MiB from pinned memory to the device, waited for.
void CopyToDevice(benchmark::State& state) {
  const Session session;
  const aclrtStream stream = NewStream();
  constexpr size_t kBytes = size_t{1} << 20;
  void* device = nullptr;
  void* host = nullptr;
  Require(ACL(aclrtMalloc)(&device, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
  Require(ACL(aclrtMallocHost)(&host, kBytes));
  const auto step = [&] {
    Require(ACL(aclrtMemcpyAsync)(device, kBytes, host, kBytes, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    Require(ACL(aclrtSynchronizeStream)(stream));
  };
  const Meter meter(state, step);
  for (auto _ : state) {
    step();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kBytes));
}
BENCHMARK(CopyToDevice)->UseRealTime();

}  // namespace
}  // namespace omserve

BENCHMARK_MAIN();
