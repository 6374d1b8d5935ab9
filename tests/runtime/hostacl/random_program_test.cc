// SPDX-License-Identifier: Apache-2.0
// Random programs on the CPU device: their effects come in an order that AscendCL allows, strict
// mode is silent about them, and speaks when one wait too few is in them.
#include "tests/runtime/hostacl/random_program.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "tests/runtime/hostacl/violation_report.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kBufferBytes = 256;

// A number of a failed call instead of Catch's macros, which only one thread may use.
class FirstError final {
 public:
  void Note(aclError code) {
    aclError none = ACL_SUCCESS;
    // Relaxed: read after the threads were joined.
    first_.compare_exchange_strong(none, code, std::memory_order_relaxed);
  }
  aclError get() const { return first_.load(std::memory_order_relaxed); }

 private:
  std::atomic<aclError> first_{ACL_SUCCESS};
};

// Runs one program in the calling thread, which has a context.
class ProgramRun final {
 public:
  explicit ProgramRun(const Program& program)
      : program_(program), marks_(program.operations().size()) {
    const ProgramShape& shape = program.shape();
    streams_.resize(shape.streams);
    events_.resize(shape.events);
    buffers_.resize(program.buffers());
  }

  void Run() {
    Begin();
    for (size_t i = 0; i < program_.operations().size(); ++i) {
      Do(i, program_.operations()[i]);
    }
    errors_.Note(ACL(aclrtSynchronizeDevice)());
    ReadBack();
    End();
  }

  aclError error() const { return errors_.get(); }
  // Of each buffer its value, or 256 where its bytes are not all the same.
  const std::vector<int>& values() const { return values_; }
  // When a mark ran; 0 for other operations.
  uint64_t mark(size_t operation) const { return marks_[operation].at; }

 private:
  struct Mark {
    std::atomic<uint64_t>* ticks = nullptr;
    uint64_t at = 0;
  };

  static void SetMark(void* mark) {
    auto* self = static_cast<Mark*>(mark);
    self->at = self->ticks->fetch_add(1, std::memory_order_relaxed) + 1;
  }

  void Begin() {
    // Reports come to this thread's own helper, which needs no context.
    reporter_ = std::thread([this] {
      reporter_id_.store(static_cast<uint64_t>(pthread_self()), std::memory_order_release);
      while (!stop_.load(std::memory_order_acquire)) {
        const aclError code = ACL(aclrtProcessReport)(10);
        if (code == ACL_ERROR_RT_THREAD_SUBSCRIBE) {
          std::this_thread::yield();
        }
      }
    });
    while (reporter_id_.load(std::memory_order_acquire) == 0) {
      std::this_thread::yield();
    }
    for (aclrtStream& stream : streams_) {
      errors_.Note(ACL(aclrtCreateStream)(&stream));
      errors_.Note(ACL(aclrtSubscribeReport)(reporter_id_.load(), stream));
    }
    for (aclrtEvent& event : events_) {
      errors_.Note(ACL(aclrtCreateEventExWithFlag)(&event, ACL_EVENT_SYNC));
    }
    for (size_t i = 0; i < buffers_.size(); ++i) {
      errors_.Note(program_.is_pinned(i)
                       ? ACL(aclrtMallocHost)(&buffers_[i], kBufferBytes)
                       : ACL(aclrtMalloc)(&buffers_[i], kBufferBytes, ACL_MEM_MALLOC_HUGE_FIRST));
      errors_.Note(ACL(aclrtMemset)(buffers_[i], kBufferBytes, 0, kBufferBytes));
    }
  }

  void Do(size_t index, const Operation& operation) {
    using Kind = Operation::Kind;
    const aclrtStream stream = streams_[operation.stream];
    const aclrtEvent event = events_[operation.event];
    void* const target = buffers_[operation.target];
    void* const source = buffers_[operation.source];
    switch (operation.kind) {
      case Kind::kFill:
        return errors_.Note(
            ACL(aclrtMemsetAsync)(target, kBufferBytes, operation.value, kBufferBytes, stream));
      case Kind::kCopy:
        return errors_.Note(ACL(aclrtMemcpyAsync)(target, kBufferBytes, source, kBufferBytes,
                                                  ACL_MEMCPY_DEFAULT, stream));
      case Kind::kRecord:
        return errors_.Note(ACL(aclrtRecordEvent)(event, stream));
      case Kind::kWait:
        return errors_.Note(ACL(aclrtStreamWaitEvent)(stream, event));
      case Kind::kMark:
        marks_[index].ticks = &ticks_;
        return errors_.Note(
            operation.as_callback
                ? ACL(aclrtLaunchCallback)(&ProgramRun::SetMark, &marks_[index], ACL_CALLBACK_BLOCK,
                                           stream)
                : ACL(aclrtLaunchHostFunc)(stream, &ProgramRun::SetMark, &marks_[index]));
      case Kind::kSyncStream:
        return errors_.Note(ACL(aclrtSynchronizeStream)(stream));
      case Kind::kSyncEvent:
        return errors_.Note(ACL(aclrtSynchronizeEvent)(event));
      case Kind::kSyncDevice:
        return errors_.Note(ACL(aclrtSynchronizeDevice)());
      case Kind::kHostFill:
        return errors_.Note(ACL(aclrtMemset)(target, kBufferBytes, operation.value, kBufferBytes));
      case Kind::kHostCopy:
        return errors_.Note(
            ACL(aclrtMemcpy)(target, kBufferBytes, source, kBufferBytes, ACL_MEMCPY_DEFAULT));
    }
  }

  void ReadBack() {
    std::vector<uint8_t> bytes(kBufferBytes);
    for (void* buffer : buffers_) {
      errors_.Note(
          ACL(aclrtMemcpy)(bytes.data(), kBufferBytes, buffer, kBufferBytes, ACL_MEMCPY_DEFAULT));
      const bool same = std::all_of(bytes.begin(), bytes.end(),
                                    [&bytes](uint8_t byte) { return byte == bytes[0]; });
      values_.push_back(same ? bytes[0] : 256);
    }
  }

  void End() {
    for (aclrtStream stream : streams_) {
      errors_.Note(ACL(aclrtUnSubscribeReport)(reporter_id_.load(), stream));
      errors_.Note(ACL(aclrtDestroyStream)(stream));
    }
    stop_.store(true, std::memory_order_release);
    reporter_.join();
    for (aclrtEvent event : events_) {
      errors_.Note(ACL(aclrtDestroyEvent)(event));
    }
    for (size_t i = 0; i < buffers_.size(); ++i) {
      errors_.Note(program_.is_pinned(i) ? ACL(aclrtFreeHost)(buffers_[i])
                                         : ACL(aclrtFree)(buffers_[i]));
    }
  }

  const Program& program_;
  FirstError errors_;
  std::atomic<uint64_t> ticks_{0};
  std::vector<Mark> marks_;
  std::vector<aclrtStream> streams_;
  std::vector<aclrtEvent> events_;
  std::vector<void*> buffers_;
  std::vector<int> values_;
  std::atomic<uint64_t> reporter_id_{0};
  std::atomic<bool> stop_{false};
  std::thread reporter_;
};

// Marks run in every order that the program fixes, and buffers hold what it says.
void CheckAgainstOracle(const Program& program, const ProgramRun& run) {
  REQUIRE(run.error() == ACL_SUCCESS);
  const std::vector<uint8_t> expected = program.Outcome();
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(run.values()[i] == expected[i]);
  }
  const Program::Order order = program.ComputeOrder();
  size_t pairs = 0;
  for (size_t second = 0; second < program.operations().size(); ++second) {
    for (size_t first = 0; run.mark(second) != 0 && first < second; ++first) {
      if (run.mark(first) != 0 && Program::Before(order, first, second)) {
        REQUIRE(run.mark(first) < run.mark(second));
        ++pairs;
      }
    }
  }
  CHECK(pairs > 0);
}

// OMSERVE_SEED replays one program; else the first few are run.
std::vector<uint32_t> Seeds(uint32_t count) {
  const char* given = std::getenv("OMSERVE_SEED");
  if (given != nullptr) {
    return {static_cast<uint32_t>(std::strtoul(given, nullptr, 10))};
  }
  std::vector<uint32_t> seeds(count);
  for (uint32_t i = 0; i < count; ++i) {
    seeds[i] = i;
  }
  return seeds;
}

// The generator's own promise.
TEST_CASE("Generated programs have no race and dropping a link gives one") {
  size_t racy = 0;
  for (const uint32_t seed : Seeds(5)) {
    const Program program = Program::Generate(seed, {});
    INFO("seed " << seed);
    CHECK_FALSE(program.HasRace());
    for (size_t i = 0; i < program.operations().size(); ++i) {
      racy += program.operations()[i].kind == Operation::Kind::kWait && program.Without(i).HasRace()
                  ? 1
                  : 0;
    }
  }
  CHECK(racy > 5);
}

// One host thread drives 64 streams.
TEST_CASE("Random programs over 64 streams have the effects that their order fixes") {
  const ProgramShape shape{
      .streams = 64, .device_buffers = 40, .pinned_buffers = 20, .events = 48, .operations = 1500};
  for (const uint32_t seed : Seeds(4)) {
    INFO("seed " << seed);
    const AclSession session;
    const Program program = Program::Generate(seed, shape);
    ProgramRun run(program);
    run.Run();
    CheckAgainstOracle(program, run);
  }
}

// Four host threads with 16 streams each, each in a context of its own.
TEST_CASE("Random programs in several contexts do not disturb each other") {
  constexpr size_t kThreads = 4;
  const ProgramShape shape{
      .streams = 16, .device_buffers = 20, .pinned_buffers = 10, .events = 16, .operations = 600};
  for (const uint32_t seed : Seeds(3)) {
    INFO("seed " << seed);
    const AclSession session;
    std::vector<Program> programs;
    std::vector<std::unique_ptr<ProgramRun>> runs;
    for (uint32_t i = 0; i < kThreads; ++i) {
      programs.push_back(Program::Generate(seed * 100 + i, shape));
    }
    std::vector<aclrtContext> contexts(kThreads);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      runs.push_back(std::make_unique<ProgramRun>(programs[i]));
      REQUIRE_ACL(ACL(aclrtCreateContext)(&contexts[i], 0));
      threads.emplace_back([&run = *runs[i], context = contexts[i]] {
        if (ACL(aclrtSetCurrentContext)(context) == ACL_SUCCESS) {
          run.Run();
        }
      });
    }
    for (size_t i = 0; i < kThreads; ++i) {
      threads[i].join();
      CheckAgainstOracle(programs[i], *runs[i]);
      REQUIRE_ACL(ACL(aclrtDestroyContext)(contexts[i]));
    }
  }
}

// What is ordered is not reported, however it happened to run.
TEST_CASE("Strict mode is silent about programs without a race") {
  for (const uint32_t seed : Seeds(20)) {
    INFO("seed " << seed);
    const ViolationReport report;
    const Program program = Program::Generate(seed, {});
    {
      const AclSession session(report.Settings());
      ProgramRun run(program);
      run.Run();
      CheckAgainstOracle(program, run);
    }
    for (const Reported& reported : report.Read()) {
      FAIL_CHECK(reported.violation << ": " << reported.text);
    }
  }
}

#ifndef OMSERVE_NO_PLANTED_RACES
// A program from which one wait was dropped that it needs: the race is reported, whether or not it
// happened in this run.
TEST_CASE("Strict mode reports a program with one wait too few") {
  // Marks are host code, in which the host learns what their streams did: by luck one may run just
  // where it orders what the dropped wait did, so programs here have none.
  size_t tried = 0;
  for (const uint32_t seed : Seeds(40)) {
    Program program = Program::Generate(seed, {.operations = 150});
    for (size_t i = program.operations().size(); i-- > 0;) {
      if (program.operations()[i].kind == Operation::Kind::kMark) {
        program = program.Without(i);
      }
    }
    std::vector<size_t> needed;
    for (size_t i = 0; i < program.operations().size(); ++i) {
      if (program.operations()[i].kind == Operation::Kind::kWait && program.Without(i).HasRace()) {
        needed.push_back(i);
      }
    }
    if (needed.empty()) {
      continue;
    }
    std::mt19937 random(seed);
    const size_t dropped = needed[random() % needed.size()];
    INFO("seed " << seed << ", dropped operation " << dropped);
    const ViolationReport report;
    {
      const AclSession session(report.Settings());
      const Program broken = program.Without(dropped);
      ProgramRun run(broken);
      run.Run();
    }
    const std::vector<Reported> all = report.Read();
    CHECK(std::any_of(all.begin(), all.end(), [](const Reported& reported) {
      return reported.violation == "unordered_access";
    }));
    ++tried;
  }
  CHECK(tried > 0);
}
#endif

}  // namespace
}  // namespace omserve::hostacl
