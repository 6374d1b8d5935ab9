// SPDX-License-Identifier: Apache-2.0
// Callbacks: which thread runs them, when the stream goes on, and timeouts.
#include <pthread.h>

#include <atomic>
#include <thread>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

uint64_t ThisThread() { return static_cast<uint64_t>(pthread_self()); }

void Count(void* counter) { ++*static_cast<std::atomic<int>*>(counter); }

// Without a callback in time aclrtProcessReport gives 507012; a timeout of 0 is refused.
TEST_CASE("Processing reports can time out") {
  const AclSession session;
  const TestStream stream;
  REQUIRE_ACL(ACL(aclrtSubscribeReport)(ThisThread(), stream.get()));
  CHECK(ACL(aclrtProcessReport)(1) == ACL_ERROR_RT_REPORT_TIMEOUT);
  CHECK(ACL(aclrtProcessReport)(0) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtProcessReport)(-5) == ACL_ERROR_RT_PARAM_INVALID);
}

// Threads and streams that have not subscribed are told so: 107012, 107015, 107011.
TEST_CASE("Missing and repeated subscriptions are refused") {
  const AclSession session;
  const TestStream stream;
  CHECK(ACL(aclrtProcessReport)(1) == ACL_ERROR_RT_THREAD_SUBSCRIBE);
  std::atomic<int> counter{0};
  CHECK(ACL(aclrtLaunchCallback)(&Count, &counter, ACL_CALLBACK_BLOCK, stream.get()) ==
        ACL_ERROR_RT_STREAM_NO_CB_REG);
  CHECK(ACL(aclrtUnSubscribeReport)(ThisThread(), stream.get()) == ACL_ERROR_RT_STREAM_SUBSCRIBE);
  REQUIRE_ACL(ACL(aclrtSubscribeReport)(ThisThread(), stream.get()));
  CHECK(ACL(aclrtSubscribeReport)(ThisThread(), stream.get()) == ACL_ERROR_RT_STREAM_SUBSCRIBE);
  CHECK(ACL(aclrtSubscribeReport)(ThisThread() + 1, stream.get()) == ACL_ERROR_RT_STREAM_SUBSCRIBE);
  CHECK(ACL(aclrtUnSubscribeReport)(ThisThread() + 1, stream.get()) ==
        ACL_ERROR_RT_STREAM_SUBSCRIBE);
  CHECK(ACL(aclrtLaunchCallback)(nullptr, nullptr, ACL_CALLBACK_BLOCK, stream.get()) ==
        ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtLaunchCallback)(&Count, &counter, static_cast<aclrtCallbackBlockType>(2),
                                 stream.get()) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtLaunchHostFunc)(stream.get(), nullptr, nullptr) == ACL_ERROR_INVALID_PARAM);
}

// One thread cannot serve two devices.
TEST_CASE("A thread serves one device") {
  const AclSession session(R"({"device_count": 2, "memory_bytes": 16777216})");
  const TestStream stream;
  REQUIRE_ACL(ACL(aclrtSubscribeReport)(ThisThread(), stream.get()));
  aclrtContext first = nullptr;
  REQUIRE_ACL(ACL(aclrtGetCurrentContext)(&first));
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 1));
  CHECK(ACL(aclrtSubscribeReport)(ThisThread(), nullptr) == ACL_ERROR_RT_THREAD_SUBSCRIBE);
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(first));
}

// A thread that processes in a loop ends when its last stream is unsubscribed: 107012.
TEST_CASE("Unsubscribing wakes the thread that processes") {
  const AclSession session;
  const TestStream stream;
  std::atomic<uint64_t> thread_id{0};
  std::atomic<bool> subscribed{false};
  std::atomic<int> last_code{0};
  std::thread processor([&] {
    thread_id = ThisThread();
    thread_id.notify_one();
    subscribed.wait(false);
    aclError code = ACL_SUCCESS;
    while (code == ACL_SUCCESS) {
      code = ACL(aclrtProcessReport)(-1);
    }
    last_code = code;
  });
  thread_id.wait(0);
  const aclError subscribe_code = ACL(aclrtSubscribeReport)(thread_id, stream.get());
  subscribed = true;
  subscribed.notify_one();
  std::atomic<int> counter{0};
  ACL(aclrtLaunchCallback)(&Count, &counter, ACL_CALLBACK_BLOCK, stream.get());
  const aclError sync_code = ACL(aclrtSynchronizeStream)(stream.get());
  const aclError unsubscribe_code = ACL(aclrtUnSubscribeReport)(thread_id, stream.get());
  processor.join();
  CHECK(subscribe_code == ACL_SUCCESS);
  CHECK(sync_code == ACL_SUCCESS);
  CHECK(unsubscribe_code == ACL_SUCCESS);
  CHECK(counter == 1);
  CHECK(last_code == ACL_ERROR_RT_THREAD_SUBSCRIBE);
}

}  // namespace
}  // namespace omserve::hostacl
