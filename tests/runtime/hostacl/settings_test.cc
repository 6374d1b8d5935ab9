// SPDX-License-Identifier: Apache-2.0
// The settings of the CPU device, from the file of aclInit or from the environment.
#include <cstdlib>
#include <thread>
#include <utility>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

// A variable, HOSTACL_CONFIG where none is named, for the time of a test.
class ScopedEnvironment final {
 public:
  explicit ScopedEnvironment(const std::string& value, const char* name = "HOSTACL_CONFIG")
      : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~ScopedEnvironment() { unsetenv(name_); }
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

 private:
  const char* const name_;
};

uint32_t DeviceCount() {
  uint32_t count = 0;
  REQUIRE_ACL(ACL(aclrtGetDeviceCount)(&count));
  return count;
}

aclError InitWith(const std::string& json) {
  return ACL(aclInit)(WriteTextFile("settings.json", json).c_str());
}

// Without any setting there is one device with 4 GiB.
TEST_CASE("The defaults are one device with 4 GiB") {
  REQUIRE_ACL(ACL(aclInit)(nullptr));
  CHECK(DeviceCount() == 1);
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
  size_t free = 0;
  size_t total = 0;
  REQUIRE_ACL(ACL(aclrtGetMemInfo)(ACL_HBM_MEM, &free, &total));
  CHECK(total == size_t{4} << 30);
  REQUIRE_ACL(ACL(aclFinalize)());
}

// The environment gives settings as JSON or as the path of a file with JSON.
TEST_CASE("Settings come from the environment") {
  {
    const ScopedEnvironment inline_json(R"({"device_count": 3})");
    REQUIRE_ACL(ACL(aclInit)(nullptr));
    CHECK(DeviceCount() == 3);
    REQUIRE_ACL(ACL(aclFinalize)());
  }
  const ScopedEnvironment path(
      WriteTextFile("environment.json", R"({"hostacl": {"device_count": 2}})"));
  REQUIRE_ACL(ACL(aclInit)(nullptr));
  CHECK(DeviceCount() == 2);
  REQUIRE_ACL(ACL(aclFinalize)());
}

// The file of aclInit is asked first; one that says nothing of this device leaves the environment.
TEST_CASE("The file of aclInit comes before the environment") {
  const ScopedEnvironment environment(R"({"device_count": 3})");
  REQUIRE_ACL(InitWith(R"({"hostacl": {"device_count": 4}, "dump": {}})"));
  CHECK(DeviceCount() == 4);
  REQUIRE_ACL(ACL(aclFinalize)());
  REQUIRE_ACL(InitWith(R"({"dump": {}})"));
  CHECK(DeviceCount() == 3);
  REQUIRE_ACL(ACL(aclFinalize)());
}

// An unknown key is refused, naming it and those that are known.
TEST_CASE("Unknown keys are refused") {
  CHECK(InitWith(R"({"hostacl": {"devices": 2}})") == ACL_ERROR_FILE_ATTR_INVALID);
  const std::string text = RecentError();
  CHECK_THAT(text, Catch::Contains("'devices'"));
  CHECK_THAT(text, Catch::Contains("device_count"));
  const ScopedEnvironment environment(R"({"nonsense": 1})");
  CHECK(ACL(aclInit)(nullptr) == ACL_ERROR_FILE_ATTR_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("HOSTACL_CONFIG"));
}

// Values of a wrong type or out of range are refused, naming key, value and range.
TEST_CASE("Wrong values are refused") {
  for (const char* json :
       {R"({"hostacl": {"device_count": 0}})", R"({"hostacl": {"device_count": "one"}})",
        R"({"hostacl": {"memory_bytes": 100}})", R"({"hostacl": {"memory_bytes": 1e30}})",
        R"({"hostacl": {"run_mode": "both"}})", R"({"hostacl": {"run_mode": 1}})",
        R"({"hostacl": {"engine": "magic"}})", R"({"hostacl": {"cores": -1}})",
        R"({"hostacl": {"max_streams": 18446744073709551615}})", R"({"hostacl": []})"}) {
    INFO(json);
    CHECK(InitWith(json) == ACL_ERROR_FILE_ATTR_INVALID);
    CHECK_THAT(RecentError(), Catch::Contains("expected"));
  }
  CHECK(InitWith("[]") == ACL_ERROR_PARSE_FILE);
  const ScopedEnvironment environment("/no/such/settings.json");
  CHECK(ACL(aclInit)(nullptr) == ACL_ERROR_INVALID_FILE);
}

// A run without ONNX Runtime's library moves memory as ever; only loading a model would fail.
TEST_CASE("Memory needs no engine") {
  const AclSession session(R"({"ort_library": "/no/such/libonnxruntime.so"})");
  const DeviceBytes device(std::vector<uint8_t>(16, 1));
  CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(16, 1));
}

// A list of visible devices filters and renumbers; it ends at the first that is none.
TEST_CASE("Visible devices are those of the list") {
  const ScopedEnvironment config(R"({"device_count": 4})");
  {
    const ScopedEnvironment visible("3,1", "ASCEND_RT_VISIBLE_DEVICES");
    REQUIRE_ACL(ACL(aclInit)(nullptr));
    CHECK(DeviceCount() == 2);
    int64_t physical = -1;
    REQUIRE_ACL(ACL(aclrtGetDeviceInfo)(0, ACL_DEV_ATTR_PHY_CHIP_ID, &physical));
    CHECK(physical == 3);
    CHECK(ACL(aclrtSetDevice)(2) == ACL_ERROR_RT_INVALID_DEVICEID);
    REQUIRE_ACL(ACL(aclFinalize)());
  }
  const std::pair<const char*, uint32_t> lists[] = {{"2", 1}, {"0,9,1", 1}, {"1,1,2", 1},
                                                    {"x", 0}, {"", 4},      {"0,1,2,3", 4}};
  for (const auto& [list, count] : lists) {
    const ScopedEnvironment visible(list, "ASCEND_RT_VISIBLE_DEVICES");
    REQUIRE_ACL(ACL(aclInit)(nullptr));
    CHECK(DeviceCount() == count);
    REQUIRE_ACL(ACL(aclFinalize)());
  }
}

// Error texts are a thread's own, or with err_msg_mode "1" the process's.
TEST_CASE("Error texts are shared on demand") {
  const auto fail_elsewhere = [] {
    std::thread([] { static_cast<void>(ACL(aclrtSetDevice)(99)); }).join();
  };
  REQUIRE_ACL(InitWith(R"({"err_msg_mode": "0"})"));
  RecentError();
  fail_elsewhere();
  CHECK(RecentError().empty());
  REQUIRE_ACL(ACL(aclFinalize)());
  REQUIRE_ACL(InitWith(R"({"err_msg_mode": "1"})"));
  fail_elsewhere();
  CHECK_THAT(RecentError(), Catch::Contains("device 99"));
  CHECK(RecentError().empty());
  REQUIRE_ACL(ACL(aclFinalize)());
  CHECK(InitWith(R"({"err_msg_mode": "2"})") == ACL_ERROR_FILE_ATTR_INVALID);
}

}  // namespace
}  // namespace omserve::hostacl
