// SPDX-License-Identifier: Apache-2.0
// The waits of streams for events that the engine makes are needed, and are noticed where they are
// missing: the CPU device forgets one after the other, and strict mode says what came out of order.
#include <dlfcn.h>

#include <boost/json.hpp>
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

// Gives the number of waits since the last call; the `number`-th from now on is forgotten.
int ForgetWait(int number) {
  void* const library = dlopen(OMSERVE_FORGETFUL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  REQUIRE(library != nullptr);
  const auto forget = reinterpret_cast<int (*)(int)>(dlsym(library, "omserve_forget_wait"));
  REQUIRE(forget != nullptr);
  return forget(number);
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
  EngineHarness::Options options{
      .device_settings = fmt::format(R"("strict": "report", "strict_report": "{}", "faults": [{}])",
                                     kReport, kSlow),
      .library = OMSERVE_FORGETFUL_LIBRARY};
  options.engine.small_copy_bytes = small_copy_bytes;
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
  constexpr size_t kLargerThanAny = 1 << 20;
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

}  // namespace
}  // namespace omserve::scheduler
