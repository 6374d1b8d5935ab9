// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/status.h"

#include <algorithm>
#include <iterator>

#include "runtime/base/errors.h"

namespace omserve::acl {
namespace {

struct CodeName {
  aclError code;
  std::string_view name;
};

// Ascending by code: searched by halves.
#define OMSERVE_NAMED(name) \
  CodeName { name, #name }
constexpr CodeName kCodeNames[] = {
    OMSERVE_NAMED(ACL_SUCCESS),
    OMSERVE_NAMED(ACL_ERROR_INVALID_PARAM),
    OMSERVE_NAMED(ACL_ERROR_UNINITIALIZE),
    OMSERVE_NAMED(ACL_ERROR_REPEAT_INITIALIZE),
    OMSERVE_NAMED(ACL_ERROR_INVALID_FILE),
    OMSERVE_NAMED(ACL_ERROR_WRITE_FILE),
    OMSERVE_NAMED(ACL_ERROR_INVALID_FILE_SIZE),
    OMSERVE_NAMED(ACL_ERROR_PARSE_FILE),
    OMSERVE_NAMED(ACL_ERROR_FILE_MISSING_ATTR),
    OMSERVE_NAMED(ACL_ERROR_FILE_ATTR_INVALID),
    OMSERVE_NAMED(ACL_ERROR_INVALID_DUMP_CONFIG),
    OMSERVE_NAMED(ACL_ERROR_INVALID_PROFILING_CONFIG),
    OMSERVE_NAMED(ACL_ERROR_INVALID_MODEL_ID),
    OMSERVE_NAMED(ACL_ERROR_DESERIALIZE_MODEL),
    OMSERVE_NAMED(ACL_ERROR_PARSE_MODEL),
    OMSERVE_NAMED(ACL_ERROR_READ_MODEL_FAILURE),
    OMSERVE_NAMED(ACL_ERROR_MODEL_SIZE_INVALID),
    OMSERVE_NAMED(ACL_ERROR_MODEL_MISSING_ATTR),
    OMSERVE_NAMED(ACL_ERROR_MODEL_INPUT_NOT_MATCH),
    OMSERVE_NAMED(ACL_ERROR_MODEL_OUTPUT_NOT_MATCH),
    OMSERVE_NAMED(ACL_ERROR_MODEL_NOT_DYNAMIC),
    OMSERVE_NAMED(ACL_ERROR_REPEAT_SUBSCRIBE),
    OMSERVE_NAMED(ACL_ERROR_STREAM_NOT_SUBSCRIBE),
    OMSERVE_NAMED(ACL_ERROR_THREAD_NOT_SUBSCRIBE),
    OMSERVE_NAMED(ACL_ERROR_WAIT_CALLBACK_TIMEOUT),
    OMSERVE_NAMED(ACL_ERROR_REPEAT_FINALIZE),
    OMSERVE_NAMED(ACL_ERROR_COMPILING_STUB_MODE),
    OMSERVE_NAMED(ACL_ERROR_PROF_ALREADY_RUN),
    OMSERVE_NAMED(ACL_ERROR_PROF_NOT_RUN),
    OMSERVE_NAMED(ACL_ERROR_DUMP_ALREADY_RUN),
    OMSERVE_NAMED(ACL_ERROR_DUMP_NOT_RUN),
    OMSERVE_NAMED(ACL_ERROR_RT_PARAM_INVALID),
    OMSERVE_NAMED(ACL_ERROR_RT_INVALID_DEVICEID),
    OMSERVE_NAMED(ACL_ERROR_RT_CONTEXT_NULL),
    OMSERVE_NAMED(ACL_ERROR_RT_STREAM_CONTEXT),
    OMSERVE_NAMED(ACL_ERROR_RT_MODEL_CONTEXT),
    OMSERVE_NAMED(ACL_ERROR_RT_STREAM_MODEL),
    OMSERVE_NAMED(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID),
    OMSERVE_NAMED(ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL),
    OMSERVE_NAMED(ACL_ERROR_RT_ADDR_UNALIGNED),
    OMSERVE_NAMED(ACL_ERROR_RT_FILE_OPEN),
    OMSERVE_NAMED(ACL_ERROR_RT_FILE_WRITE),
    OMSERVE_NAMED(ACL_ERROR_RT_STREAM_SUBSCRIBE),
    OMSERVE_NAMED(ACL_ERROR_RT_THREAD_SUBSCRIBE),
    OMSERVE_NAMED(ACL_ERROR_RT_GROUP_NOT_SET),
    OMSERVE_NAMED(ACL_ERROR_RT_GROUP_NOT_CREATE),
    OMSERVE_NAMED(ACL_ERROR_RT_STREAM_NO_CB_REG),
    OMSERVE_NAMED(ACL_ERROR_RT_INVALID_MEMORY_TYPE),
    OMSERVE_NAMED(ACL_ERROR_RT_INVALID_HANDLE),
    OMSERVE_NAMED(ACL_ERROR_RT_INVALID_MALLOC_TYPE),
    OMSERVE_NAMED(ACL_ERROR_RT_WAIT_TIMEOUT),
    OMSERVE_NAMED(ACL_ERROR_RT_TASK_TIMEOUT),
    OMSERVE_NAMED(ACL_ERROR_RT_SYSPARAMOPT_NOT_SET),
    OMSERVE_NAMED(ACL_ERROR_RT_DEVICE_TASK_ABORT),
    OMSERVE_NAMED(ACL_ERROR_GE_PARAM_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_NOT_INIT),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_MODEL_PATH_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_MODEL_ADDR_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_MODEL_QUEUE_ID_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_LOAD_MODEL_REPEATED),
    OMSERVE_NAMED(ACL_ERROR_GE_DYNAMIC_INPUT_ADDR_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_DYNAMIC_INPUT_LENGTH_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_AIPP_BATCH_EMPTY),
    OMSERVE_NAMED(ACL_ERROR_GE_AIPP_NOT_EXIST),
    OMSERVE_NAMED(ACL_ERROR_GE_AIPP_MODE_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_OP_TASK_TYPE_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_OP_KERNEL_TYPE_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_PLGMGR_PATH_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_FORMAT_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_SHAPE_INVALID),
    OMSERVE_NAMED(ACL_ERROR_GE_DATATYPE_INVALID),
    {148046, "ACL_ERROR_PROF_REPEAT_SUBSCRIBE"},
    {148047, "ACL_ERROR_PROF_API_CONFLICT"},
    {148048, "ACL_ERROR_INVALID_MAX_OPQUEUE_NUM"},
    {148049, "ACL_ERROR_INVALID_OPP_PATH"},
    {148050, "ACL_ERROR_OP_UNSUPPORTED_DYNAMIC"},
    {148051, "ACL_ERROR_RELATIVE_RESOURCE_NOT_CLEARED"},
    {148052, "ACL_ERROR_UNSUPPORTED_JPEG"},
    {148053, "ACL_ERROR_INVALID_BUNDLE_MODEL_ID"},
    OMSERVE_NAMED(ACL_ERROR_BAD_ALLOC),
    OMSERVE_NAMED(ACL_ERROR_API_NOT_SUPPORT),
    OMSERVE_NAMED(ACL_ERROR_INVALID_DEVICE),
    OMSERVE_NAMED(ACL_ERROR_MEMORY_ADDRESS_UNALIGNED),
    OMSERVE_NAMED(ACL_ERROR_RESOURCE_NOT_MATCH),
    OMSERVE_NAMED(ACL_ERROR_INVALID_RESOURCE_HANDLE),
    OMSERVE_NAMED(ACL_ERROR_FEATURE_UNSUPPORTED),
    OMSERVE_NAMED(ACL_ERROR_PROF_MODULES_UNSUPPORTED),
    OMSERVE_NAMED(ACL_ERROR_RT_FEATURE_NOT_SUPPORT),
    OMSERVE_NAMED(ACL_ERROR_RT_MEMORY_ALLOCATION),
    OMSERVE_NAMED(ACL_ERROR_RT_MEMORY_FREE),
    OMSERVE_NAMED(ACL_ERROR_RT_AICORE_OVER_FLOW),
    OMSERVE_NAMED(ACL_ERROR_RT_NO_DEVICE),
    OMSERVE_NAMED(ACL_ERROR_RT_RESOURCE_ALLOC_FAIL),
    OMSERVE_NAMED(ACL_ERROR_RT_NO_PERMISSION),
    OMSERVE_NAMED(ACL_ERROR_RT_NO_EVENT_RESOURCE),
    OMSERVE_NAMED(ACL_ERROR_RT_NO_STREAM_RESOURCE),
    OMSERVE_NAMED(ACL_ERROR_RT_NO_NOTIFY_RESOURCE),
    OMSERVE_NAMED(ACL_ERROR_RT_NO_MODEL_RESOURCE),
    OMSERVE_NAMED(ACL_ERROR_RT_NO_CDQ_RESOURCE),
    OMSERVE_NAMED(ACL_ERROR_RT_OVER_LIMIT),
    OMSERVE_NAMED(ACL_ERROR_RT_QUEUE_EMPTY),
    OMSERVE_NAMED(ACL_ERROR_RT_QUEUE_FULL),
    OMSERVE_NAMED(ACL_ERROR_RT_REPEATED_INIT),
    OMSERVE_NAMED(ACL_ERROR_RT_AIVEC_OVER_FLOW),
    OMSERVE_NAMED(ACL_ERROR_RT_OVER_FLOW),
    OMSERVE_NAMED(ACL_ERROR_RT_DEVICE_OOM),
    OMSERVE_NAMED(ACL_ERROR_GE_MEMORY_ALLOCATION),
    OMSERVE_NAMED(ACL_ERROR_GE_MEMORY_OPERATE_FAILED),
    OMSERVE_NAMED(ACL_ERROR_GE_DEVICE_MEMORY_OPERATE_FAILED),
    OMSERVE_NAMED(ACL_ERROR_STORAGE_OVER_LIMIT),
    {345102, "ACL_ERROR_GE_SUBHEALTHY"},
    {345103, "ACL_ERROR_GE_USER_RAISE_EXCEPTION"},
    {345104, "ACL_ERROR_GE_DATA_NOT_ALIGNED"},
    OMSERVE_NAMED(ACL_ERROR_INTERNAL_ERROR),
    OMSERVE_NAMED(ACL_ERROR_FAILURE),
    OMSERVE_NAMED(ACL_ERROR_GE_FAILURE),
    OMSERVE_NAMED(ACL_ERROR_RT_FAILURE),
    OMSERVE_NAMED(ACL_ERROR_DRV_FAILURE),
    OMSERVE_NAMED(ACL_ERROR_PROFILING_FAILURE),
    OMSERVE_NAMED(ACL_ERROR_RT_INTERNAL_ERROR),
    OMSERVE_NAMED(ACL_ERROR_RT_TS_ERROR),
    OMSERVE_NAMED(ACL_ERROR_RT_STREAM_TASK_FULL),
    OMSERVE_NAMED(ACL_ERROR_RT_STREAM_TASK_EMPTY),
    OMSERVE_NAMED(ACL_ERROR_RT_STREAM_NOT_COMPLETE),
    OMSERVE_NAMED(ACL_ERROR_RT_END_OF_SEQUENCE),
    OMSERVE_NAMED(ACL_ERROR_RT_EVENT_NOT_COMPLETE),
    OMSERVE_NAMED(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR),
    OMSERVE_NAMED(ACL_ERROR_RT_SOC_VERSION),
    OMSERVE_NAMED(ACL_ERROR_RT_TASK_TYPE_NOT_SUPPORT),
    OMSERVE_NAMED(ACL_ERROR_RT_LOST_HEARTBEAT),
    OMSERVE_NAMED(ACL_ERROR_RT_MODEL_EXECUTE),
    OMSERVE_NAMED(ACL_ERROR_RT_REPORT_TIMEOUT),
    OMSERVE_NAMED(ACL_ERROR_RT_SYS_DMA),
    OMSERVE_NAMED(ACL_ERROR_RT_AICORE_TIMEOUT),
    OMSERVE_NAMED(ACL_ERROR_RT_AICORE_EXCEPTION),
    OMSERVE_NAMED(ACL_ERROR_RT_AICORE_TRAP_EXCEPTION),
    OMSERVE_NAMED(ACL_ERROR_RT_AICPU_TIMEOUT),
    OMSERVE_NAMED(ACL_ERROR_RT_AICPU_EXCEPTION),
    OMSERVE_NAMED(ACL_ERROR_RT_VECTOR_CORE_TIMEOUT),
    OMSERVE_NAMED(ACL_ERROR_RT_VECTOR_CORE_EXCEPTION),
    OMSERVE_NAMED(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT),
    OMSERVE_NAMED(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT),
    OMSERVE_NAMED(ACL_ERROR_RT_FFTS_PLUS_TIMEOUT),
    OMSERVE_NAMED(ACL_ERROR_RT_SEND_MSG),
    OMSERVE_NAMED(ACL_ERROR_RT_COPY_DATA),
    OMSERVE_NAMED(ACL_ERROR_RT_DEVICE_MTE_ERROR),
    OMSERVE_NAMED(ACL_ERROR_RT_DRV_INTERNAL_ERROR),
    OMSERVE_NAMED(ACL_ERROR_RT_AICPU_INTERNAL_ERROR),
    OMSERVE_NAMED(ACL_ERROR_RT_SOCKET_CLOSE),
    OMSERVE_NAMED(ACL_ERROR_RT_AICPU_INFO_LOAD_RSP_ERR),
    OMSERVE_NAMED(ACL_ERROR_GE_INTERNAL_ERROR),
    OMSERVE_NAMED(ACL_ERROR_GE_LOAD_MODEL),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_LOAD_MODEL_PARTITION_FAILED),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_LOAD_WEIGHT_PARTITION_FAILED),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_LOAD_TASK_PARTITION_FAILED),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_LOAD_KERNEL_PARTITION_FAILED),
    OMSERVE_NAMED(ACL_ERROR_GE_EXEC_RELEASE_MODEL_DATA),
    OMSERVE_NAMED(ACL_ERROR_GE_COMMAND_HANDLE),
    OMSERVE_NAMED(ACL_ERROR_GE_GET_TENSOR_INFO),
    OMSERVE_NAMED(ACL_ERROR_GE_UNLOAD_MODEL),
    OMSERVE_NAMED(ACL_ERROR_GE_MODEL_EXECUTE_TIMEOUT),
};
#undef OMSERVE_NAMED

constexpr bool Ascends(const CodeName* begin, const CodeName* end) {
  for (const CodeName* next = begin + 1; next < end; ++next) {
    if (next->code <= (next - 1)->code) {
      return false;
    }
  }
  return true;
}
static_assert(Ascends(std::begin(kCodeNames), std::end(kCodeNames)), "searched by halves");

constexpr aclError kClassUnit = 100000;

absl::StatusCode StatusCodeOf(aclError code) {
  // The library that CANN ships for linking has every function and runs none: for us that is a
  // library that is not there.
  if (code == ACL_ERROR_COMPILING_STUB_MODE) {
    return absl::StatusCode::kUnavailable;
  }
  return code / kClassUnit == 2 ? absl::StatusCode::kResourceExhausted
                                : absl::StatusCode::kInternal;
}

std::string_view RemedyOf(aclError code) {
  switch (code) {
    case ACL_ERROR_COMPILING_STUB_MODE:
      return "this is CANN's stub library for linking; put the real libascendcl.so of the CANN "
             "runtime first in the loader's path";
    case ACL_ERROR_RT_MEMORY_ALLOCATION:
    case ACL_ERROR_RT_DEVICE_OOM:
    case ACL_ERROR_GE_MEMORY_ALLOCATION:
      return "the device's memory is used up: load fewer models or instances, or smaller gears";
    case ACL_ERROR_RT_NO_STREAM_RESOURCE:
      return "the device's streams are used up, those inside loaded models included: load fewer "
             "instances";
    case ACL_ERROR_RT_NO_EVENT_RESOURCE:
      return "the device's events are used up: load fewer instances";
    case ACL_ERROR_RT_NO_DEVICE:
      return "check the driver and ASCEND_RT_VISIBLE_DEVICES";
    default:
      return "";
  }
}

// The file itself is refused: its bytes, its chip, its release. Codes of 2021 first, then those of
// the graph engine, which newer releases return instead.
bool IsModelRefusal(aclError code) {
  return (code >= ACL_ERROR_INVALID_MODEL_ID && code <= ACL_ERROR_MODEL_NOT_DYNAMIC) ||
         (code >= ACL_ERROR_GE_PARAM_INVALID && code <= ACL_ERROR_GE_DATATYPE_INVALID) ||
         (code >= ACL_ERROR_GE_INTERNAL_ERROR &&
          code <= ACL_ERROR_GE_EXEC_LOAD_KERNEL_PARTITION_FAILED) ||
         code == ACL_ERROR_GE_GET_TENSOR_INFO || code == ACL_ERROR_GE_FAILURE ||
         code == ACL_ERROR_RT_SOC_VERSION;
}

std::string Describe(std::string_view what, aclError code, std::string_view text) {
  std::string message = fmt::format("{} failed with {} ({})", what, code, AclErrorName(code));
  if (!text.empty()) {
    message += fmt::format(": {}", text);
  }
  if (const std::string_view remedy = RemedyOf(code); !remedy.empty()) {
    message += fmt::format("; {}", remedy);
  }
  return message;
}

}  // namespace

std::string_view AclErrorName(aclError code) {
  const CodeName* found =
      std::lower_bound(std::begin(kCodeNames), std::end(kCodeNames), code,
                       [](const CodeName& named, aclError value) { return named.code < value; });
  if (found != std::end(kCodeNames) && found->code == code) {
    return found->name;
  }
  switch (code / kClassUnit) {
    case 1:
      return "a caller's fault";
    case 2:
      return "a resource that is used up or missing";
    case 3:
      return "a refusal by the service";
    case 5:
      return "an internal or device fault";
    default:
      return "an unknown code";
  }
}

absl::Status AclStatus(const Symbols& symbols, std::string_view what, aclError code) {
  if (code == ACL_SUCCESS) {
    return absl::OkStatus();
  }
  return AclStatusWithText(what, code, TakeRecentErrorText(symbols));
}

absl::Status AclStatusWithText(std::string_view what, aclError code, std::string_view text) {
  if (code == ACL_SUCCESS) {
    return absl::OkStatus();
  }
  return MakeStatus(StatusCodeOf(code), Describe(what, code, text));
}

absl::Status ModelFileStatus(const Symbols& symbols, std::string_view what, aclError code) {
  if (!IsModelRefusal(code)) {
    return AclStatus(symbols, what, code);
  }
  return InvalidArgument("{}; compile the model for this device and release with a matching ATC",
                         Describe(what, code, TakeRecentErrorText(symbols)));
}

std::string TakeRecentErrorText(const Symbols& symbols) {
  if (symbols.aclGetRecentErrMsg == nullptr) {
    return "";
  }
  const char* text = symbols.aclGetRecentErrMsg();
  if (text == nullptr) {
    return "";
  }
  // CANN's text has several lines; a status is one.
  std::string line;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = rest.find_first_of("\r\n");
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const size_t first = part.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
      continue;
    }
    line += fmt::format("{}{}", line.empty() ? "" : " | ",
                        part.substr(first, part.find_last_not_of(" \t") - first + 1));
  }
  return line;
}

}  // namespace omserve::acl
