// SPDX-License-Identifier: Apache-2.0
// The device under fault rules, as a program sees it through the C functions.
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "tests/runtime/hostacl/model_files.h"
#include "tests/status_test_util.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kBytes = 24;

// A model, its buffers and a stream to run it in.
struct Work {
  Work()
      : model(StaticLinearModel()),
        x(std::vector<float>{1, 2, 3, -0.5F, 0.25F, 4}),
        y(2 * 128 * sizeof(float)),
        input({EntryOf(x)}),
        output({EntryOf(y)}) {}

  aclError Execute() {
    return ACL(aclmdlExecuteAsync)(model.id(), input.get(), output.get(), stream.get());
  }
  aclError Fill() { return ACL(aclrtMemsetAsync)(x.get(), kBytes, 0, kBytes, stream.get()); }
  aclError Copy() {
    return ACL(aclrtMemcpyAsync)(y.get(), kBytes, x.get(), kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE,
                                 stream.get());
  }
  aclError Synchronize() { return ACL(aclrtSynchronizeStream)(stream.get()); }
  // Whether it does not end while the file of rules is looked at twice.
  bool IsHeld() {
    return ACL(aclrtSynchronizeStreamWithTimeout)(stream.get(), 120) ==
           ACL_ERROR_RT_STREAM_SYNC_TIMEOUT;
  }

  TestStream stream;
  LoadedModel model;
  DeviceBytes x;
  DeviceBytes y;
  TestDataset input;
  TestDataset output;
};

// The file of rules, which no look finds half written; gives its path.
std::string WriteFaults(const std::string& rules) {
  std::string path = (std::filesystem::current_path() / "faults.json").string();
  REQUIRE_OK(WriteFileAtomically(path, rules));
  return path;
}

aclrtDeviceStatus StatusOfDevice() {
  aclrtDeviceStatus status = ACL_RT_DEVICE_STATUS_END;
  REQUIRE_ACL(ACL(aclrtQueryDeviceStatus)(0, &status));
  return status;
}

// The codes that the exception callback was told.
std::vector<uint32_t>& Exceptions() {
  static std::vector<uint32_t> codes;
  return codes;
}

// The call answers with the code and does nothing; the text names the function.
TEST_CASE("A call fails on demand") {
  const AclSession session(
      R"({"faults": [{"call": "aclrtMemsetAsync", "nth": 2, "code": 507899}]})");
  Work work;
  REQUIRE_ACL(work.Fill());
  RecentError();
  CHECK(work.Fill() == 507899);
  CHECK_THAT(RecentError(), Catch::Contains("507899: aclrtMemsetAsync: fault rule 0"));
  REQUIRE_ACL(work.Fill());
  REQUIRE_ACL(work.Synchronize());
}

// A failing task is told as a chip tells it: by the exception callback and by synchronising.
TEST_CASE("A task fails on demand") {
  const AclSession session(
      R"({"faults": [{"task": "execute", "nth": 2, "code": 507015},
                     {"task": "copy", "nth": 2, "code": 507013}]})");
  Exceptions().clear();
  REQUIRE_ACL(ACL(aclrtSetExceptionInfoCallback)([](aclrtExceptionInfo* info) {
    Exceptions().push_back(ACL(aclrtGetErrorCodeFromExceptionInfo)(info));
  }));
  Work work;
  REQUIRE_ACL(work.Execute());
  REQUIRE_ACL(work.Copy());
  REQUIRE_ACL(work.Synchronize());
  REQUIRE_ACL(work.Execute());
  CHECK(work.Synchronize() == 507015);
  REQUIRE_ACL(work.Copy());
  CHECK(work.Synchronize() == 507013);
  REQUIRE_ACL(work.Execute());
  REQUIRE_ACL(work.Synchronize());
  CHECK(Exceptions() == std::vector<uint32_t>{507015, 507013});
}

// A hung stream does not end by itself and keeps what comes behind; destroying it by force ends it,
// and other streams never noticed.
TEST_CASE("A stream hangs on demand") {
  const AclSession session(R"({"faults": [{"task": "execute", "hang": true}]})");
  Work other;
  Work work;
  REQUIRE_ACL(work.Execute());
  REQUIRE_ACL(work.Copy());
  CHECK(ACL(aclrtSynchronizeStreamWithTimeout)(work.stream.get(), 50) ==
        ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  REQUIRE_ACL(other.Copy());
  REQUIRE_ACL(other.Synchronize());
  REQUIRE_ACL(ACL(aclrtDestroyStreamForce)(work.stream.get()));
}

// A held task begins when the file has rules that let it, and is right; other streams never
// noticed, and a file that is wrong for a while lets go of nothing. A stream that is destroyed by
// force lets go of what it holds.
TEST_CASE("A stream is held until it is told to go on") {
  const std::string held = R"([{"task": "execute", "hold": true, "times": 0}])";
  const std::string path = WriteFaults(held);
  const AclSession session("{\"faults_file\": \"" + path + "\"}");
  Work other;
  Work work;
  REQUIRE_ACL(work.Execute());
  REQUIRE_ACL(other.Copy());
  REQUIRE_ACL(other.Synchronize());
  CHECK(work.IsHeld());
  // Other rules that hold it too, and none that can be obeyed.
  for (const std::string& rules : {held + "\n", held.substr(0, 9), std::string()}) {
    WriteFaults(rules);
    CHECK(work.IsHeld());
  }
  WriteFaults("[]");
  REQUIRE_ACL(work.Synchronize());
  CHECK(work.y.Read<float>() == LinearAnswer({1, 2, 3, -0.5F, 0.25F, 4}));
  WriteFaults(held);
  while (work.Execute() == ACL_SUCCESS && !work.IsHeld()) {
  }
  REQUIRE_ACL(ACL(aclrtDestroyStreamForce)(work.stream.get()));
}

// The rules of a file that is gone are gone with it.
TEST_CASE("A stream that is held goes on without the file") {
  const std::string path = WriteFaults(R"([{"task": "execute", "hold": true, "times": 0}])");
  const AclSession session("{\"faults_file\": \"" + path + "\"}");
  Work work;
  REQUIRE_ACL(work.Execute());
  CHECK(work.IsHeld());
  std::filesystem::remove(path);
  REQUIRE_ACL(work.Synchronize());
}

// Rules of the settings hold a task until the file is another, whatever they say of the next one.
TEST_CASE("The settings hold a stream until a file changes") {
  const std::string path = WriteFaults("[]");
  const AclSession session(
      R"({"faults": [{"task": "execute", "hold": true, "times": 0}], "faults_file": ")" + path +
      "\"}");
  Work work;
  for (const char* rules : {"[ ]", "[]"}) {
    REQUIRE_ACL(work.Execute());
    CHECK(work.IsHeld());
    WriteFaults(rules);
    REQUIRE_ACL(work.Synchronize());
  }
}

// Of the settings' rules "nth" is the number of a task, also where one was held and is asked anew.
TEST_CASE("A task that is held counts once") {
  const std::string held = R"([{"task": "execute", "hold": true, "times": 0}])";
  const std::string path = WriteFaults(held);
  const AclSession session(
      R"({"faults": [{"task": "execute", "nth": 2, "code": 507015}], "faults_file": ")" + path +
      "\"}");
  Work work;
  REQUIRE_ACL(work.Execute());
  CHECK(work.IsHeld());
  WriteFaults(held + "\n");
  CHECK(work.IsHeld());
  WriteFaults("[]");
  REQUIRE_ACL(work.Synchronize());
  REQUIRE_ACL(work.Execute());
  CHECK(work.Synchronize() == 507015);
}

// A slow task takes its factor of the time, and is right. No execution takes less than 1 us.
TEST_CASE("A task is slow on demand") {
  const AclSession session(R"({"faults": [{"task": "execute", "slow": 2000.0, "nth": 2}]})");
  Work work;
  REQUIRE_ACL(work.Execute());
  REQUIRE_ACL(work.Synchronize());
  const Clock::time_point start = SteadyClock().Now();
  REQUIRE_ACL(work.Execute());
  REQUIRE_ACL(work.Synchronize());
  CHECK(SteadyClock().Now() - start > std::chrono::milliseconds(2));
  CHECK(work.y.Read<float>() == LinearAnswer({1, 2, 3, -0.5F, 0.25F, 4}));
}

// Beyond the given number of bytes there is no device memory, and below it there is.
TEST_CASE("Memory runs out on demand") {
  const AclSession session(R"({"faults": [{"memory": "exhausted", "after_bytes": 4096}]})");
  void* large = nullptr;
  CHECK(ACL(aclrtMalloc)(&large, 8192, ACL_MEM_MALLOC_HUGE_FIRST) ==
        ACL_ERROR_RT_MEMORY_ALLOCATION);
  const DeviceBytes small(2048);
  CHECK(ACL(aclrtMalloc)(&large, 4096, ACL_MEM_MALLOC_HUGE_FIRST) ==
        ACL_ERROR_RT_MEMORY_ALLOCATION);
}

// Once lost, every task and every call on the device answers the code; after a reset and a new
// start everything is as on the first day, the memory included.
TEST_CASE("A lost device comes back by a reset") {
  const AclSession session(
      R"({"memory_bytes": 1048576, "faults": [{"device_lost": 507010, "task": "execute"}]})");
  {
    aclrtStream stream = nullptr;
    REQUIRE_ACL(ACL(aclrtCreateStream)(&stream));
    void* most = nullptr;
    REQUIRE_ACL(ACL(aclrtMalloc)(&most, 900'000, ACL_MEM_MALLOC_HUGE_FIRST));
    aclrtEvent event = nullptr;
    REQUIRE_ACL(ACL(aclrtCreateEvent)(&event));
    Work work;
    CHECK(StatusOfDevice() == ACL_RT_DEVICE_STATUS_NORMAL);
    REQUIRE_ACL(work.Fill());
    REQUIRE_ACL(work.Execute());
    CHECK(work.Synchronize() == 507010);
    CHECK(work.Fill() == 507010);
    CHECK(work.Execute() == 507010);
    void* address = nullptr;
    CHECK(ACL(aclrtMalloc)(&address, 64, ACL_MEM_MALLOC_HUGE_FIRST) == 507010);
    CHECK(ACL(aclrtSynchronizeStream)(stream) == 507010);
    CHECK(ACL(aclrtRecordEvent)(event, stream) == 507010);
    CHECK(StatusOfDevice() == ACL_RT_DEVICE_STATUS_ABNORMAL);
  }
  REQUIRE_ACL(ACL(aclrtResetDeviceForce)(0));
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
  CHECK(StatusOfDevice() == ACL_RT_DEVICE_STATUS_NORMAL);
  const DeviceBytes most(900'000);
  Work work;
  REQUIRE_ACL(work.Execute());
  REQUIRE_ACL(work.Synchronize());
  CHECK(work.y.Read<float>() == LinearAnswer({1, 2, 3, -0.5F, 0.25F, 4}));
}

// A reset by force does not wait for a stream that hangs.
TEST_CASE("A reset by force ends a hung stream") {
  const AclSession session(R"({"faults": [{"task": "execute", "hang": true}]})");
  {
    Work work;
    REQUIRE_ACL(work.Execute());
    REQUIRE_ACL(ACL(aclrtResetDeviceForce)(0));
  }
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
  Work work;
  REQUIRE_ACL(work.Fill());
  REQUIRE_ACL(work.Copy());
  REQUIRE_ACL(work.Synchronize());
}

// Rules in a file take effect while the program runs, end with the file, and stay while it is
// wrong.
TEST_CASE("Faults come from a file that changes") {
  const std::string path = WriteFaults("[]");
  const AclSession session("{\"faults_file\": \"" + path + "\"}");
  Work work;
  // Looked at by calls, every 50 ms at most.
  const auto fill_becomes = [&work](aclError wanted) {
    const Clock::time_point patience = SteadyClock().Now() + std::chrono::seconds(10);
    aclError code = work.Fill();
    while (code != wanted && SteadyClock().Now() < patience) {
      ACL(aclrtSynchronizeStreamWithTimeout)(work.stream.get(), 5);
      code = work.Fill();
    }
    CHECK(code == wanted);
  };
  REQUIRE_ACL(work.Fill());
  WriteFaults(R"({"faults": [{"call": "aclrtMemsetAsync", "code": 507001, "times": 0}]})");
  fill_becomes(507001);
  WriteFaults(R"([{"call": "aclrtMemset"}])");
  const Clock::time_point looked = SteadyClock().Now() + std::chrono::milliseconds(120);
  while (SteadyClock().Now() < looked) {
    REQUIRE(work.Fill() == 507001);
  }
  WriteFaults(R"([{"call": "aclrtMemsetAsync", "code": 507002, "times": 0}])");
  fill_becomes(507002);
  std::filesystem::remove(path);
  fill_becomes(ACL_SUCCESS);
  REQUIRE_ACL(work.Synchronize());
}

// A rule that is wrong keeps AscendCL from starting, and says where.
TEST_CASE("Settings with wrong faults are refused") {
  const std::string file = WriteTextFile(
      "acl.json", R"({"hostacl": {"faults": [{"call": "aclrtMemcpyAsinc", "code": 507000}]}})");
  CHECK(ACL(aclInit)(file.c_str()) == ACL_ERROR_FILE_ATTR_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("faults[0]: 'call' is 'aclrtMemcpyAsinc'"));
}

// What is held without a file that lets it go would be held for ever.
TEST_CASE("Settings that hold a task without a file of faults are refused") {
  const std::string file =
      WriteTextFile("acl.json", R"({"hostacl": {"faults": [{"task": "any", "slow": 2.0},
                                             {"task": "execute", "hold": true}]}})");
  CHECK(ACL(aclInit)(file.c_str()) == ACL_ERROR_FILE_ATTR_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("faults[1]: 'hold' is there, but no 'faults_file'"));
}

}  // namespace
}  // namespace omserve::hostacl
