// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/base/mutex.h"
#include "tests/runtime/acl/acl_fixture.h"

namespace omserve::acl {
namespace {

using Catch::Matchers::Contains;
using testing::OpenDevice;
using testing::OpenedDevice;

// What the notifications of a test write down.
class Diary {
 public:
  struct Note {
    Diary* diary;
    int number;
  };
  static void Write(void* argument) {
    const Note& note = *static_cast<const Note*>(argument);
    std::array<char, 16> name = {};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    MutexLock lock(note.diary->mu_);
    note.diary->numbers_.push_back(note.number);
    note.diary->thread_ = name.data();
    note.diary->written_.NotifyAll();
  }
  // Blocks until `count` notes are there.
  std::vector<int> Await(size_t count) {
    MutexLock lock(mu_);
    while (numbers_.size() < count) {
      written_.Wait(mu_);
    }
    return numbers_;
  }
  std::string thread() {
    MutexLock lock(mu_);
    return thread_;
  }

 private:
  Mutex mu_;
  CondVar written_;
  std::vector<int> numbers_ ABSL_GUARDED_BY(mu_);
  std::string thread_ ABSL_GUARDED_BY(mu_);
};

// Functions run in the stream's order, after the tasks before them, on the device's own thread.
TEST_CASE("notifications run in order on the completion thread") {
  const OpenedDevice opened = OpenDevice();
  const Device& device = *opened.device;
  const HostBuffer host = VALUE(device.AllocateHost(4096));
  const DeviceBuffer buffer = testing::ToDevice(device, std::vector<uint32_t>(1024, 5));
  Stream stream = VALUE(device.CreateStream());
  const std::unique_ptr<CompletionThread> completion = VALUE(CompletionThread::Start(device));
  REQUIRE_OK(completion->Subscribe(stream));
  Diary diary;
  std::vector<Diary::Note> notes;
  for (int i = 0; i < 20; ++i) {
    notes.push_back({&diary, i});
  }
  REQUIRE_OK(stream.CopyToHost(host.bytes(), buffer.get()));
  for (Diary::Note& note : notes) {
    REQUIRE_OK(stream.Notify(&Diary::Write, &note));
  }
  const std::vector<int> numbers = diary.Await(notes.size());
  CHECK(host.bytes()[4092] == std::byte{5});
  for (int i = 0; i < 20; ++i) {
    CHECK(numbers[static_cast<size_t>(i)] == i);
  }
  CHECK(diary.thread() == "acl-report-0");
  REQUIRE_OK(stream.Synchronize());
  REQUIRE_OK(completion->Unsubscribe(stream));
}

// One thread serves several streams, and goes on when they leave and others come.
TEST_CASE("streams come to the completion thread and leave it") {
  const OpenedDevice opened = OpenDevice();
  const std::unique_ptr<CompletionThread> completion =
      VALUE(CompletionThread::Start(*opened.device));
  for (int round = 0; round < 3; ++round) {
    Stream first = VALUE(opened.device->CreateStream());
    Stream second = VALUE(opened.device->CreateStream());
    REQUIRE_OK(completion->Subscribe(first));
    REQUIRE_OK(completion->Subscribe(second));
    Diary diary;
    Diary::Note note = {&diary, round};
    REQUIRE_OK(first.Notify(&Diary::Write, &note));
    REQUIRE_OK(second.Notify(&Diary::Write, &note));
    CHECK(diary.Await(2) == std::vector<int>{round, round});
    REQUIRE_OK(first.Synchronize());
    REQUIRE_OK(second.Synchronize());
    REQUIRE_OK(completion->Unsubscribe(first));
    REQUIRE_OK(completion->Unsubscribe(second));
  }
}

// A thread that never had a stream stops at once, and so does one whose streams have left.
TEST_CASE("a completion thread stops") {
  const OpenedDevice opened = OpenDevice();
  { const auto unused = VALUE(CompletionThread::Start(*opened.device)); }
  const std::unique_ptr<CompletionThread> used = VALUE(CompletionThread::Start(*opened.device));
  Stream stream = VALUE(opened.device->CreateStream());
  REQUIRE_OK(used->Subscribe(stream));
  REQUIRE_OK(used->Unsubscribe(stream));
}

// A stream that was not subscribed cannot notify, and says so.
TEST_CASE("a notification needs a subscription") {
  const OpenedDevice opened = OpenDevice();
  Stream stream = VALUE(opened.device->CreateStream());
  Diary diary;
  Diary::Note note = {&diary, 1};
  const absl::Status status = stream.Notify(&Diary::Write, &note);
  CHECK(status.code() == absl::StatusCode::kInternal);
  CHECK_THAT(std::string(MessageOf(status)), Contains("aclrtLaunchCallback") && Contains("107015"));
}

// One stream has one thread: a second subscription is refused, the first stays.
TEST_CASE("a stream is subscribed once") {
  const OpenedDevice opened = OpenDevice();
  const std::unique_ptr<CompletionThread> completion =
      VALUE(CompletionThread::Start(*opened.device));
  Stream stream = VALUE(opened.device->CreateStream());
  REQUIRE_OK(completion->Subscribe(stream));
  CHECK(completion->Subscribe(stream).code() == absl::StatusCode::kInternal);
  Diary diary;
  Diary::Note note = {&diary, 1};
  REQUIRE_OK(stream.Notify(&Diary::Write, &note));
  CHECK(diary.Await(1) == std::vector<int>{1});
  REQUIRE_OK(completion->Unsubscribe(stream));
  CHECK_FALSE(completion->Unsubscribe(stream).ok());
}

}  // namespace
}  // namespace omserve::acl
