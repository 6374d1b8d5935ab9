// SPDX-License-Identifier: Apache-2.0
// Init, finalize, their counts; versions and error texts.
#include <thread>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

// Before aclInit a call that needs it is refused with 100001, and says what to call.
TEST_CASE("Calls before aclInit are refused") {
  uint32_t count = 0;
  CHECK(ACL(aclrtGetDeviceCount)(&count) == ACL_ERROR_UNINITIALIZE);
  CHECK_THAT(RecentError(), Catch::Contains("aclInit"));
  CHECK(ACL(aclrtSetDevice)(0) == ACL_ERROR_UNINITIALIZE);
}

// A repeated aclInit returns 100002 and counts all the same: each needs its FinalizeReference.
TEST_CASE("A repeated aclInit adds a reference") {
  REQUIRE_ACL(ACL(aclInit)(""));
  CHECK(ACL(aclInit)(nullptr) == ACL_ERROR_REPEAT_INITIALIZE);
  uint64_t left = 99;
  REQUIRE_ACL(ACL(aclFinalizeReference)(&left));
  CHECK(left == 1);
  uint32_t count = 0;
  CHECK(ACL(aclrtGetDeviceCount)(&count) == ACL_SUCCESS);
  REQUIRE_ACL(ACL(aclFinalizeReference)(&left));
  CHECK(left == 0);
  CHECK(ACL(aclFinalizeReference)(nullptr) == ACL_ERROR_REPEAT_FINALIZE);
  CHECK(ACL(aclrtGetDeviceCount)(&count) == ACL_ERROR_UNINITIALIZE);
}

// Init and finalize may be repeated; a context of the earlier round is unknown in the later.
TEST_CASE("Initialising again after finalising starts afresh") {
  aclrtContext old_context = nullptr;
  {
    const AclSession session;
    REQUIRE_ACL(ACL(aclrtGetCurrentContext)(&old_context));
  }
  REQUIRE_ACL(ACL(aclInit)(nullptr));
  void* memory = nullptr;
  CHECK(ACL(aclrtMalloc)(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST) == ACL_ERROR_RT_CONTEXT_NULL);
  CHECK(ACL(aclrtSetCurrentContext)(old_context) != ACL_SUCCESS);
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
  REQUIRE_ACL(ACL(aclrtMalloc)(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  REQUIRE_ACL(ACL(aclFinalize)());
}

// A configuration file that is missing, no JSON, or another than the first is refused by name.
TEST_CASE("Bad configuration files are refused") {
  CHECK(ACL(aclInit)("/no/such/file.json") == ACL_ERROR_INVALID_FILE);
  CHECK_THAT(RecentError(), Catch::Contains("/no/such/file.json"));
  const std::string broken = WriteTextFile("broken.json", "{\"hostacl\": ");
  CHECK(ACL(aclInit)(broken.c_str()) == ACL_ERROR_PARSE_FILE);
  CHECK_THAT(RecentError(), Catch::Contains("broken.json"));
  const std::string first = WriteTextFile("first.json", "{}");
  const std::string second = WriteTextFile("second.json", "{\"dump\": {}}");
  REQUIRE_ACL(ACL(aclInit)(first.c_str()));
  CHECK(ACL(aclInit)(second.c_str()) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclInit)(first.c_str()) == ACL_ERROR_REPEAT_INITIALIZE);
  REQUIRE_ACL(ACL(aclFinalize)());
}

// The text of failures is given once, newest included, then nothing; another thread sees none of
// it.
TEST_CASE("Error texts are per thread and given once") {
  const AclSession session;
  RecentError();
  CHECK(ACL(aclGetRecentErrMsg)() == nullptr);
  CHECK(ACL(aclrtSetDevice)(77) == ACL_ERROR_RT_INVALID_DEVICEID);
  std::string other = "unset";
  std::thread([&other] { other = RecentError(); }).join();
  CHECK(other.empty());
  CHECK_THAT(RecentError(), Catch::Contains("77"));
  CHECK(ACL(aclGetRecentErrMsg)() == nullptr);
}

}  // namespace
}  // namespace omserve::hostacl
