// SPDX-License-Identifier: Apache-2.0
// The C interface: streams, callbacks, host functions.
#include <pthread.h>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"
#include "runtime/hostacl/timeouts.h"

namespace omserve::hostacl {
namespace {

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
  if (stream->is_default()) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "aclrtSetStreamFailureMode: a default stream has no failure mode");
  }
  return stream->SetFailureMode(mode == 1);
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

absl::Status AbortStream(aclrtStream handle) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  return stream->Abort();
}

// Where numbers overflow this device computes on with infinities, as IEEE 754 has it, and tells
// nobody.
absl::Status SetOverflowSwitch(aclrtStream handle, uint32_t flag) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  RETURN_IF_ERROR(here.runtime->FindStream(*here.context, handle).status());
  if (flag > 1) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "aclrtSetStreamOverflowSwitch: {}; expected 0 (off) or 1 (on)", flag);
  }
  if (flag == 1) {
    return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "aclrtSetStreamOverflowSwitch: this device does not detect overflow");
  }
  return absl::OkStatus();
}

absl::Status GetOverflowSwitch(aclrtStream handle, uint32_t* flag) {
  if (flag == nullptr) {
    return NullOutput("aclrtGetStreamOverflowSwitch");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  RETURN_IF_ERROR(here.runtime->FindStream(*here.context, handle).status());
  *flag = 0;
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

aclError aclrtStreamAbort(aclrtStream stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::AbortStream(stream); });
}

aclError aclrtSetStreamOverflowSwitch(aclrtStream stream, uint32_t flag) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SetOverflowSwitch(stream, flag); });
}

aclError aclrtGetStreamOverflowSwitch(aclrtStream stream, uint32_t* flag) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetOverflowSwitch(stream, flag); });
}

aclError aclrtActiveStream(aclrtStream /*activeStream*/, aclrtStream /*stream*/) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::Fail(
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
        "aclrtActiveStream: this device has no streams that wait to be activated");
  });
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
