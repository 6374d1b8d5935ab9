// SPDX-License-Identifier: Apache-2.0
// 1.1: init, finalise, their counts; versions, names and error texts.
#include <array>
#include <string>

#include "tests/runtime/hostacl/contract/fixture.h"
#include "tests/runtime/hostacl/contract/rows.h"

namespace omserve::hostacl {
namespace {

// Every library has them, whatever came later.
TEST_CASE("The classic functions are there", "[rule/classic-set]") {
  std::vector<std::string> missing;
  for (const ContractRow& row : ContractRows()) {
    const std::string name(row.name);
    if (!row.is_rule() && !IsOptional(row) && FindAclSymbol(name.c_str()) == nullptr) {
      missing.push_back(name);
    }
  }
  CHECK(missing == std::vector<std::string>());
}

// The file that the command line names, where there is one, as in AclSession.
const char* DefaultConfig() { return Target().config.c_str(); }

uint32_t DeviceCount() {
  uint32_t count = 0;
  REQUIRE_ACL(ACL(aclrtGetDeviceCount)(&count));
  return count;
}

// No file, an empty name and an empty object mean the defaults.
TEST_CASE("aclInit takes null and an empty name and an empty object", "[1.1/aclInit]") {
  const std::string empty = WriteTextFile("empty.json", "{}");
  for (const char* path : {static_cast<const char*>(nullptr), "", empty.c_str()}) {
    REQUIRE_ACL(ACL(aclInit)(path));
    CHECK(DeviceCount() >= 1);
    REQUIRE_ACL(ACL(aclFinalize)());
  }
}

// The second call answers 100002, which callers may ignore.
TEST_CASE("A second aclInit answers 100002", "[1.1/aclInit]") {
  REQUIRE_ACL(ACL(aclInit)(DefaultConfig()));
  CHECK(ACL(aclInit)(DefaultConfig()) == ACL_ERROR_REPEAT_INITIALIZE);
  CHECK(DeviceCount() >= 1);
  REQUIRE_ACL(ACL(aclFinalize)());
}

// And it counts all the same: each needs its aclFinalizeReference, the last of which tears down.
TEST_CASE("A second aclInit counts", "[1.1/aclInit][1.1/aclFinalizeReference]") {
  REQUIRE_ACL(ACL(aclInit)(DefaultConfig()));
  CHECK(ACL(aclInit)(DefaultConfig()) == ACL_ERROR_REPEAT_INITIALIZE);
  uint64_t left = 99;
  REQUIRE_ACL(ACL(aclFinalizeReference)(&left));
  CHECK(left == 1);
  CHECK(DeviceCount() >= 1);
  REQUIRE_ACL(ACL(aclFinalizeReference)(&left));
  CHECK(left == 0);
  CHECK(ACL(aclFinalize)() == ACL_ERROR_REPEAT_FINALIZE);
}

// The count is only given to those who ask.
TEST_CASE("aclFinalizeReference takes a null count", "[1.1/aclFinalizeReference]") {
  REQUIRE_ACL(ACL(aclInit)(DefaultConfig()));
  REQUIRE_ACL(ACL(aclFinalizeReference)(nullptr));
  CHECK(ACL(aclFinalize)() == ACL_ERROR_REPEAT_FINALIZE);
  CHECK(ACL(aclFinalizeReference)(nullptr) != ACL_SUCCESS);
}

// While initialised, another configuration than the first is refused; the first one stays good.
TEST_CASE("aclInit refuses another configuration than the first",
          "[1.1/aclInit][needs aclFinalizeReference]") {
  const std::string first = WriteTextFile("first.json", "{}");
  const std::string second = WriteTextFile("second.json", R"({"err_msg_mode": "0"})");
  REQUIRE_ACL(ACL(aclInit)(first.c_str()));
  CHECK(ACL(aclInit)(second.c_str()) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclInit)(first.c_str()) == ACL_ERROR_REPEAT_INITIALIZE);
  REQUIRE_ACL(ACL(aclFinalize)());
}

// A file that is not there, or is no JSON, is refused, and nothing is initialised.
TEST_CASE("aclInit refuses a file that it cannot read", "[1.1/aclInit]") {
  CHECK(ACL(aclInit)("/no/such/file.json") != ACL_SUCCESS);
  const std::string broken = WriteTextFile("broken.json", "{\"dump\": ");
  CHECK(ACL(aclInit)(broken.c_str()) != ACL_SUCCESS);
  CHECK(ACL(aclFinalize)() == ACL_ERROR_REPEAT_FINALIZE);
}

// aclFinalize tears down whatever the count, and is 100037 where there is nothing to tear down.
TEST_CASE("aclFinalize tears down whatever the count", "[1.1/aclFinalize]") {
  CHECK(ACL(aclFinalize)() == ACL_ERROR_REPEAT_FINALIZE);
  REQUIRE_ACL(ACL(aclInit)(DefaultConfig()));
  CHECK(ACL(aclInit)(DefaultConfig()) == ACL_ERROR_REPEAT_INITIALIZE);
  REQUIRE_ACL(ACL(aclFinalize)());
  CHECK(ACL(aclFinalize)() == ACL_ERROR_REPEAT_FINALIZE);
}

// A later round knows nothing of an earlier one: no device is set.
TEST_CASE("Initialising after finalising starts afresh", "[rule/init-may-repeat][misuse]") {
  for (int round = 0; round < 2; ++round) {
    REQUIRE_ACL(ACL(aclInit)(DefaultConfig()));
    int32_t device = -1;
    CHECK(ACL(aclrtGetDevice)(&device) == ACL_ERROR_RT_CONTEXT_NULL);
    REQUIRE_ACL(ACL(aclrtSetDevice)(0));
    void* memory = nullptr;
    REQUIRE_ACL(ACL(aclrtMalloc)(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
    REQUIRE_ACL(ACL(aclrtFree)(memory));
    REQUIRE_ACL(ACL(aclrtResetDevice)(0));
    REQUIRE_ACL(ACL(aclFinalize)());
  }
}

// A failure's text is given once; another thread sees none of it.
TEST_CASE("Error texts are given once and to their thread", "[1.1/aclGetRecentErrMsg]") {
  const AclSession session;
  RecentError();
  CHECK(ACL(aclGetRecentErrMsg)() == nullptr);
  const auto beyond = static_cast<int32_t>(DeviceCount());
  REQUIRE(ACL(aclrtSetDevice)(beyond) != ACL_SUCCESS);
  std::string of_other_thread = "unset";
  InNewThread([&of_other_thread] { of_other_thread = RecentError(); });
  CHECK(of_other_thread.empty());
  CHECK_FALSE(RecentError().empty());
  CHECK(ACL(aclGetRecentErrMsg)() == nullptr);
}

// With err_msg_mode "1" the texts are the process's: any thread may take them.
TEST_CASE("Error texts are the process's where aclInit says so", "[1.1/aclGetRecentErrMsg]") {
  const std::string path = WriteTextFile("process_texts.json", R"({"err_msg_mode": "1"})");
  REQUIRE_ACL(ACL(aclInit)(path.c_str()));
  RecentError();
  const auto beyond = static_cast<int32_t>(DeviceCount());
  CHECK(ACL(aclrtSetDevice)(beyond) != ACL_SUCCESS);
  std::string of_other_thread;
  InNewThread([&of_other_thread] { of_other_thread = RecentError(); });
  CHECK_FALSE(of_other_thread.empty());
  CHECK(ACL(aclGetRecentErrMsg)() == nullptr);
  REQUIRE_ACL(ACL(aclFinalize)());
}

// The numbers are those of the interface: 1.x in every release since CANN 20.2.
TEST_CASE("aclrtGetVersion gives the interface's numbers", "[1.1/aclrtGetVersion]") {
  const AclSession session;
  int32_t major = 0;
  int32_t minor = -1;
  int32_t patch = -1;
  REQUIRE_ACL(ACL(aclrtGetVersion)(&major, &minor, &patch));
  CHECK(major >= 1);
  CHECK(minor >= 0);
  CHECK(patch >= 0);
  CHECK(ACL(aclrtGetVersion)(nullptr, &minor, &patch) == ACL_ERROR_INVALID_PARAM);
}

// A static string that is the same each time.
TEST_CASE("aclrtGetSocName gives a static string", "[1.1/aclrtGetSocName]") {
  const AclSession session;
  const char* name = ACL(aclrtGetSocName)();
  REQUIRE(name != nullptr);
  CHECK_FALSE(std::string(name).empty());
  CHECK(std::string(ACL(aclrtGetSocName)()) == name);
}

// As a number of 10^7, 10^5 and 10^3, and as a text.
TEST_CASE("Package versions are told", "[1.1/aclsysGetVersionNum][1.1/aclsysGetVersionStr]") {
  const AclSession session;
  std::string package = "runtime";
  int32_t number = 0;
  REQUIRE_ACL(ACL(aclsysGetVersionNum)(package.data(), &number));
  CHECK(number > 0);
  std::array<char, 128> text{};
  REQUIRE_ACL(ACL(aclsysGetVersionStr)(package.data(), text.data()));
  CHECK(text[0] != '\0');
  CHECK(ACL(aclsysGetVersionNum)(nullptr, &number) != ACL_SUCCESS);
  CHECK(ACL(aclsysGetVersionNum)(package.data(), nullptr) != ACL_SUCCESS);
  CHECK(ACL(aclsysGetVersionStr)(package.data(), nullptr) != ACL_SUCCESS);
}

// Looking does not change it, taking does.
TEST_CASE("The newest error can be looked at and taken",
          "[1.1/aclrtGetLastError][1.1/aclrtPeekAtLastError]") {
  const AclSession session;
  ACL(aclrtGetLastError)(ACL_RT_THREAD_LEVEL);
  CHECK(ACL(aclrtPeekAtLastError)(ACL_RT_THREAD_LEVEL) == ACL_SUCCESS);
  const aclError code = ACL(aclrtSetDevice)(static_cast<int32_t>(DeviceCount()));
  REQUIRE(code != ACL_SUCCESS);
  CHECK(ACL(aclrtPeekAtLastError)(ACL_RT_THREAD_LEVEL) == code);
  CHECK(ACL(aclrtGetLastError)(ACL_RT_THREAD_LEVEL) == code);
  CHECK(ACL(aclrtGetLastError)(ACL_RT_THREAD_LEVEL) == ACL_SUCCESS);
}

TEST_CASE("A chip is compatible with itself",
          "[1.1/aclrtCheckArchCompatibility][needs aclrtGetSocName]") {
  const AclSession session;
  int32_t compatible = -1;
  REQUIRE_ACL(ACL(aclrtCheckArchCompatibility)(ACL(aclrtGetSocName)(), &compatible));
  CHECK(compatible == 1);
  compatible = -1;
  if (ACL(aclrtCheckArchCompatibility)("NoSuchChip", &compatible) == ACL_SUCCESS) {
    CHECK(compatible == 0);
  }
  CHECK(ACL(aclrtCheckArchCompatibility)(nullptr, &compatible) != ACL_SUCCESS);
}

TEST_CASE("aclrtGetRunMode gives host or device", "[1.1/aclrtGetRunMode]") {
  const AclSession session;
  auto mode = static_cast<aclrtRunMode>(7);
  REQUIRE_ACL(ACL(aclrtGetRunMode)(&mode));
  CHECK((mode == ACL_HOST || mode == ACL_DEVICE));
  CHECK(ACL(aclrtGetRunMode)(nullptr) == ACL_ERROR_INVALID_PARAM);
}

void IgnoreException(aclrtExceptionInfo* /*info*/) {}

TEST_CASE("An exception callback can be set and taken back",
          "[1.1/aclrtSetExceptionInfoCallback]") {
  const AclSession session;
  CHECK(ACL(aclrtSetExceptionInfoCallback)(&IgnoreException) == ACL_SUCCESS);
  CHECK(ACL(aclrtSetExceptionInfoCallback)(nullptr) == ACL_SUCCESS);
}

struct SeenException {
  std::atomic<int> calls{0};
  std::atomic<uint32_t> device{99};
  std::atomic<uint32_t> stream{99};
  std::atomic<uint32_t> task{99};
  std::atomic<uint32_t> thread{0};
  std::atomic<uint32_t> code{0};
};
SeenException& Seen() {
  static SeenException seen;
  return seen;
}
void NoteException(aclrtExceptionInfo* info) {
  Seen().device = ACL(aclrtGetDeviceIdFromExceptionInfo)(info);
  Seen().stream = ACL(aclrtGetStreamIdFromExceptionInfo)(info);
  Seen().task = ACL(aclrtGetTaskIdFromExceptionInfo)(info);
  Seen().thread = ACL(aclrtGetThreadIdFromExceptionInfo)(info);
  Seen().code = ACL(aclrtGetErrorCodeFromExceptionInfo)(info);
  ++Seen().calls;
}

// A task's failure reaches the callback once, with the device, stream, task and code it is of.
TEST_CASE("The exception callback is told of a failed task",
          "[1.1/aclrtSetExceptionInfoCallback][1.1/aclrtGetDeviceIdFromExceptionInfo]"
          "[1.1/aclrtGetStreamIdFromExceptionInfo][1.1/aclrtGetTaskIdFromExceptionInfo]"
          "[1.1/aclrtGetThreadIdFromExceptionInfo][1.1/aclrtGetErrorCodeFromExceptionInfo]"
          "[needs aclrtStreamGetId][needs hostacl][misuse]") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes target(256);
  Seen().calls = 0;
  REQUIRE_ACL(ACL(aclrtSetExceptionInfoCallback)(&NoteException));
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(target.get(), 256, DeadAddress(), 256,
                                    ACL_MEMCPY_DEVICE_TO_DEVICE, stream.get()));
  const aclError code = ACL(aclrtSynchronizeStream)(stream.get());
  CHECK(code != ACL_SUCCESS);
  int32_t stream_id = -1;
  REQUIRE_ACL(ACL(aclrtStreamGetId)(stream.get(), &stream_id));
  CHECK(Seen().calls == 1);
  CHECK(Seen().device == 0);
  CHECK(Seen().stream == static_cast<uint32_t>(stream_id));
  CHECK(Seen().code == static_cast<uint32_t>(code));
  CHECK(ACL(aclrtSetExceptionInfoCallback)(nullptr) == ACL_SUCCESS);
}

// A log line of any level can be written, with and without arguments.
TEST_CASE("aclAppLog takes every level", "[1.1/aclAppLog]") {
  const AclSession session;
  for (const aclLogLevel level : {ACL_DEBUG, ACL_INFO, ACL_WARNING, ACL_ERROR}) {
    ACL(aclAppLog)(level, "case", "init.cc", 1, "level %d of %s", static_cast<int>(level), "four");
    ACL(aclAppLog)(level, "case", "init.cc", 2, "no arguments");
  }
  SUCCEED("it returned");
}

}  // namespace
}  // namespace omserve::hostacl
