// SPDX-License-Identifier: Apache-2.0
// Loads that nobody holds any longer, beside a device that takes its time.
#include "server/core/unloader.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <latch>
#include <memory>
#include <thread>

#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

// Lets a load go, and keeps the thread that frees it until Release.
class Freeing final {
 public:
  Freeing() {
    unloader_.SetListener([this](const Model& /*model*/) {
      begun_.count_down();
      released_.wait();
    });
    unloader_.Own(std::make_unique<LoadedModel>()).reset();
    begun_.wait();
  }
  Unloader* operator->() { return &unloader_; }
  void Release() { released_.count_down(); }

 private:
  std::latch begun_{1};
  std::latch released_{1};
  Unloader unloader_{SteadyClock()};  // Last: its thread uses the others.
};

TEST_CASE("Who needs memory waits until it is freed") {
  Freeing freeing;
  CHECK(freeing->waiting() == 1);
  CHECK_FALSE(freeing->AwaitFreed(SteadyClock().Now()));
  freeing.Release();
  CHECK(freeing->AwaitFreed(Clock::time_point::max()));
  CHECK(freeing->waiting() == 0);
}

TEST_CASE("The end does not wait for ever for a load that is not freed") {
  Freeing freeing;
  CHECK(freeing->Stop(SteadyClock().Now()).code() == absl::StatusCode::kDeadlineExceeded);
  freeing.Release();
  REQUIRE_OK(freeing->Stop(Clock::time_point::max()));
  REQUIRE_OK(freeing->Stop(SteadyClock().Now()));
}

// Memory that notes who frees it, and where that is not the thread that made it, waits for `go_on`.
struct Slow {
  std::shared_ptr<const void> Make() {
    return {this, [this, maker = std::this_thread::get_id()](const void* /*memory*/) {
              if (std::this_thread::get_id() == maker) {
                ++here;
                return;
              }
              begun.count_down();
              go_on.wait();
              ++elsewhere;
            }};
  }
  std::atomic<int> here{0};
  std::atomic<int> elsewhere{0};
  std::latch begun{1};
  std::latch go_on{1};
};

TEST_CASE("Memory that takes long to free is freed elsewhere, one such thing at a time") {
  Slow slow;
  Unloader unloader{SteadyClock()};
  unloader.Free(slow.Make());
  slow.begun.wait();
  CHECK(slow.elsewhere == 0);
  unloader.Free(slow.Make());
  CHECK(slow.here == 1);
  CHECK(unloader.Stop(SteadyClock().Now()).code() == absl::StatusCode::kDeadlineExceeded);
  slow.go_on.count_down();
  unloader.AwaitMemory();
  CHECK(slow.elsewhere == 1);
  REQUIRE_OK(unloader.Stop(Clock::time_point::max()));
  unloader.Free(slow.Make());
  CHECK(slow.here == 2);
}

TEST_CASE("Memory does not wait for a load that is not freed") {
  Slow slow;
  Freeing freeing;
  freeing->Free(slow.Make());
  CHECK(slow.here == 1);
  freeing.Release();
}

}  // namespace
}  // namespace omserve::server
