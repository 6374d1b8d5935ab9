// SPDX-License-Identifier: Apache-2.0
// Strict mode: what it reports, with whose names, and what it must not report.
#include <array>
#include <chrono>
#include <optional>

#include "runtime/base/clock.h"
#include "tests/runtime/hostacl/model_files.h"
#include "tests/runtime/hostacl/violation_report.h"

namespace omserve::hostacl {
namespace {

class PinnedBytes final {
 public:
  explicit PinnedBytes(size_t size_bytes) : size_bytes_(size_bytes) {
    REQUIRE_ACL(ACL(aclrtMallocHost)(&address_, size_bytes));
  }
  ~PinnedBytes() { ACL(aclrtFreeHost)(address_); }
  PinnedBytes(const PinnedBytes&) = delete;
  PinnedBytes& operator=(const PinnedBytes&) = delete;
  void* get() const { return address_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  void* address_ = nullptr;
  size_t size_bytes_;
};

class TestEvent final {
 public:
  TestEvent() { REQUIRE_ACL(ACL(aclrtCreateEventExWithFlag)(&event_, ACL_EVENT_SYNC)); }
  ~TestEvent() { ACL(aclrtDestroyEvent)(event_); }
  TestEvent(const TestEvent&) = delete;
  TestEvent& operator=(const TestEvent&) = delete;
  aclrtEvent get() const { return event_; }

 private:
  aclrtEvent event_ = nullptr;
};

aclError CopyIn(const DeviceBytes& to, const PinnedBytes& from, aclrtStream stream) {
  return ACL(aclrtMemcpyAsync)(to.get(), to.size_bytes(), from.get(), from.size_bytes(),
                               ACL_MEMCPY_HOST_TO_DEVICE, stream);
}

aclError CopyOut(const PinnedBytes& to, const DeviceBytes& from, aclrtStream stream) {
  return ACL(aclrtMemcpyAsync)(to.get(), to.size_bytes(), from.get(), from.size_bytes(),
                               ACL_MEMCPY_DEVICE_TO_HOST, stream);
}

// Awake, so that it ends on time.
void SpinFor(std::chrono::nanoseconds duration) {
  const Clock::time_point end = SteadyClock().Now() + duration;
  while (SteadyClock().Now() < end) {
  }
}

// The one report that there is; its text.
std::string OnlyReport(const ViolationReport& report, const std::string& violation) {
  const std::vector<Reported> all = report.Read();
  REQUIRE(all.size() == 1);
  CHECK(all[0].violation == violation);
  return all[0].text;
}

// A copy in on one stream, an execution on another, a copy out on a third.
struct Pipeline {
  Pipeline() : model(StaticLinearModel()), x(24), y(1024), pinned_x(24), pinned_y(1024) {}

  // `events`: whether each stream waits for the one before.
  void Run(bool copy_in_waited, bool execution_waited) {
    REQUIRE_ACL(CopyIn(x, pinned_x, in.get()));
    REQUIRE_ACL(ACL(aclrtRecordEvent)(in_done.get(), in.get()));
    if (copy_in_waited) {
      REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(compute.get(), in_done.get()));
    }
    const TestDataset input({EntryOf(x)});
    const TestDataset output({EntryOf(y)});
    REQUIRE_ACL(ACL(aclmdlExecuteAsync)(model.id(), input.get(), output.get(), compute.get()));
    REQUIRE_ACL(ACL(aclrtRecordEvent)(computed.get(), compute.get()));
    if (execution_waited) {
      REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(out.get(), computed.get()));
    }
    REQUIRE_ACL(CopyOut(pinned_y, y, out.get()));
    REQUIRE_ACL(ACL(aclrtSynchronizeDevice)());
  }

  LoadedModel model;
  DeviceBytes x;
  DeviceBytes y;
  PinnedBytes pinned_x;
  PinnedBytes pinned_y;
  TestStream in;
  TestStream compute;
  TestStream out;
  TestEvent in_done;
  TestEvent computed;
};

// Three streams in the right order over and over: nothing to say, also not at the end.
TEST_CASE("Streams ordered by events are clean") {
  const ViolationReport report;
  {
    const AclSession session(report.Settings());
    Pipeline pipeline;
    for (int i = 0; i < 3; ++i) {
      pipeline.Run(true, true);
    }
  }
  CHECK(report.Read().empty());
}

// A wait that is left out leaves the execution and the copy in unordered; the report has both.
TEST_CASE("A missing wait before an execution is reported with both tasks") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  Pipeline pipeline;
  pipeline.Run(false, true);
  const std::string text = OnlyReport(report, "unordered_access");
  CHECK_THAT(text, Catch::Contains("copy of aclrtMemcpyAsync, task 1 of stream"));
  CHECK_THAT(text, Catch::Contains("execute of model 'linear_static'"));
  CHECK_THAT(text, Catch::Contains("24 bytes of device memory from aclrtMalloc"));
}

// Likewise between the execution and the copy out.
TEST_CASE("A missing wait before a copy out is reported with both tasks") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  Pipeline pipeline;
  pipeline.Run(true, false);
  const std::string text = OnlyReport(report, "unordered_access");
  CHECK_THAT(text, Catch::Contains("execute of model 'linear_static'"));
  CHECK_THAT(text, Catch::Contains("copy of aclrtMemcpyAsync, task 1 of stream"));
}

// What the host has waited for, it may overwrite; what it has not, it may not.
TEST_CASE("The host's own copy needs a synchronisation first") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  const DeviceBytes device(64);
  const PinnedBytes pinned(64);
  const TestStream stream;
  const std::array<std::byte, 64> bytes{};
  REQUIRE_ACL(CopyIn(device, pinned, stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  REQUIRE_ACL(ACL(aclrtMemcpy)(device.get(), 64, bytes.data(), 64, ACL_MEMCPY_HOST_TO_DEVICE));
  CHECK(report.Read().empty());
  REQUIRE_ACL(CopyIn(device, pinned, stream.get()));
  REQUIRE_ACL(ACL(aclrtMemcpy)(device.get(), 64, bytes.data(), 64, ACL_MEMCPY_HOST_TO_DEVICE));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK_THAT(OnlyReport(report, "unordered_access"), Catch::Contains("the host's aclrtMemcpy"));
}

void Nothing(void*) {}

// A callback tells the host of what ran before it in its stream.
TEST_CASE("A callback orders the host after the stream") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  const DeviceBytes device(64);
  const PinnedBytes pinned(64);
  const TestStream stream;
  const std::array<std::byte, 64> bytes{};
  const auto self = static_cast<uint64_t>(pthread_self());
  REQUIRE_ACL(ACL(aclrtSubscribeReport)(self, stream.get()));
  REQUIRE_ACL(CopyIn(device, pinned, stream.get()));
  REQUIRE_ACL(ACL(aclrtLaunchCallback)(&Nothing, nullptr, ACL_CALLBACK_NO_BLOCK, stream.get()));
  REQUIRE_ACL(ACL(aclrtProcessReport)(-1));
  REQUIRE_ACL(ACL(aclrtMemcpy)(device.get(), 64, bytes.data(), 64, ACL_MEMCPY_HOST_TO_DEVICE));
  REQUIRE_ACL(ACL(aclrtUnSubscribeReport)(self, stream.get()));
  CHECK(report.Read().empty());
}

// Memory that is freed after the task ran, but without anything that says so to the program.
TEST_CASE("Freeing what a task uses is reported") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  const TestStream stream;
  const TestStream other;
  const PinnedBytes pinned(64);
  const TestEvent copied;
  {
    const DeviceBytes device(64);
    REQUIRE_ACL(CopyIn(device, pinned, stream.get()));
    REQUIRE_ACL(ACL(aclrtRecordEvent)(copied.get(), stream.get()));
    // The other stream learns of the copy; the host, which waits for an older task of it, does not.
    REQUIRE_ACL(ACL(aclrtSynchronizeStream)(other.get()));
    REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(other.get(), copied.get()));
  }
  static_cast<void>(ACL(aclrtSynchronizeDevice)());  // Fails where the copy found nothing.
  const std::vector<Reported> all = report.Read();
  REQUIRE(all.size() == 1);
  // Freed before the copy ran, the copy finds nothing; after it, nothing orders the two.
  CHECK((all[0].violation == "use_after_free" || all[0].violation == "freed_in_use"));
}

// A free at any point of the copy comes before or after it, and is reported once either way.
TEST_CASE("A free beside the copy is reported once") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  const TestStream stream;
  const DeviceBytes kept_device(64);
  const PinnedBytes kept_pinned(64);
  constexpr size_t kRounds = 600;
  for (size_t round = 0; round < kRounds; ++round) {
    std::optional<DeviceBytes> device;
    std::optional<PinnedBytes> pinned;
    if (round % 2 == 0) {
      device.emplace(64);
      REQUIRE_ACL(CopyIn(*device, kept_pinned, stream.get()));
    } else {
      pinned.emplace(64);
      REQUIRE_ACL(CopyOut(*pinned, kept_device, stream.get()));
    }
    // From well before the copy to well after it, as threads are.
    SpinFor(std::chrono::nanoseconds(round * 50));
    device.reset();
    pinned.reset();
    static_cast<void>(ACL(aclrtSynchronizeDevice)());
    CAPTURE(round);
    REQUIRE(report.Read().size() == round + 1);
  }
}

// A task that finds its memory gone names what it was and who freed it.
TEST_CASE("A use after free names the former owner") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  const TestStream stream;
  const PinnedBytes pinned(64);
  {
    StreamGate gate(stream.get());
    const DeviceBytes device(64);
    REQUIRE_ACL(CopyIn(device, pinned, stream.get()));
  }
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_ERROR_RT_SYS_DMA);
  const std::string text = OnlyReport(report, "use_after_free");
  CHECK_THAT(text, Catch::Contains("it was 64 bytes of device memory from aclrtMalloc"));
  CHECK_THAT(text, Catch::Contains("freed by the host's aclrtFree"));
}

// Pinned memory that is gone when the copy runs is an error of the task, never a read of it.
TEST_CASE("A copy from freed pinned memory fails") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  const TestStream stream;
  const DeviceBytes device(64);
  {
    StreamGate gate(stream.get());
    const PinnedBytes pinned(64);
    REQUIRE_ACL(CopyIn(device, pinned, stream.get()));
  }
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_ERROR_RT_SYS_DMA);
  CHECK_THAT(OnlyReport(report, "use_after_free"), Catch::Contains("pinned host memory"));
}

// An asynchronous copy of pageable memory is not asynchronous, which a program should know.
TEST_CASE("Pageable memory in an asynchronous copy is reported") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  const DeviceBytes device(64);
  const std::array<std::byte, 64> bytes{};
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(device.get(), 64, bytes.data(), 64, ACL_MEMCPY_HOST_TO_DEVICE,
                                    nullptr));
  OnlyReport(report, "pageable_copy");
}

// A stream of another context, a destroyed event: the call fails, and strict mode says who called.
TEST_CASE("A foreign context and a stale handle are reported") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  const TestStream stream;
  aclrtContext own = nullptr;
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtGetCurrentContext)(&own));
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 0));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_ERROR_RT_STREAM_CONTEXT);
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(own));
  REQUIRE_ACL(ACL(aclrtDestroyContext)(other));
  aclrtEvent event = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateEvent)(&event));
  REQUIRE_ACL(ACL(aclrtDestroyEvent)(event));
  CHECK(ACL(aclrtRecordEvent)(event, stream.get()) == ACL_ERROR_RT_INVALID_HANDLE);
  const std::vector<Reported> all = report.Read();
  REQUIRE(all.size() == 2);
  CHECK(all[0].violation == "wrong_context");
  CHECK_THAT(all[0].text, Catch::StartsWith("aclrtSynchronizeStream in thread"));
  CHECK(all[1].violation == "stale_handle");
}

// One model id in flight on two streams.
TEST_CASE("A model in flight on two streams is reported") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  LoadedModel model(StaticLinearModel());
  const DeviceBytes x(24);
  const DeviceBytes y(1024);
  const TestDataset input({EntryOf(x)});
  const TestDataset output({EntryOf(y)});
  const TestStream first;
  const TestStream second;
  {
    StreamGate gate(first.get());
    REQUIRE_ACL(ACL(aclmdlExecuteAsync)(model.id(), input.get(), output.get(), first.get()));
    CHECK(ACL(aclmdlExecuteAsync)(model.id(), input.get(), output.get(), second.get()) ==
          ACL_ERROR_RT_STREAM_MODEL);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(first.get()));
  CHECK_THAT(OnlyReport(report, "model_on_two_streams"), Catch::Contains("'linear_static'"));
}

// Work memory that two models share is written by both: they must not run at one time.
TEST_CASE("Shared work memory in use by two streams is reported") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  const std::string file = StaticLinearModel();
  size_t work_bytes = 0;
  size_t weight_bytes = 0;
  REQUIRE_ACL(ACL(aclmdlQuerySizeFromMem)(file.data(), file.size(), &work_bytes, &weight_bytes));
  const DeviceBytes work(work_bytes);
  std::array<uint32_t, 2> ids{};
  const DeviceBytes x(24);
  const DeviceBytes y0(1024);
  const DeviceBytes y1(1024);
  const TestDataset input({EntryOf(x)});
  const std::array<TestDataset, 2> outputs{TestDataset({EntryOf(y0)}), TestDataset({EntryOf(y1)})};
  std::array<TestStream, 2> streams;
  for (size_t i = 0; i < 2; ++i) {
    REQUIRE_ACL(ACL(aclmdlLoadFromMemWithMem)(file.data(), file.size(), &ids[i], work.get(),
                                              work_bytes, nullptr, 0));
    REQUIRE_ACL(ACL(aclmdlExecuteAsync)(ids[i], input.get(), outputs[i].get(), streams[i].get()));
  }
  for (size_t i = 0; i < 2; ++i) {
    REQUIRE_ACL(ACL(aclrtSynchronizeStream)(streams[i].get()));
    REQUIRE_ACL(ACL(aclmdlUnload)(ids[i]));
  }
  OnlyReport(report, "unordered_access");
}

// What is still there when AscendCL is finalised, each with who made it.
TEST_CASE("Leaks at finalize are reported with their owner") {
  const ViolationReport report;
  {
    const AclSession session(report.Settings());
    void* memory = nullptr;
    void* pinned = nullptr;
    aclrtStream stream = nullptr;
    aclrtEvent event = nullptr;
    uint32_t model = 0;
    const std::string file = StaticLinearModel();
    REQUIRE_ACL(ACL(aclrtMalloc)(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST));
    REQUIRE_ACL(ACL(aclrtMallocHost)(&pinned, 200));
    REQUIRE_ACL(ACL(aclrtCreateStream)(&stream));
    REQUIRE_ACL(ACL(aclrtCreateEvent)(&event));
    REQUIRE_ACL(ACL(aclmdlLoadFromMem)(file.data(), file.size(), &model));
    REQUIRE(ACL(aclmdlCreateDataset)() != nullptr);
  }
  const std::vector<Reported> all = report.Read();
  const std::array<std::string, 6> expected{
      "100 bytes of device memory from aclrtMalloc, thread '",
      "200 bytes of pinned host memory from aclrtMallocHost, thread '",
      "stream from aclrtCreateStream, thread '",
      "event from aclrtCreateEvent, thread '",
      "loaded model from aclmdlLoadFromMem, thread '",
      "dataset from aclmdlCreateDataset, thread '"};
  REQUIRE(all.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(all[i].violation == "leak");
    CHECK_THAT(all[i].text, Catch::StartsWith(expected[i]));
    // The place in this program, not in the library.
    CHECK_THAT(all[i].text, Catch::Contains("hostacl_strict_test"));
  }
}

}  // namespace
}  // namespace omserve::hostacl
