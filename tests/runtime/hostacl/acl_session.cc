// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/acl_session.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "runtime/base/dynamic_library.h"
#include "tests/status_test_util.h"

namespace omserve::hostacl {
namespace {

const DynamicLibrary& Library() {
  static const DynamicLibrary library = [] {
    const char* given = std::getenv("OMSERVE_ACL_LIBRARY");
    const std::string names[] = {given == nullptr ? OMSERVE_BINARY_DIR "/lib/libascendcl.so"
                                                  : given};
    return TakeValue(DynamicLibrary::Open(names));
  }();
  return library;
}

}  // namespace

void* AclSymbol(const char* name) {
  void* symbol = Library().Find(name);
  // Called from the tests' threads too, where Catch must not be touched unless it is to fail.
  if (symbol == nullptr) {
    FAIL("the library under test has no function " << name);
  }
  return symbol;
}

std::string WriteTextFile(const std::string& name, const std::string& text) {
  const std::string path = (std::filesystem::current_path() / name).string();
  std::ofstream(path) << text;
  return path;
}

std::string RecentError() {
  const char* text = ACL(aclGetRecentErrMsg)();
  return text == nullptr ? "" : text;
}

AclSession::AclSession(const std::string& settings) {
  const std::string path = WriteTextFile("acl.json", "{\"hostacl\": " + settings + "}");
  REQUIRE_ACL(ACL(aclInit)(path.c_str()));
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
}

AclSession::~AclSession() { ACL(aclFinalize)(); }

DeviceBytes::DeviceBytes(size_t size_bytes) : size_bytes_(size_bytes) {
  REQUIRE_ACL(ACL(aclrtMalloc)(&address_, size_bytes, ACL_MEM_MALLOC_HUGE_FIRST));
}

DeviceBytes::~DeviceBytes() { ACL(aclrtFree)(address_); }

void DeviceBytes::Write(const void* source, size_t size_bytes) {
  REQUIRE_ACL(
      ACL(aclrtMemcpy)(address_, size_bytes_, source, size_bytes, ACL_MEMCPY_HOST_TO_DEVICE));
}

void DeviceBytes::ReadInto(void* target) const {
  REQUIRE_ACL(
      ACL(aclrtMemcpy)(target, size_bytes_, address_, size_bytes_, ACL_MEMCPY_DEVICE_TO_HOST));
}

TestStream::TestStream() { REQUIRE_ACL(ACL(aclrtCreateStream)(&stream_)); }

TestStream::~TestStream() { ACL(aclrtDestroyStream)(stream_); }

StreamGate::StreamGate(aclrtStream stream) {
  REQUIRE_ACL(ACL(aclrtLaunchHostFunc)(stream, &StreamGate::Wait, this));
}

StreamGate::~StreamGate() {
  Open();
  const MutexLock lock(mu_);
  while (!left_) {
    cv_.Wait(mu_);
  }
}

void StreamGate::Open() {
  const MutexLock lock(mu_);
  open_ = true;
  cv_.NotifyAll();
}

void StreamGate::Wait(void* gate) {
  auto* self = static_cast<StreamGate*>(gate);
  const MutexLock lock(self->mu_);
  while (!self->open_) {
    self->cv_.Wait(self->mu_);
  }
  self->left_ = true;
  self->cv_.NotifyAll();
}

}  // namespace omserve::hostacl
