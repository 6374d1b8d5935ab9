// SPDX-License-Identifier: Apache-2.0
// The library under test, opened at run time, and an initialised AscendCL for one test.
#pragma once

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/acl_abi.h"
#include "runtime/base/mutex.h"

namespace omserve::hostacl {

// The library under test. To be changed before its first function is called.
struct AclTarget {
  std::string library;     // A file; empty: what OMSERVE_ACL_LIBRARY names, else ours.
  bool is_hostacl = true;  // Whether it is the CPU device, which alone knows the settings below.
  std::string config;      // File for aclInit where a test says nothing of its own; empty: none.
  std::string model_dir;   // Where the models lie, see model_files.h; empty: compiled here.
  // Called with each function that a test names, to refuse what it has not declared; may be empty.
  std::function<void(const char*)> on_use;
};
AclTarget& Target();

// Opens the library under test and gives its file's name. Errors: kUnavailable.
absl::StatusOr<std::string> OpenTarget();

// The address of a function in the library under test; null when it has none.
void* FindAclSymbol(const char* name);
// The same, but fails the test when there is none.
void* AclSymbol(const char* name);

inline constexpr char kNoSettings[] = "{}";

// aclInit on construction, with `settings` as the JSON object "hostacl" for the CPU device, and
// device 0 set in this thread; aclFinalize at the end.
class AclSession final {
 public:
  explicit AclSession(const std::string& settings = kNoSettings);
  ~AclSession();
  AclSession(const AclSession&) = delete;
  AclSession& operator=(const AclSession&) = delete;
};

// A file in the test's folder with this text; gives its path.
std::string WriteTextFile(const std::string& name, const std::string& text);

// aclGetRecentErrMsg as a string; "" for null and where the library has no such function.
std::string RecentError();

// Device memory for the time of a test.
class DeviceBytes final {
 public:
  explicit DeviceBytes(size_t size_bytes);
  // With contents.
  template <typename T>
  explicit DeviceBytes(const std::vector<T>& values) : DeviceBytes(values.size() * sizeof(T)) {
    Write(values.data(), size_bytes_);
  }
  ~DeviceBytes();
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;

  void* get() const { return address_; }
  size_t size_bytes() const { return size_bytes_; }
  template <typename T>
  std::vector<T> Read() const {
    std::vector<T> values(size_bytes_ / sizeof(T));
    ReadInto(values.data());
    return values;
  }

 private:
  void Write(const void* source, size_t size_bytes);
  void ReadInto(void* target) const;

  void* address_ = nullptr;
  size_t size_bytes_ = 0;
};

// A stream of the current context for the time of a test.
class TestStream final {
 public:
  TestStream();
  ~TestStream();
  TestStream(const TestStream&) = delete;
  TestStream& operator=(const TestStream&) = delete;
  aclrtStream get() const { return stream_; }

 private:
  aclrtStream stream_ = nullptr;
};

// Holds a stream at one place until it is opened: a host function that waits, or a blocking
// callback in a thread of its own where the library has no host functions.
class StreamGate final {
 public:
  // Enqueues the waiting function. The stream must not have a subscribed thread.
  explicit StreamGate(aclrtStream stream);
  // Opens, and waits until the function has returned.
  ~StreamGate();
  StreamGate(const StreamGate&) = delete;
  StreamGate& operator=(const StreamGate&) = delete;
  void Open();

 private:
  static void Wait(void* gate);
  void LaunchAsCallback();

  const aclrtStream stream_;
  Mutex mu_;
  CondVar cv_;
  bool subscribed_ ABSL_GUARDED_BY(mu_) = false;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  bool left_ ABSL_GUARDED_BY(mu_) = false;
  std::jthread callback_thread_;  // Only with callbacks; ends before what it uses.
};

}  // namespace omserve::hostacl

// The function under test with the type of its declaration: ACL(aclInit)(nullptr).
#define ACL(function) \
  (reinterpret_cast<decltype(&function)>(::omserve::hostacl::AclSymbol(#function)))

// A call that must succeed; says why it did not.
#define REQUIRE_ACL(call)                       \
  do {                                          \
    const aclError require_acl_code = (call);   \
    if (require_acl_code != ACL_SUCCESS) {      \
      INFO(::omserve::hostacl::RecentError());  \
      REQUIRE(require_acl_code == ACL_SUCCESS); \
    }                                           \
  } while (false)
