// SPDX-License-Identifier: Apache-2.0
// The C interface: streams, callbacks, host functions.
#include <pthread.h>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"
#include "runtime/hostacl/timeouts.h"

namespace omserve::hostacl {
namespace {

constexpr uint32_t kLowestPriority = 7;
constexpr uint32_t kKnownFlags = ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC |
                                 ACL_STREAM_PERSISTENT | ACL_STREAM_HUGE | ACL_STREAM_CPU_SCHEDULE |
                                 ACL_STREAM_DEVICE_USE_ONLY;

// Priority and flags tune a chip's queues and have no effect here.
absl::Status CreateStream(aclrtStream* stream, uint32_t priority, uint32_t flags) {
  if (stream == nullptr) {
    return NullOutput("aclrtCreateStream");
  }
  if (priority > kLowestPriority || (flags & ~kKnownFlags) != 0) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "aclrtCreateStreamWithConfig: priority {} (0 to {}), flags {:#x} (of {:#x})",
                priority, kLowestPriority, flags, kKnownFlags);
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> made, here.runtime->CreateStream(*here.context));
  *stream = made->handle();
  return absl::OkStatus();
}

absl::Status DestroyStream(aclrtStream handle, bool force) {
  if (handle == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtDestroyStream: the stream is null");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  return here.runtime->DestroyStream(stream, force);
}

absl::Status SynchronizeStream(aclrtStream handle, int32_t timeout_ms) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  ASSIGN_OR_RETURN(const Clock::time_point deadline, DeadlineAfterMs(timeout_ms));
  return stream->Synchronize(deadline);
}

absl::Status QueryStream(aclrtStream handle, aclrtStreamStatus* status) {
  if (status == nullptr) {
    return NullOutput("aclrtStreamQuery");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  *status = ACL_STREAM_STATUS_NOT_READY;
  if (stream->idle()) {
    stream->TellHost();
    *status = ACL_STREAM_STATUS_COMPLETE;
  }
  return absl::OkStatus();
}

absl::Status SetFailureMode(aclrtStream handle, uint64_t mode) {
  if (mode > 1) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "aclrtSetStreamFailureMode: mode {}; expected 0 (continue) or 1 (stop)", mode);
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  if (mode == 1) {
    stream->StopOnFailure();
  }
  return absl::OkStatus();
}

absl::Status GetAvailable(uint32_t* count) {
  if (count == nullptr) {
    return NullOutput("aclrtGetStreamAvailableNum");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  *count = here.device().streams().available();
  return absl::OkStatus();
}

absl::Status GetId(aclrtStream handle, int32_t* id) {
  if (id == nullptr) {
    return NullOutput("aclrtStreamGetId");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  *id = stream->id();
  return absl::OkStatus();
}

absl::Status GetPriorityRange(int32_t* least, int32_t* greatest) {
  if (least == nullptr && greatest == nullptr) {
    return NullOutput("aclrtDeviceGetStreamPriorityRange");
  }
  RETURN_IF_ERROR(CurrentPlace().status());
  if (least != nullptr) {
    *least = static_cast<int32_t>(kLowestPriority);
  }
  if (greatest != nullptr) {
    *greatest = 0;
  }
  return absl::OkStatus();
}

absl::Status Subscribe(uint64_t thread, aclrtStream handle) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  return here.runtime->reports().Subscribe(thread, *stream);
}

absl::Status Unsubscribe(uint64_t thread, aclrtStream handle) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  return here.runtime->reports().Unsubscribe(thread, *stream);
}

absl::Status LaunchCallback(aclrtCallback callback, void* user_data, aclrtCallbackBlockType type,
                            aclrtStream handle) {
  if (callback == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtLaunchCallback: the function is null");
  }
  if (type != ACL_CALLBACK_NO_BLOCK && type != ACL_CALLBACK_BLOCK) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclrtLaunchCallback: block type {}; expected 0 (no block) or 1 (block)",
                static_cast<int>(type));
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  return here.runtime->reports().Launch(callback, user_data, type == ACL_CALLBACK_BLOCK, *stream);
}

absl::Status ProcessReport(int32_t timeout_ms) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  ASSIGN_OR_RETURN(const Clock::time_point deadline, DeadlineAfterMs(timeout_ms));
  return runtime->reports().Process(static_cast<uint64_t>(pthread_self()), deadline);
}

absl::Status LaunchHostFunc(aclrtStream handle, aclrtHostFunc function, void* arguments) {
  if (function == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtLaunchHostFunc: the function is null");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  return stream->Enqueue(
      {.type = TaskType::kHostFunction},
      [function, arguments, order = stream->order(), actor = stream->actor()](Interrupt&) {
        // The host's code runs with what the stream knows, and the stream goes on with what that
        // code has learned.
        if (order != nullptr) {
          order->HostLearns(order->StreamClock(actor));
        }
        function(arguments);
        if (order != nullptr) {
          order->StreamLearns(actor, order->HostClock());
        }
        return absl::OkStatus();
      });
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclrtCreateStream(aclrtStream* stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::CreateStream(stream, 0, 0); });
}

aclError aclrtCreateStreamWithConfig(aclrtStream* stream, uint32_t priority,
                                     uint32_t flag) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::CreateStream(stream, priority, flag); });
}

aclError aclrtDestroyStream(aclrtStream stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::DestroyStream(stream, /*force=*/false); });
}

aclError aclrtDestroyStreamForce(aclrtStream stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::DestroyStream(stream, /*force=*/true); });
}

aclError aclrtSynchronizeStream(aclrtStream stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SynchronizeStream(stream, -1); });
}

aclError aclrtSynchronizeStreamWithTimeout(aclrtStream stream, int32_t timeout) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SynchronizeStream(stream, timeout); });
}

aclError aclrtStreamQuery(aclrtStream stream, aclrtStreamStatus* status) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::QueryStream(stream, status); });
}

aclError aclrtSetStreamFailureMode(aclrtStream stream, uint64_t mode) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SetFailureMode(stream, mode); });
}

aclError aclrtGetStreamAvailableNum(uint32_t* streamCount) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetAvailable(streamCount); });
}

aclError aclrtStreamGetId(aclrtStream stream, int32_t* streamId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetId(stream, streamId); });
}

aclError aclrtDeviceGetStreamPriorityRange(int32_t* leastPriority,
                                           int32_t* greatestPriority) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetPriorityRange(leastPriority, greatestPriority); });
}

aclError aclrtSubscribeReport(uint64_t threadId, aclrtStream stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Subscribe(threadId, stream); });
}

aclError aclrtLaunchCallback(aclrtCallback fn, void* userData, aclrtCallbackBlockType blockType,
                             aclrtStream stream) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::LaunchCallback(fn, userData, blockType, stream); });
}

aclError aclrtProcessReport(int32_t timeout) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::ProcessReport(timeout); });
}

aclError aclrtUnSubscribeReport(uint64_t threadId, aclrtStream stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Unsubscribe(threadId, stream); });
}

aclError aclrtLaunchHostFunc(aclrtStream stream, aclrtHostFunc fn, void* args) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::LaunchHostFunc(stream, fn, args); });
}
