// SPDX-License-Identifier: Apache-2.0
// The two run modes: device addresses that the host cannot touch, and one memory.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

// The signal that ends a child which reads one byte at `address`; 0 when nothing does.
int SignalOfRead(const void* address) {
  const pid_t child = fork();
  if (child == 0) {
    // A sanitizer's handler would turn the signal into an exit code and print a report; and the
    // death is meant, so that no core is to be left.
    std::signal(SIGSEGV, SIG_DFL);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    const volatile auto* byte = static_cast<const volatile unsigned char*>(address);
    _exit(*byte == 0 ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

// In the host mode a device address is one that faults: reading it ends a process with SIGSEGV.
TEST_CASE("Touching device memory from the host faults") {
  const AclSession session(R"({"run_mode": "host"})");
  aclrtRunMode mode = ACL_DEVICE;
  REQUIRE_ACL(ACL(aclrtGetRunMode)(&mode));
  CHECK(mode == ACL_HOST);
  const DeviceBytes device(4096);
  CHECK(SignalOfRead(device.get()) == SIGSEGV);
  CHECK(SignalOfRead(static_cast<std::byte*>(device.get()) + 4095) == SIGSEGV);
  void* pinned = nullptr;
  REQUIRE_ACL(ACL(aclrtMallocHost)(&pinned, 64));
  CHECK(SignalOfRead(pinned) == 0);
  REQUIRE_ACL(ACL(aclrtFreeHost)(pinned));
}

// In the device mode there is one memory: what a copy put there the host can read.
TEST_CASE("With one memory the host reads device memory") {
  const AclSession session(R"({"run_mode": "device"})");
  aclrtRunMode mode = ACL_HOST;
  REQUIRE_ACL(ACL(aclrtGetRunMode)(&mode));
  CHECK(mode == ACL_DEVICE);
  const DeviceBytes device(std::vector<uint8_t>(64, 0x5A));
  CHECK(*static_cast<const uint8_t*>(device.get()) == 0x5A);
  void* pinned = nullptr;
  void* other = nullptr;
  REQUIRE_ACL(ACL(aclrtMallocHost)(&pinned, 64));
  REQUIRE_ACL(ACL(aclrtMallocHost)(&other, 64));
  REQUIRE_ACL(ACL(aclrtMemset)(pinned, 64, 7, 64));
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(other, 64, pinned, 64, ACL_MEMCPY_HOST_TO_HOST, nullptr));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(nullptr));
  CHECK(static_cast<const uint8_t*>(other)[63] == 7);
  REQUIRE_ACL(ACL(aclrtFreeHost)(other));
  REQUIRE_ACL(ACL(aclrtFreeHost)(pinned));
}

// In the device mode host memory is taken from the device; in the host mode it is not.
TEST_CASE("With one memory host allocations are the device's") {
  for (const auto& [run_mode, taken] : {std::pair("device", 96), std::pair("host", 0)}) {
    const AclSession session(R"({"run_mode": ")" + std::string(run_mode) + "\"}");
    size_t before = 0;
    size_t after = 0;
    size_t total = 0;
    void* host = nullptr;
    REQUIRE_ACL(ACL(aclrtGetMemInfo)(ACL_HBM_MEM, &before, &total));
    REQUIRE_ACL(ACL(aclrtMallocHost)(&host, 64));
    REQUIRE_ACL(ACL(aclrtGetMemInfo)(ACL_HBM_MEM, &after, &total));
    CHECK(before - after == static_cast<size_t>(taken));
    REQUIRE_ACL(ACL(aclrtFreeHost)(host));
  }
}

// A copy that says from host to host is refused in a stream where the memories are two.
TEST_CASE("A copy in a stream is not from host to host") {
  const AclSession session(R"({"run_mode": "host"})");
  const DeviceBytes a(64);
  const DeviceBytes b(64);
  CHECK(ACL(aclrtMemcpyAsync)(a.get(), 64, b.get(), 64, ACL_MEMCPY_HOST_TO_HOST, nullptr) ==
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
}

// Handles are no addresses: a program that dereferences one stops there.
TEST_CASE("Dereferencing a handle faults") {
  const AclSession session;
  const TestStream stream;
  CHECK(SignalOfRead(stream.get()) != 0);
}

}  // namespace
}  // namespace omserve::hostacl
