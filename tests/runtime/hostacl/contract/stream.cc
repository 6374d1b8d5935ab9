// SPDX-License-Identifier: Apache-2.0
// 1.4: streams: order, overlap, synchronisation, failures.
#include <set>

#include "tests/runtime/hostacl/contract/fixture.h"

namespace omserve::hostacl {
namespace {

// Puts a chain of copies into the stream: pinned source to device, to device, to pinned target.
struct CopyChain {
  explicit CopyChain(aclrtStream stream) {
    std::memcpy(source.get(), Sequence(128).data(), 128);
    REQUIRE_ACL(ACL(aclrtMemcpyAsync)(first.get(), 128, source.get(), 128,
                                      ACL_MEMCPY_HOST_TO_DEVICE, stream));
    REQUIRE_ACL(ACL(aclrtMemcpyAsync)(second.get(), 128, first.get(), 128,
                                      ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
    REQUIRE_ACL(ACL(aclrtMemcpyAsync)(target.get(), 128, second.get(), 128,
                                      ACL_MEMCPY_DEVICE_TO_HOST, stream));
  }
  bool done() const { return std::memcmp(target.get(), Sequence(128).data(), 128) == 0; }

  PinnedBytes source{128};
  PinnedBytes target{128};
  DeviceBytes first{128};
  DeviceBytes second{128};
};

// Each copy reads what the one before it wrote.
TEST_CASE("Tasks of a stream run in order",
          "[rule/tasks-in-order][1.4/aclrtCreateStream][1.4/aclrtSynchronizeStream]") {
  const AclSession session;
  const TestStream stream;
  for (int round = 0; round < 20; ++round) {
    const CopyChain chain(stream.get());
    REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
    REQUIRE(chain.done());
  }
}

struct Step {
  std::vector<int>* order;
  int number;
};

// Also what the host does in its turn.
TEST_CASE("Host functions of a stream run in order",
          "[rule/tasks-in-order][1.6/aclrtLaunchHostFunc]") {
  const AclSession session;
  const TestStream stream;
  std::vector<int> order;
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  std::vector<Step> steps;
  for (const int number : expected) {
    steps.push_back({&order, number});
  }
  const auto run = [](void* step) {
    const auto* self = static_cast<Step*>(step);
    self->order->push_back(self->number);
  };
  for (Step& step : steps) {
    REQUIRE_ACL(ACL(aclrtLaunchHostFunc)(stream.get(), run, &step));
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(order == expected);
}

// While one stream is held, another and the default one go on, and the other way round.
TEST_CASE("Streams do not wait for each other", "[rule/streams-overlap]") {
  const AclSession session;
  const TestStream held;
  const TestStream other;
  {
    const StreamGate gate(held.get());
    const CopyChain chain(other.get());
    const CopyChain default_chain(nullptr);
    REQUIRE_ACL(ACL(aclrtSynchronizeStream)(other.get()));
    REQUIRE_ACL(ACL(aclrtSynchronizeStream)(nullptr));
    CHECK(chain.done());
    CHECK(default_chain.done());
  }
  const StreamGate gate(nullptr);
  const CopyChain chain(held.get());
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(held.get()));
  CHECK(chain.done());
}

TEST_CASE("Destroying a stream waits for its tasks", "[1.4/aclrtDestroyStream]") {
  const AclSession session;
  aclrtStream stream = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateStream)(&stream));
  const CopyChain chain(stream);
  REQUIRE_ACL(ACL(aclrtDestroyStream)(stream));
  CHECK(chain.done());
}

TEST_CASE("A stream can be destroyed by force", "[1.4/aclrtDestroyStreamForce]") {
  const AclSession session;
  aclrtStream stream = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateStream)(&stream));
  CHECK(ACL(aclrtDestroyStreamForce)(stream) == ACL_SUCCESS);
}

// By force it is not waited for: here for an event that nobody records.
TEST_CASE("A stream that waits for ever can be destroyed by force",
          "[1.4/aclrtDestroyStreamForce][needs hostacl]") {
  const AclSession session;
  aclrtEvent event = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateEvent)(&event));
  aclrtStream stream = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateStream)(&stream));
  REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(stream, event));
  CHECK(ACL(aclrtDestroyStreamForce)(stream) == ACL_SUCCESS);
  CHECK(ACL(aclrtDestroyEvent)(event) == ACL_SUCCESS);
}

TEST_CASE("Null streams and null outputs are refused",
          "[1.4/aclrtCreateStream][1.4/aclrtDestroyStream]") {
  const AclSession session;
  CHECK(ACL(aclrtCreateStream)(nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtDestroyStream)(nullptr) != ACL_SUCCESS);
}

// 507046 after the milliseconds; the work goes on and a later call finds it done.
TEST_CASE("Synchronising a stream can expire",
          "[1.4/aclrtSynchronizeStreamWithTimeout][rule/timeout-does-not-cancel]") {
  const AclSession session;
  const TestStream stream;
  {
    StreamGate gate(stream.get());
    const CopyChain chain(stream.get());
    CHECK(ACL(aclrtSynchronizeStreamWithTimeout)(stream.get(), 1) ==
          ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
    CHECK_FALSE(chain.done());
    gate.Open();
    CHECK(ACL(aclrtSynchronizeStreamWithTimeout)(stream.get(), -1) == ACL_SUCCESS);
    CHECK(chain.done());
  }
  CHECK(ACL(aclrtSynchronizeStreamWithTimeout)(stream.get(), 1000) == ACL_SUCCESS);
}

TEST_CASE("Asking a stream does not wait", "[1.4/aclrtStreamQuery]") {
  const AclSession session;
  const TestStream stream;
  aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
  {
    const StreamGate gate(stream.get());
    REQUIRE_ACL(ACL(aclrtStreamQuery)(stream.get(), &status));
    CHECK(status == ACL_STREAM_STATUS_NOT_READY);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  REQUIRE_ACL(ACL(aclrtStreamQuery)(stream.get(), &status));
  CHECK(status == ACL_STREAM_STATUS_COMPLETE);
  CHECK(ACL(aclrtStreamQuery)(stream.get(), nullptr) == ACL_ERROR_INVALID_PARAM);
}

// The flags for fast launches and fast synchronisation, alone and together, and the priorities.
TEST_CASE("Streams can be made with flags and priorities", "[1.4/aclrtCreateStreamWithConfig]") {
  const AclSession session;
  for (const uint32_t flags : {0U, ACL_STREAM_FAST_LAUNCH, ACL_STREAM_FAST_SYNC,
                               ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC}) {
    for (const uint32_t priority : {0U, 7U}) {
      aclrtStream stream = nullptr;
      REQUIRE_ACL(ACL(aclrtCreateStreamWithConfig)(&stream, priority, flags));
      const CopyChain chain(stream);
      CHECK(ACL(aclrtSynchronizeStream)(stream) == ACL_SUCCESS);
      CHECK(chain.done());
      CHECK(ACL(aclrtDestroyStream)(stream) == ACL_SUCCESS);
    }
  }
}

// Once per stream, whichever mode it is; no other mode than 0 and 1.
TEST_CASE("A failure mode is set once per stream", "[1.4/aclrtSetStreamFailureMode]") {
  const AclSession session;
  const TestStream stopping;
  const TestStream going_on;
  const TestStream untouched;
  CHECK(ACL(aclrtSetStreamFailureMode)(stopping.get(), 1) == ACL_SUCCESS);
  CHECK(ACL(aclrtSetStreamFailureMode)(stopping.get(), 1) != ACL_SUCCESS);
  CHECK(ACL(aclrtSetStreamFailureMode)(going_on.get(), 0) == ACL_SUCCESS);
  CHECK(ACL(aclrtSetStreamFailureMode)(untouched.get(), 2) != ACL_SUCCESS);
}

// The default: a failure is told where the stream is synchronised, once, and later tasks run.
TEST_CASE("A failure surfaces at synchronisation and later tasks run",
          "[rule/failure-at-synchronisation][1.4/aclrtSynchronizeStream][needs hostacl][misuse]") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes target(256);
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(target.get(), 256, DeadAddress(), 256,
                                    ACL_MEMCPY_DEVICE_TO_DEVICE, stream.get()));
  const CopyChain chain(stream.get());
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) != ACL_SUCCESS);
  CHECK(chain.done());
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_SUCCESS);
}

// With mode 1 nothing runs after the failure.
TEST_CASE("A stream can stop at its first failure",
          "[1.4/aclrtSetStreamFailureMode][needs hostacl][misuse]") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes target(256);
  REQUIRE_ACL(ACL(aclrtSetStreamFailureMode)(stream.get(), 1));
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(target.get(), 256, DeadAddress(), 256,
                                    ACL_MEMCPY_DEVICE_TO_DEVICE, stream.get()));
  const DeviceBytes later(std::vector<uint8_t>(64, 1));
  ACL(aclrtMemsetAsync)(later.get(), 64, 2, 64, stream.get());
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) != ACL_SUCCESS);
  CHECK(later.Read<uint8_t>() == std::vector<uint8_t>(64, 1));
}

// The number is the stream's own.
TEST_CASE("Streams have numbers of their own", "[1.4/aclrtStreamGetId]") {
  const AclSession session;
  const TestStream first;
  const TestStream second;
  std::set<int32_t> numbers;
  for (aclrtStream stream : {first.get(), second.get()}) {
    int32_t number = -1;
    REQUIRE_ACL(ACL(aclrtStreamGetId)(stream, &number));
    CHECK(number >= 0);
    numbers.insert(number);
  }
  CHECK(numbers.size() == 2);
}

// A new stream takes one of those that are left, and gives it back.
TEST_CASE("The streams that are left can be counted", "[1.4/aclrtGetStreamAvailableNum]") {
  const AclSession session;
  uint32_t before = 0;
  uint32_t during = 0;
  uint32_t after = 0;
  REQUIRE_ACL(ACL(aclrtGetStreamAvailableNum)(&before));
  {
    const TestStream stream;
    REQUIRE_ACL(ACL(aclrtGetStreamAvailableNum)(&during));
  }
  REQUIRE_ACL(ACL(aclrtGetStreamAvailableNum)(&after));
  CHECK(before > 0);
  CHECK(during < before);
  CHECK(after == before);
}

// Default streams count; the first one too many is 207008.
TEST_CASE("Streams run out", "[1.4/aclrtCreateStream][needs hostacl]") {
  const AclSession session(R"({"max_streams": 3})");
  const TestStream first;
  const TestStream second;
  aclrtStream third = nullptr;
  CHECK(ACL(aclrtCreateStream)(&third) == ACL_ERROR_RT_NO_STREAM_RESOURCE);
}

// 0 is the highest priority, and no number is above 7.
TEST_CASE("Priorities have a range", "[1.4/aclrtDeviceGetStreamPriorityRange]") {
  const AclSession session;
  int32_t least = -1;
  int32_t greatest = -1;
  REQUIRE_ACL(ACL(aclrtDeviceGetStreamPriorityRange)(&least, &greatest));
  CHECK(greatest >= 0);
  CHECK(least >= greatest);
  CHECK(least <= 7);
}

}  // namespace
}  // namespace omserve::hostacl
