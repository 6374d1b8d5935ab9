// SPDX-License-Identifier: Apache-2.0
// The C interface: the ways to create a stream.
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/data_objects.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

constexpr uint32_t kLowestPriority = 7;
constexpr size_t kKnownFlags = ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC |
                               ACL_STREAM_PERSISTENT | ACL_STREAM_HUGE | ACL_STREAM_CPU_SCHEDULE |
                               ACL_STREAM_DEVICE_USE_ONLY;

// Priority and flags tune a chip's queues and have no effect here.
absl::Status CreateStream(aclrtStream* stream, const StreamConfig& config) {
  if (stream == nullptr) {
    return NullOutput("aclrtCreateStream");
  }
  if (config.priority > kLowestPriority || (config.flags & ~kKnownFlags) != 0) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "creating a stream: priority {} (0 to {}), flags {:#x} (of {:#x})", config.priority,
                kLowestPriority, config.flags, kKnownFlags);
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> made, here.runtime->CreateStream(*here.context));
  *stream = made->handle();
  return absl::OkStatus();
}

absl::Status CreateConfigured(aclrtStream* stream, const aclrtStreamConfigHandle* handle) {
  if (handle == nullptr) {
    return CreateStream(stream, StreamConfig{});
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<StreamConfig> config,
                   FindObject(StreamConfigs(), "stream configuration", handle));
  return CreateStream(stream, *config);
}

absl::Status SetOption(aclrtStreamConfigHandle* handle, aclrtStreamConfigAttr attr,
                       const void* value, size_t size_bytes) {
  ASSIGN_OR_RETURN(const std::shared_ptr<StreamConfig> config,
                   FindObject(StreamConfigs(), "stream configuration", handle));
  switch (attr) {
    case ACL_RT_STREAM_FLAG:
      return ReadOption("aclrtSetStreamConfigOpt", attr, value, size_bytes, &config->flags);
    case ACL_RT_STREAM_PRIORITY:
      return ReadOption("aclrtSetStreamConfigOpt", attr, value, size_bytes, &config->priority);
    case ACL_RT_STREAM_WORK_ADDR_PTR:
    case ACL_RT_STREAM_WORK_SIZE:
      return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                  "aclrtSetStreamConfigOpt: work memory of a stream is not supported; give it to "
                  "the load of each model");
  }
  return Fail(ACL_ERROR_INVALID_PARAM, "aclrtSetStreamConfigOpt: option {}; they are 0 to {}",
              static_cast<int>(attr), static_cast<int>(ACL_RT_STREAM_PRIORITY));
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

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;
using omserve::hostacl::StreamConfig;
using omserve::hostacl::StreamConfigs;

aclError aclrtCreateStream(aclrtStream* stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::CreateStream(stream, StreamConfig{}); });
}

aclError aclrtCreateStreamWithConfig(aclrtStream* stream, uint32_t priority,
                                     uint32_t flag) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::CreateStream(stream, {flag, priority}); });
}

aclrtStreamConfigHandle* aclrtCreateStreamConfigHandle() noexcept {
  omserve::hostacl::SetCurrentFunction(__func__);
  return static_cast<aclrtStreamConfigHandle*>(
      StreamConfigs().Add(std::make_shared<StreamConfig>()));
}

aclError aclrtDestroyStreamConfigHandle(aclrtStreamConfigHandle* handle) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::DestroyObject(StreamConfigs(), "stream configuration", handle);
  });
}

aclError aclrtSetStreamConfigOpt(aclrtStreamConfigHandle* handle, aclrtStreamConfigAttr attr,
                                 const void* attrValue, size_t valueSize) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::SetOption(handle, attr, attrValue, valueSize); });
}

aclError aclrtCreateStreamV2(aclrtStream* stream, const aclrtStreamConfigHandle* handle) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::CreateConfigured(stream, handle); });
}

aclError aclrtDeviceGetStreamPriorityRange(int32_t* leastPriority,
                                           int32_t* greatestPriority) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetPriorityRange(leastPriority, greatestPriority); });
}
