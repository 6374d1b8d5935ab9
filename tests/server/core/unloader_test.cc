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

TEST_CASE("Memory that takes long to free is freed elsewhere, one such thing at a time") {
  const auto caller = std::this_thread::get_id();
  std::atomic<int> here{0};
  std::atomic<int> elsewhere{0};
  const auto memory = [&] {
    return std::shared_ptr<const void>(&here, [&](const void* /*memory*/) {
      ++(std::this_thread::get_id() == caller ? here : elsewhere);
      elsewhere.notify_all();
    });
  };
  Freeing freeing;
  freeing->Free(memory());
  CHECK(here + elsewhere == 0);  // The thread has a load to free.
  freeing->Free(memory());
  CHECK(here == 1);
  freeing.Release();
  elsewhere.wait(0);
  CHECK(elsewhere == 1);
  REQUIRE_OK(freeing->Stop(Clock::time_point::max()));
  freeing->Free(memory());
  CHECK(here == 2);
}

}  // namespace
}  // namespace omserve::server
