// SPDX-License-Identifier: Apache-2.0
// The C interface: profiling.
#include <algorithm>
#include <cstring>
#include <string>

#include "runtime/hostacl/data_objects.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

constexpr uint64_t kKnownTypes = ACL_PROF_ACL_API | ACL_PROF_TASK_TIME | ACL_PROF_AICORE_METRICS |
                                 ACL_PROF_AICPU | ACL_PROF_L2CACHE | ACL_PROF_HCCL_TRACE |
                                 ACL_PROF_TRAINING_TRACE | ACL_PROF_MSPROFTX |
                                 ACL_PROF_RUNTIME_API | ACL_PROF_GE_API_L0 | ACL_PROF_TASK_TIME_L0 |
                                 ACL_PROF_TASK_MEMORY | ACL_PROF_TASK_TIME_L2 | ACL_PROF_OP_ATTR;

absl::Status Init(const char* folder, size_t length) {
  if (folder == nullptr || length == 0 || strnlen(folder, length) != length) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclprofInit: the folder is null, or its length is not {}",
                length);
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->profiler().Init(std::string(folder, length));
}

absl::Status SetConfig(aclprofConfigType option, const char* text, size_t length) {
  if (text == nullptr || option <= ACL_PROF_ARGS_MIN || option > ACL_PROF_SYS_CPU_FREQ) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclprofSetConfig: the text is null, or option {} is none",
                static_cast<int>(option));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->profiler().SetOption(option, std::string_view(text, length));
}

absl::StatusOr<std::shared_ptr<ProfileConfig>> MakeConfig(std::span<const uint32_t> devices,
                                                          uint64_t data_types) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  auto config = std::make_shared<ProfileConfig>();
  for (const uint32_t device : devices) {
    RETURN_IF_ERROR(runtime->FindDevice(device).status());
    if (!config->devices.insert(device).second) {
      return Fail(ACL_ERROR_INVALID_PARAM, "aclprofCreateConfig: device {} stands twice", device);
    }
  }
  if (data_types == 0 || (data_types & ~kKnownTypes) != 0) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclprofCreateConfig: data types {:#x} of {:#x}",
                data_types, kKnownTypes);
  }
  config->data_types = data_types;
  return config;
}

absl::Status Start(const aclprofConfig* handle) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ProfileConfig> config,
                   FindObject(ProfileConfigs(), "profiling configuration", handle));
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->profiler().Start(config);
}

absl::Status Stop(const aclprofConfig* handle) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ProfileConfig> config,
                   FindObject(ProfileConfigs(), "profiling configuration", handle));
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->profiler().Stop(config);
}

absl::Status Finalize() {
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->profiler().Finalize();
}

absl::Status Subscribe(uint32_t model_id, const aclprofSubscribeConfig* handle) {
  ASSIGN_OR_RETURN(const std::shared_ptr<SubscribeConfig> config,
                   FindObject(SubscribeConfigs(), "subscription configuration", handle));
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  RETURN_IF_ERROR(runtime->models().Find(model_id).status());
  return runtime->profiler().Subscribe(model_id, *config);
}

absl::Status Unsubscribe(uint32_t model_id) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->profiler().Unsubscribe(model_id);
}

std::span<const std::byte> BytesAt(const void* op_info, size_t length) {
  return {static_cast<const std::byte*>(op_info), op_info == nullptr ? 0 : length};
}

absl::Status GetCount(const void* op_info, size_t length, uint32_t* count) {
  if (op_info == nullptr || count == nullptr || length % sizeof(OpRecord) != 0) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclprofGetOpNum: a pointer is null, or {} bytes are no whole number of records",
                length);
  }
  *count = static_cast<uint32_t>(length / sizeof(OpRecord));
  return absl::OkStatus();
}

// `text` points at the field of a record that is wanted.
template <typename Text>
absl::Status GetLength(const void* op_info, size_t info_length, uint32_t index,
                       Text OpRecord::*text, size_t* length) {
  if (length == nullptr) {
    return NullOutput("the length of a profiling text");
  }
  ASSIGN_OR_RETURN(const OpRecord record, OpRecordAt(BytesAt(op_info, info_length), index));
  *length = std::strlen(record.*text) + 1;
  return absl::OkStatus();
}

template <typename Text>
absl::Status GetText(const void* op_info, size_t info_length, uint32_t index, Text OpRecord::*text,
                     char* out, size_t capacity) {
  ASSIGN_OR_RETURN(const OpRecord record, OpRecordAt(BytesAt(op_info, info_length), index));
  const size_t needed = std::strlen(record.*text) + 1;
  if (out == nullptr || capacity < needed) {
    return Fail(ACL_ERROR_INVALID_PARAM, "a profiling text of {} bytes for {} at {}", needed,
                capacity, fmt::ptr(out));
  }
  std::copy_n(record.*text, needed, out);
  return absl::OkStatus();
}

// For the getters that have no error to return.
OpRecord RecordOrZero(const void* op_info, size_t length, uint32_t index) {
  return OpRecordAt(BytesAt(op_info, length), index).value_or(OpRecord{});
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Answer;
using omserve::hostacl::Enter;
using omserve::hostacl::OpRecord;
using omserve::hostacl::RecordOrZero;

aclError aclprofInit(const char* profilerResultPath, size_t length) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Init(profilerResultPath, length); });
}

aclError aclprofSetConfig(aclprofConfigType configType, const char* config,
                          size_t configLength) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::SetConfig(configType, config, configLength); });
}

aclprofConfig* aclprofCreateConfig(uint32_t* deviceIdList, uint32_t deviceNums,
                                   aclprofAicoreMetrics /*aicoreMetrics*/,
                                   aclprofAicoreEvents* aicoreEvents,
                                   uint64_t dataTypeConfig) noexcept {
  omserve::hostacl::SetCurrentFunction(__func__);
  absl::StatusOr<std::shared_ptr<omserve::hostacl::ProfileConfig>> config(omserve::hostacl::Fail(
      ACL_ERROR_INVALID_PARAM, "aclprofCreateConfig: {} devices at {}, events at {}, expected null",
      deviceNums, fmt::ptr(deviceIdList), fmt::ptr(aicoreEvents)));
  if (deviceIdList != nullptr && deviceNums > 0 && aicoreEvents == nullptr) {
    config = omserve::hostacl::MakeConfig({deviceIdList, deviceNums}, dataTypeConfig);
  }
  if (Answer(config.status()) != ACL_SUCCESS) {
    return nullptr;
  }
  return static_cast<aclprofConfig*>(omserve::hostacl::ProfileConfigs().Add(*std::move(config)));
}

aclError aclprofStart(const aclprofConfig* profilerConfig) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Start(profilerConfig); });
}

aclError aclprofStop(const aclprofConfig* profilerConfig) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Stop(profilerConfig); });
}

aclError aclprofDestroyConfig(const aclprofConfig* profilerConfig) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::DestroyObject(omserve::hostacl::ProfileConfigs(),
                                           "profiling configuration", profilerConfig);
  });
}

aclError aclprofFinalize() noexcept {
  return Enter(__func__, [] { return omserve::hostacl::Finalize(); });
}

aclprofSubscribeConfig* aclprofCreateSubscribeConfig(int8_t timeInfoSwitch,
                                                     aclprofAicoreMetrics /*aicoreMetrics*/,
                                                     void* fd) noexcept {
  omserve::hostacl::SetCurrentFunction(__func__);
  if (fd == nullptr) {
    static_cast<void>(Answer(omserve::hostacl::Fail(
        ACL_ERROR_INVALID_PARAM, "aclprofCreateSubscribeConfig: the descriptor is null")));
    return nullptr;
  }
  auto config = std::make_shared<omserve::hostacl::SubscribeConfig>();
  config->with_times = timeInfoSwitch != 0;
  std::memcpy(&config->descriptor, fd, sizeof(config->descriptor));
  return static_cast<aclprofSubscribeConfig*>(
      omserve::hostacl::SubscribeConfigs().Add(std::move(config)));
}

aclError aclprofDestroySubscribeConfig(const aclprofSubscribeConfig* profSubscribeConfig) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::DestroyObject(omserve::hostacl::SubscribeConfigs(),
                                           "subscription configuration", profSubscribeConfig);
  });
}

aclError aclprofModelSubscribe(uint32_t modelId,
                               const aclprofSubscribeConfig* profSubscribeConfig) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Subscribe(modelId, profSubscribeConfig); });
}

aclError aclprofModelUnSubscribe(uint32_t modelId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Unsubscribe(modelId); });
}

aclError aclprofGetOpDescSize(size_t* opDescSize) noexcept {
  return Enter(__func__, [&] {
    if (opDescSize == nullptr) {
      return omserve::hostacl::NullOutput("aclprofGetOpDescSize");
    }
    *opDescSize = sizeof(OpRecord);
    return absl::OkStatus();
  });
}

aclError aclprofGetOpNum(const void* opInfo, size_t opInfoLen, uint32_t* opNumber) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetCount(opInfo, opInfoLen, opNumber); });
}

aclError aclprofGetOpTypeLen(const void* opInfo, size_t opInfoLen, uint32_t index,
                             size_t* opTypeLen) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::GetLength(opInfo, opInfoLen, index, &OpRecord::type, opTypeLen);
  });
}

aclError aclprofGetOpType(const void* opInfo, size_t opInfoLen, uint32_t index, char* opType,
                          size_t opTypeLen) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::GetText(opInfo, opInfoLen, index, &OpRecord::type, opType, opTypeLen);
  });
}

aclError aclprofGetOpNameLen(const void* opInfo, size_t opInfoLen, uint32_t index,
                             size_t* opNameLen) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::GetLength(opInfo, opInfoLen, index, &OpRecord::name, opNameLen);
  });
}

aclError aclprofGetOpName(const void* opInfo, size_t opInfoLen, uint32_t index, char* opName,
                          size_t opNameLen) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::GetText(opInfo, opInfoLen, index, &OpRecord::name, opName, opNameLen);
  });
}

uint64_t aclprofGetOpStart(const void* opInfo, size_t opInfoLen, uint32_t index) noexcept {
  return RecordOrZero(opInfo, opInfoLen, index).begin_ns;
}

uint64_t aclprofGetOpEnd(const void* opInfo, size_t opInfoLen, uint32_t index) noexcept {
  return RecordOrZero(opInfo, opInfoLen, index).end_ns;
}

uint64_t aclprofGetOpDuration(const void* opInfo, size_t opInfoLen, uint32_t index) noexcept {
  const OpRecord record = RecordOrZero(opInfo, opInfoLen, index);
  return record.end_ns - record.begin_ns;
}

size_t aclprofGetModelId(const void* opInfo, size_t opInfoLen, uint32_t index) noexcept {
  return RecordOrZero(opInfo, opInfoLen, index).model_id;
}
