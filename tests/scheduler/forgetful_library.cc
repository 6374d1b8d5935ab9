// SPDX-License-Identifier: Apache-2.0
// The CPU device, but for one wait of a stream for an event, which it forgets and reports as made.
// It counts the calls that a launch consists of, and those that allocate.
#include <dlfcn.h>

#include <atomic>

#include "runtime/acl/acl_abi.h"

namespace {

// Waits asked for so far, and the number of the one to forget; 0 for none.
std::atomic<int> waits{0};
std::atomic<int> forgotten{0};
std::atomic<int> calls{0};
std::atomic<int> allocations{0};

// Of the library behind this one; counts a call of it.
template <typename Function>
Function Real(const char* name, std::atomic<int>& counter = calls) {
  counter.fetch_add(1);
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// Starts counting anew. Gives how many waits there were before.
extern "C" OMSERVE_ACL_API int omserve_forget_wait(int number) noexcept {
  forgotten.store(number);
  return waits.exchange(0);
}

// The same for calls, and for allocations.
extern "C" OMSERVE_ACL_API int omserve_take_calls() noexcept { return calls.exchange(0); }
extern "C" OMSERVE_ACL_API int omserve_take_allocations() noexcept {
  return allocations.exchange(0);
}

extern "C" aclError aclrtMalloc(void** memory, size_t size, aclrtMemMallocPolicy policy) noexcept {
  return Real<decltype(&aclrtMalloc)>("aclrtMalloc", allocations)(memory, size, policy);
}

extern "C" aclError aclrtMallocHost(void** memory, size_t size) noexcept {
  return Real<decltype(&aclrtMallocHost)>("aclrtMallocHost", allocations)(memory, size);
}

extern "C" aclError aclrtStreamWaitEvent(aclrtStream stream, aclrtEvent event) noexcept {
  if (waits.fetch_add(1) + 1 == forgotten.load()) {
    return ACL_SUCCESS;
  }
  return Real<decltype(&aclrtStreamWaitEvent)>("aclrtStreamWaitEvent")(stream, event);
}

extern "C" aclError aclrtRecordEvent(aclrtEvent event, aclrtStream stream) noexcept {
  return Real<decltype(&aclrtRecordEvent)>("aclrtRecordEvent")(event, stream);
}

extern "C" aclError aclrtMemcpyAsync(void* to, size_t room, const void* from, size_t count,
                                     aclrtMemcpyKind kind, aclrtStream stream) noexcept {
  return Real<decltype(&aclrtMemcpyAsync)>("aclrtMemcpyAsync")(to, room, from, count, kind, stream);
}

extern "C" aclError aclUpdateDataBuffer(aclDataBuffer* buffer, void* data, size_t size) noexcept {
  return Real<decltype(&aclUpdateDataBuffer)>("aclUpdateDataBuffer")(buffer, data, size);
}

extern "C" aclError aclmdlExecuteAsync(uint32_t model, const aclmdlDataset* input,
                                       aclmdlDataset* output, aclrtStream stream) noexcept {
  return Real<decltype(&aclmdlExecuteAsync)>("aclmdlExecuteAsync")(model, input, output, stream);
}

extern "C" aclError aclrtLaunchCallback(aclrtCallback function, void* argument,
                                        aclrtCallbackBlockType block, aclrtStream stream) noexcept {
  return Real<decltype(&aclrtLaunchCallback)>("aclrtLaunchCallback")(function, argument, block,
                                                                     stream);
}

extern "C" aclError aclrtEventGetTimestamp(aclrtEvent event, uint64_t* timestamp) noexcept {
  return Real<decltype(&aclrtEventGetTimestamp)>("aclrtEventGetTimestamp")(event, timestamp);
}
