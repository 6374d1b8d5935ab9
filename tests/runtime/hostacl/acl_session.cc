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

const absl::StatusOr<DynamicLibrary>& Library() {
  static const absl::StatusOr<DynamicLibrary> library = [] {
    const char* given = std::getenv("OMSERVE_ACL_LIBRARY");
    const std::string names[] = {!Target().library.empty() ? Target().library
                                 : given != nullptr        ? given
                                                    : OMSERVE_BINARY_DIR "/lib/libascendcl.so"};
    return DynamicLibrary::Open(names);
  }();
  return library;
}

}  // namespace

AclTarget& Target() {
  static AclTarget target;
  return target;
}

absl::StatusOr<std::string> OpenTarget() {
  RETURN_IF_ERROR(Library().status());
  return Library()->name();
}

void* FindAclSymbol(const char* name) { return Library().ok() ? Library()->Find(name) : nullptr; }

void* AclSymbol(const char* name) {
  if (Target().on_use) {
    Target().on_use(name);
  }
  void* symbol = FindAclSymbol(name);
  // Called from the tests' threads too, where Catch must not be touched unless it is to fail.
  if (symbol == nullptr) {
    REQUIRE_OK(Library());
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
  const auto recent =
      reinterpret_cast<decltype(&aclGetRecentErrMsg)>(FindAclSymbol("aclGetRecentErrMsg"));
  const char* text = recent == nullptr ? nullptr : recent();
  return text == nullptr ? "" : text;
}

AclSession::AclSession(const std::string& settings) {
  std::string path = Target().config;
  if (Target().is_hostacl && (path.empty() || settings != kNoSettings)) {
    path = WriteTextFile("acl.json", "{\"hostacl\": " + settings + "}");
  }
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

StreamGate::StreamGate(aclrtStream stream) : stream_(stream) {
  const auto launch =
      reinterpret_cast<decltype(&aclrtLaunchHostFunc)>(FindAclSymbol("aclrtLaunchHostFunc"));
  if (launch != nullptr) {
    REQUIRE_ACL(launch(stream, &StreamGate::Wait, this));
  } else {
    LaunchAsCallback();
  }
}

void StreamGate::LaunchAsCallback() {
  callback_thread_ = std::jthread([this] {
    {
      const MutexLock lock(mu_);
      while (!subscribed_) {
        cv_.Wait(mu_);
      }
    }
    ACL(aclrtProcessReport)(-1);
  });
  const auto thread_id = static_cast<uint64_t>(callback_thread_.native_handle());
  const aclError subscribed = ACL(aclrtSubscribeReport)(thread_id, stream_);
  const aclError launched =
      ACL(aclrtLaunchCallback)(&StreamGate::Wait, this, ACL_CALLBACK_BLOCK, stream_);
  {
    const MutexLock lock(mu_);
    subscribed_ = true;
    cv_.NotifyAll();
  }
  REQUIRE_ACL(subscribed);
  REQUIRE_ACL(launched);
}

StreamGate::~StreamGate() {
  Open();
  {
    const MutexLock lock(mu_);
    while (!left_) {
      cv_.Wait(mu_);
    }
  }
  if (callback_thread_.joinable()) {
    const auto thread_id = static_cast<uint64_t>(callback_thread_.native_handle());
    callback_thread_.join();
    ACL(aclrtSynchronizeStream)(stream_);
    ACL(aclrtUnSubscribeReport)(thread_id, stream_);
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
