// SPDX-License-Identifier: Apache-2.0
// The waits of streams for events that the engine makes are needed, and are noticed where they are
// missing: the CPU device forgets one after the other, and strict mode says what came out of order.
// And a launch makes no more calls than it must, and takes no device memory.
#include <dlfcn.h>

#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

constexpr int kRequests = 3;
// Per request: the first step's computation after its copies in; the second step's after its copies
// in and after the first step's; its copies out. The first step has none, so the stream that
// computes tells of its end.
constexpr int kWaits = 4;

constexpr char kReport[] = "violations.jsonl";
// Milliseconds, so that the second step is always launched while the first one runs: later the
// host would know of the first one's end, and nothing would hang on the wait.
constexpr char kSlow[] = R"({"task": "execute", "slow": 200})";

template <typename Function>
Function OfLibrary(const char* name) {
  void* const library = dlopen(OMSERVE_FORGETFUL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  REQUIRE(library != nullptr);
  const auto function = reinterpret_cast<Function>(dlsym(library, name));
  REQUIRE(function != nullptr);
  return function;
}

// Gives the number of waits since the last call; the `number`-th from now on is forgotten.
int ForgetWait(int number) { return OfLibrary<int (*)(int)>("omserve_forget_wait")(number); }

// Since the last call of this: the calls that launches consist of, and those for memory, of the
// device or pinned.
int TakeCalls() { return OfLibrary<int (*)()>("omserve_take_calls")(); }
int TakeAllocations() { return OfLibrary<int (*)()>("omserve_take_allocations")(); }

constexpr size_t kLargerThanAny = 1 << 20;

EngineHarness::Options WithLibrary(size_t small_copy_bytes) {
  EngineHarness::Options options{.library = OMSERVE_FORGETFUL_LIBRARY};
  options.engine.small_copy_bytes = small_copy_bytes;
  return options;
}

std::vector<std::string> Violations() {
  std::vector<std::string> names;
  std::ifstream file(kReport);
  for (std::string line; std::getline(file, line);) {
    names.push_back(boost::json::value_to<std::string>(boost::json::parse(line).at("violation")));
  }
  return names;
}

// Three requests, one after the other, to two models in a row on lanes of their own: copies in and
// out, a step that reads its producer's output in place, and slots used again.
void Serve(size_t small_copy_bytes = 0) {
  std::ofstream(kReport, std::ios::trunc);
  EngineHarness::Options options = WithLibrary(small_copy_bytes);
  options.device_settings =
      fmt::format(R"("strict": "report", "strict_report": "{}", "faults": [{}])", kReport, kSlow);
  EngineHarness harness(options);
  const auto plan =
      TwoSteps(harness.AddModel("first", ScaleAdd({1})), harness.AddModel("second", ScaleAdd({1})));
  for (int i = 0; i < kRequests; ++i) {
    const auto answer = harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}});
    REQUIRE_OK(answer->Get().status);
  }
}

// With all its waits the engine is clean; without a single one of them it is not.
TEST_CASE("A planted missing event is found") {
  ForgetWait(0);
  Serve();
  CHECK(Violations().empty());
  const int waits = ForgetWait(0);
  REQUIRE(waits == kRequests * kWaits);
  for (int number = 1; number <= waits; ++number) {
    INFO("wait " << number << " of " << waits);
    ForgetWait(number);
    Serve();
    // Unordered accesses or, where the engine ends before what it lost sight of, freeing in use.
    CHECK_FALSE(Violations().empty());
  }
  ForgetWait(0);
}

// Batches with little to copy stay on their lane's compute stream: the one wait that is left is the
// second step's for the first.
TEST_CASE("Small batches need one event") {
  ForgetWait(0);
  Serve(kLargerThanAny);
  CHECK(Violations().empty());
  REQUIRE(ForgetWait(0) == kRequests);
  for (int number = 1; number <= kRequests; ++number) {
    INFO("wait " << number);
    ForgetWait(number);
    Serve(kLargerThanAny);
    CHECK_FALSE(Violations().empty());
  }
  ForgetWait(0);
}

// What a request to a model of two inputs and two outputs asks of the library: two copies in, the
// execution, two copies out, the notification, four events and their times. Apart, there is an
// event more, and two waits.
TEST_CASE("A launch makes few calls") {
  const auto calls = [](size_t small_copy_bytes) {
    EngineHarness harness(WithLibrary(small_copy_bytes));
    const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1})));
    int made = 0;
    for (int i = 0; i < 8; ++i) {  // The first ones bind the buffers.
      TakeCalls();
      REQUIRE_OK(harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}})->Get().status);
      made = TakeCalls();
    }
    return made;
  };
  CHECK(calls(kLargerThanAny) == 14);
  CHECK(calls(0) == 18);
}

// Rows of eight requests go to the device in one copy per input.
TEST_CASE("Small rows are copied together") {
  EngineHarness harness(WithLibrary(kLargerThanAny));
  const auto plan = BuildSingle(
      *harness.AddModel("m", ScaleAdd({1, 8}), {.policy = {.max_delay = std::chrono::hours(1)}}));
  const auto eight = [&] {
    std::vector<std::shared_ptr<Answer>> answers;
    for (int i = 0; i < 8; ++i) {
      answers.push_back(harness.Submit(
          {.plan = plan, .inputs = {Ramp(1, static_cast<float>(i)), Ramp(1, 1000)}}));
    }
    for (int i = 0; i < 8; ++i) {
      REQUIRE_OK(answers[static_cast<size_t>(i)]->Get().status);
      CHECK(ToFloats(answers[static_cast<size_t>(i)]->Get().outputs[1]) ==
            Summed(1, static_cast<float>(i), 1000));
    }
  };
  eight();
  TakeCalls();
  eight();
  CHECK(TakeCalls() == 14);
}

// Between admission and completion: single requests, batches and chains, with all their copies.
TEST_CASE("Requests ask the device for no memory") {
  for (const size_t small_copy_bytes : {size_t{0}, kLargerThanAny}) {
    CAPTURE(small_copy_bytes);
    EngineHarness harness(WithLibrary(small_copy_bytes));
    const Subgraph* first = harness.AddModel("first", ScaleAdd({1, 2, 4}));
    const auto single = BuildSingle(*first);
    const auto chain = TwoSteps(first, harness.AddModel("second", ScaleAdd({1, 2, 4})));
    harness.AddPlan(chain);
    const auto pool_allocations = [&harness] {
      return harness.engine().load().device_pool_allocations;
    };
    REQUIRE_OK(harness.Submit({.plan = chain, .inputs = {Ramp(1, 1), Ramp(1, 2)}})->Get().status);
    const uint64_t before = pool_allocations();
    CHECK(TakeAllocations() > 0);  // Models and pools, so the counter counts.
    std::vector<std::shared_ptr<Answer>> answers;
    for (int i = 0; i < 200; ++i) {
      const int rows = 1 + i % 9;  // Also more than a batch holds: in parts.
      answers.push_back(harness.Submit({.plan = i % 2 == 0 ? single : chain,
                                        .inputs = {Ramp(rows, 1), Ramp(rows, 2)},
                                        .rows = rows}));
    }
    for (const auto& answer : answers) {
      REQUIRE_OK(answer->Get().status);
    }
    CHECK(TakeAllocations() == 0);
    CHECK(pool_allocations() == before);
  }
}

}  // namespace
}  // namespace omserve::scheduler
