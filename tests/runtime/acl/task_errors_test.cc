// SPDX-License-Identifier: Apache-2.0
// The table behind Stream::TakeTaskError, on a library of four functions that the test plays.
#include "runtime/acl/task_errors.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/status_test_util.h"

// The vendor hides the fields; these are the played library's.
struct aclrtExceptionInfo {
  uint32_t device_id;
  uint32_t stream_id;
  uint32_t code;
};

namespace omserve::acl {
namespace {

using Catch::Matchers::Contains;

aclrtExceptionInfoCallback registered = nullptr;
aclError registration_code = ACL_SUCCESS;

aclError Register(aclrtExceptionInfoCallback callback) noexcept {
  registered = callback;
  return registration_code;
}
uint32_t StreamIdOf(const aclrtExceptionInfo* info) noexcept { return info->stream_id; }
uint32_t DeviceIdOf(const aclrtExceptionInfo* info) noexcept { return info->device_id; }
uint32_t CodeOf(const aclrtExceptionInfo* info) noexcept { return info->code; }

Symbols PlayedSymbols() {
  Symbols symbols;
  symbols.aclrtSetExceptionInfoCallback = &Register;
  symbols.aclrtGetStreamIdFromExceptionInfo = &StreamIdOf;
  symbols.aclrtGetDeviceIdFromExceptionInfo = &DeviceIdOf;
  symbols.aclrtGetErrorCodeFromExceptionInfo = &CodeOf;
  return symbols;
}

void Fail(uint32_t device_id, uint32_t stream_id, uint32_t code) {
  aclrtExceptionInfo info = {device_id, stream_id, code};
  REQUIRE(registered != nullptr);
  registered(&info);
}

// Installed for one test.
class Installed {
 public:
  explicit Installed(const Symbols& symbols) : symbols_(symbols) {
    registration_code = ACL_SUCCESS;
    REQUIRE_OK(TaskErrors::Get().Install(symbols_));
  }
  ~Installed() { TaskErrors::Get().Uninstall(symbols_); }

 private:
  Symbols symbols_;
};

std::string TakeText(uint64_t watch) {
  return std::string(MessageOf(TaskErrors::Get().Take(watch)));
}

// A failure goes to its own stream, is given once, and of several the first.
TEST_CASE("a task failure is given to its stream once") {
  const Installed installed(PlayedSymbols());
  TaskErrors& table = TaskErrors::Get();
  const uint64_t three = table.Watch(0, 3);
  const uint64_t four = table.Watch(0, 4);
  Fail(0, 3, 507015);
  Fail(0, 3, 507011);
  CHECK(table.Take(four).ok());
  CHECK_THAT(TakeText(three),
             Contains("stream 3 on device 0") && Contains("ACL_ERROR_RT_AICORE_EXCEPTION"));
  CHECK(table.Take(three).ok());
}

// Stream numbers are each device's own: the same number elsewhere is not concerned.
TEST_CASE("a task failure stays on its device") {
  const Installed installed(PlayedSymbols());
  TaskErrors& table = TaskErrors::Get();
  const uint64_t here = table.Watch(0, 3);
  const uint64_t there = table.Watch(1, 3);
  Fail(1, 3, 507011);
  CHECK(table.Take(here).ok());
  CHECK_FALSE(table.Take(there).ok());
}

// A number that nobody watches is a stream inside a model: everyone on that device must hear of it.
TEST_CASE("a task failure of an unknown stream is given to all streams of the device") {
  const Installed installed(PlayedSymbols());
  TaskErrors& table = TaskErrors::Get();
  const uint64_t three = table.Watch(0, 3);
  const uint64_t four = table.Watch(0, 4);
  const uint64_t elsewhere = table.Watch(1, 3);
  Fail(0, 77, 507011);
  CHECK_FALSE(table.Take(three).ok());
  CHECK_FALSE(table.Take(four).ok());
  CHECK(table.Take(elsewhere).ok());
}

// A library that tells no stream numbers has every stream hear of every failure of its device.
TEST_CASE("without stream numbers a failure is given to all streams of the device") {
  const Installed installed(PlayedSymbols());
  TaskErrors& table = TaskErrors::Get();
  const uint64_t one = table.Watch(0, -1);
  const uint64_t other = table.Watch(0, -1);
  Fail(0, 5, 507011);
  CHECK_THAT(TakeText(one), Contains("a task on device 0"));
  CHECK_FALSE(table.Take(other).ok());
  CHECK(table.Take(one).ok());
}

// Before CANN could tell the code, the failure alone is known and must not read as success.
TEST_CASE("a failure without a code is a failure") {
  Symbols symbols = PlayedSymbols();
  symbols.aclrtGetErrorCodeFromExceptionInfo = nullptr;
  const Installed installed(symbols);
  const uint64_t watch = TaskErrors::Get().Watch(0, 3);
  Fail(0, 3, 507011);
  CHECK_THAT(TakeText(watch), Contains("500003"));
}

// A library that reports the code 0 still reports a failure.
TEST_CASE("a failure with the code of success is a failure") {
  const Installed installed(PlayedSymbols());
  const uint64_t watch = TaskErrors::Get().Watch(0, 3);
  Fail(0, 3, 0);
  CHECK_FALSE(TaskErrors::Get().Take(watch).ok());
}

// Asking by the stream's number is the same as asking by its key, and takes the failure as well.
TEST_CASE("a task failure can be taken by device and stream number") {
  const Installed installed(PlayedSymbols());
  TaskErrors& table = TaskErrors::Get();
  const uint64_t watch = table.Watch(0, 3);
  Fail(0, 3, 507011);
  CHECK(table.TakeByStream(0, 4).ok());
  CHECK_FALSE(table.TakeByStream(0, 3).ok());
  CHECK(table.TakeByStream(0, 3).ok());
  CHECK(table.Take(watch).ok());
}

// What is not watched any longer has no failures, and a late report harms nobody.
TEST_CASE("a stream that is gone has no failures") {
  const Installed installed(PlayedSymbols());
  TaskErrors& table = TaskErrors::Get();
  const uint64_t watch = table.Watch(0, 3);
  table.Unwatch(watch);
  Fail(0, 3, 507011);
  CHECK(table.Take(watch).ok());
  CHECK(table.TakeByStream(0, 3).ok());
}

// The library takes one callback per process: a second owner is refused, a later one is not.
TEST_CASE("the exception callback has one owner at a time") {
  {
    const Installed installed(PlayedSymbols());
    const absl::Status second = TaskErrors::Get().Install(PlayedSymbols());
    CHECK(second.code() == absl::StatusCode::kFailedPrecondition);
  }
  CHECK(registered == nullptr);
  const Installed again(PlayedSymbols());
  CHECK(registered != nullptr);
}

// A library that refuses the callback is an error, and leaves the place free.
TEST_CASE("a refused exception callback is an error") {
  registration_code = ACL_ERROR_INVALID_PARAM;
  CHECK(TaskErrors::Get().Install(PlayedSymbols()).code() == absl::StatusCode::kInternal);
  const Installed installed(PlayedSymbols());
}

}  // namespace
}  // namespace omserve::acl
