// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/error_table.h"

#include <algorithm>
#include <iterator>

namespace omserve::acl {
namespace {

constexpr aclError kClassUnit = 100000;

constexpr ErrorClass ClassOf(aclError code) {
  switch (code / kClassUnit) {
    case 0:
      return code == ACL_SUCCESS ? ErrorClass::kNone : ErrorClass::kUnknown;
    case 1:
      return ErrorClass::kCaller;
    case 2:
      return ErrorClass::kResource;
    case 3:
      return ErrorClass::kBusiness;
    case 5:
      return ErrorClass::kDevice;
    default:
      return ErrorClass::kUnknown;
  }
}

// What the columns but the words are, for all codes of a kind.
struct Kind {
  absl::StatusCode status_code;
  Retry retry;
  bool device_unusable = false;
  bool refuses_model = false;
};
constexpr Kind kBug = {absl::StatusCode::kInternal, Retry::kNever};
constexpr Kind kSetting = {absl::StatusCode::kInvalidArgument, Retry::kNever};
constexpr Kind kModel = {
    .status_code = absl::StatusCode::kInternal, .retry = Retry::kNever, .refuses_model = true};
// What the graph engine says of a file it does not like, and of itself.
constexpr Kind kGraphFault = {
    .status_code = absl::StatusCode::kInternal, .retry = Retry::kLater, .refuses_model = true};
constexpr Kind kInput = {absl::StatusCode::kInternal, Retry::kNever};
constexpr Kind kUnsupported = {absl::StatusCode::kInternal, Retry::kNever};
constexpr Kind kAbsent = {absl::StatusCode::kUnavailable, Retry::kNever};
constexpr Kind kUsedUp = {absl::StatusCode::kResourceExhausted, Retry::kLater};
constexpr Kind kBusy = {absl::StatusCode::kUnavailable, Retry::kLater};
constexpr Kind kFault = {absl::StatusCode::kInternal, Retry::kLater};
// The context is lost: what the exception interrupted cannot be undone, and later tasks are
// refused.
constexpr Kind kLost = {absl::StatusCode::kInternal, Retry::kAfterReset, true};

constexpr std::string_view kNothing;
constexpr std::string_view kReport = "report it as a bug of omserve, with the log around it";
constexpr std::string_view kRecompile =
    "compile the model again for this chip, with an ATC that is not newer than the CANN runtime";
constexpr std::string_view kCheckConfig =
    "correct the file that `device.config_file` names, or remove the setting";
constexpr std::string_view kCheckDriver =
    "check that the NPU driver is loaded (`npu-smi info`), that /dev/davinci* exist in this "
    "container and that the driver is not older than CANN asks for; without an NPU use the CPU "
    "device's libascendcl.so that is shipped with omserve";
constexpr std::string_view kFreeMemory =
    "load fewer models or instances, or smaller gears, or end other programs on the device";
constexpr std::string_view kFewerInstances = "load fewer models or instances";
constexpr std::string_view kUpdateCann = "run a newer CANN, or turn the feature off";
constexpr std::string_view kReset =
    "reset the device or restart omserved; if it comes back, look at `npu-smi info` and the "
    "device's log";
constexpr std::string_view kResetModel =
    "reset the device or restart omserved; if the same model or input brings it back, check its "
    "index and shape inputs and the device's log";
constexpr std::string_view kReadLog =
    "read the device's words and log (ASCEND_PROCESS_LOG_PATH or ~/ascend/log)";
constexpr std::string_view kTryAgain = "try again";
constexpr std::string_view kCheckInputs = "check the values that the request sends";

constexpr ErrorInfo Row(aclError code, std::string_view name, const Kind& kind,
                        std::string_view cause, std::string_view advice) {
  return {.code = code,
          .name = name,
          .cause = cause,
          .advice = advice,
          .status_code = kind.status_code,
          .error_class = ClassOf(code),
          .retry = kind.retry,
          .device_unusable = kind.device_unusable,
          .refuses_model = kind.refuses_model};
}

// Ascending: searched by halves.
#define ROW(name, kind, cause, advice) Row(name, #name, kind, cause, advice)
constexpr ErrorInfo kTable[] = {
    Row(ACL_SUCCESS, "ACL_SUCCESS", {absl::StatusCode::kOk, Retry::kNever}, "it worked", kNothing),

    // The call and its order; the file for aclInit; models, by the codes of 2021.
    ROW(ACL_ERROR_INVALID_PARAM, kBug, "an argument is null, out of range or names nothing",
        kReport),
    ROW(ACL_ERROR_UNINITIALIZE, kBug, "AscendCL was called before aclInit or after aclFinalize",
        kReport),
    ROW(ACL_ERROR_REPEAT_INITIALIZE, kBug,
        "aclInit was called again, which AscendCL counts and otherwise ignores", kNothing),
    ROW(ACL_ERROR_INVALID_FILE, kSetting, "the file for aclInit is not there or not readable",
        kCheckConfig),
    ROW(ACL_ERROR_WRITE_FILE, kSetting, "a file of AscendCL cannot be written",
        "check the free space and the rights of the folders in `device.config_file`"),
    ROW(ACL_ERROR_INVALID_FILE_SIZE, kSetting, "the file for aclInit is empty or too large",
        kCheckConfig),
    ROW(ACL_ERROR_PARSE_FILE, kSetting, "the file for aclInit is not JSON", kCheckConfig),
    ROW(ACL_ERROR_FILE_MISSING_ATTR, kSetting, "the file for aclInit lacks a key", kCheckConfig),
    ROW(ACL_ERROR_FILE_ATTR_INVALID, kSetting, "the file for aclInit has a key with a wrong value",
        kCheckConfig),
    ROW(ACL_ERROR_INVALID_DUMP_CONFIG, kSetting, "the `dump` part of the file for aclInit is wrong",
        kCheckConfig),
    ROW(ACL_ERROR_INVALID_PROFILING_CONFIG, kSetting,
        "the `profiler` part of the file for aclInit is wrong", kCheckConfig),
    ROW(ACL_ERROR_INVALID_MODEL_ID, kModel, "no model with this number is loaded", kReport),
    ROW(ACL_ERROR_DESERIALIZE_MODEL, kModel, "the .om file is damaged or of another format",
        kRecompile),
    ROW(ACL_ERROR_PARSE_MODEL, kModel, "the .om file cannot be understood", kRecompile),
    ROW(ACL_ERROR_READ_MODEL_FAILURE, kModel, "the .om file cannot be read",
        "check that the file is there and readable"),
    ROW(ACL_ERROR_MODEL_SIZE_INVALID, kModel,
        "the .om file is shorter or longer than its header says",
        "copy the file again, or compile the model again"),
    ROW(ACL_ERROR_MODEL_MISSING_ATTR, kModel, "the .om file lacks an attribute", kRecompile),
    ROW(ACL_ERROR_MODEL_INPUT_NOT_MATCH, kModel,
        "the inputs handed over are not the model's in number or size", kReport),
    ROW(ACL_ERROR_MODEL_OUTPUT_NOT_MATCH, kModel,
        "the outputs handed over are not the model's in number or size", kReport),
    ROW(ACL_ERROR_MODEL_NOT_DYNAMIC, kModel,
        "a size was chosen for a model that was compiled for one size only", kReport),
    ROW(ACL_ERROR_REPEAT_SUBSCRIBE, kBug, "the stream reports to a thread already", kReport),
    ROW(ACL_ERROR_STREAM_NOT_SUBSCRIBE, kBug, "the stream reports to no thread", kReport),
    ROW(ACL_ERROR_THREAD_NOT_SUBSCRIBE, kBug, "no stream reports to the thread", kReport),
    ROW(ACL_ERROR_WAIT_CALLBACK_TIMEOUT, kFault, "no report came within the time given", kTryAgain),
    ROW(ACL_ERROR_REPEAT_FINALIZE, kBug, "aclFinalize was called again", kReport),
    ROW(ACL_ERROR_COMPILING_STUB_MODE, kAbsent, "this is CANN's stub library for linking",
        "put the real libascendcl.so of the CANN runtime first in the loader's path"),
    ROW(ACL_ERROR_PROF_ALREADY_RUN, kSetting, "profiling is on already",
        "leave `profiler` out of the file for aclInit, or stop the other profiler"),
    ROW(ACL_ERROR_PROF_NOT_RUN, kSetting, "profiling is not on", kReport),
    ROW(ACL_ERROR_DUMP_ALREADY_RUN, kSetting, "dumping is on already",
        "leave `dump` out of the file for aclInit"),
    ROW(ACL_ERROR_DUMP_NOT_RUN, kSetting, "dumping is not on", kReport),

    // The runtime: arguments, contexts, streams, events.
    ROW(ACL_ERROR_RT_PARAM_INVALID, kBug, "the device runtime got a wrong argument", kReport),
    ROW(ACL_ERROR_RT_INVALID_DEVICEID, kBug, "there is no device of this number",
        "choose a device below the device count; check ASCEND_RT_VISIBLE_DEVICES"),
    ROW(ACL_ERROR_RT_CONTEXT_NULL, kBug, "the calling thread has chosen no device", kReport),
    ROW(ACL_ERROR_RT_STREAM_CONTEXT, kBug, "the stream belongs to another context", kReport),
    ROW(ACL_ERROR_RT_MODEL_CONTEXT, kBug, "the model belongs to another context", kReport),
    ROW(ACL_ERROR_RT_STREAM_MODEL, kBug, "the stream is not the model's", kReport),
    ROW(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, kBug, "the event was made without a time", kReport),
    ROW(ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL, kBug,
        "the later event was reached before the earlier", kReport),
    ROW(ACL_ERROR_RT_ADDR_UNALIGNED, kBug, "an address is not aligned as the device needs it",
        kReport),
    ROW(ACL_ERROR_RT_FILE_OPEN, kFault, "a file of the device runtime cannot be opened", kReadLog),
    ROW(ACL_ERROR_RT_FILE_WRITE, kFault, "a file of the device runtime cannot be written",
        "check the free space of the log folder"),
    ROW(ACL_ERROR_RT_STREAM_SUBSCRIBE, kBug, "the stream reports to a thread already", kReport),
    ROW(ACL_ERROR_RT_THREAD_SUBSCRIBE, kBug, "no stream reports to the thread, or not here",
        kReport),
    ROW(ACL_ERROR_RT_GROUP_NOT_SET, kBug, "no group of cores was chosen", kReport),
    ROW(ACL_ERROR_RT_GROUP_NOT_CREATE, kBug, "the group of cores does not exist", kReport),
    ROW(ACL_ERROR_RT_STREAM_NO_CB_REG, kBug, "a callback was launched on a stream without a thread",
        kReport),
    ROW(ACL_ERROR_RT_INVALID_MEMORY_TYPE, kBug, "the memory is of a kind this call does not take",
        kReport),
    ROW(ACL_ERROR_RT_INVALID_HANDLE, kBug, "a handle names nothing, or something destroyed",
        kReport),
    ROW(ACL_ERROR_RT_INVALID_MALLOC_TYPE, kBug, "memory of this kind cannot be asked for", kReport),
    ROW(ACL_ERROR_RT_WAIT_TIMEOUT, kFault, "waiting took longer than the time given", kTryAgain),
    ROW(ACL_ERROR_RT_TASK_TIMEOUT, kFault, "a task took longer than the time given", kTryAgain),
    ROW(ACL_ERROR_RT_SYSPARAMOPT_NOT_SET, kBug, "a system parameter was read that nobody set",
        kReport),
    ROW(ACL_ERROR_RT_DEVICE_TASK_ABORT, kBusy, "the device's tasks are being dropped", kTryAgain),
    Row(107023, "ACL_ERROR_RT_STREAM_ABORT", kBusy, "the stream's tasks are being dropped",
        kTryAgain),
    Row(107035, "ACL_ERROR_RT_TASK_ABORT_STOP", kBusy, "the task was stopped on request",
        kTryAgain),
    Row(107037, "ACL_ERROR_RT_MODEL_RUNNING", kBug, "the model is running", kReport),

    // The graph engine: models and their sizes.
    ROW(ACL_ERROR_GE_PARAM_INVALID, kModel,
        "the graph engine refuses an argument: tensors that do not match, or a model of another "
        "chip or release",
        kRecompile),
    ROW(ACL_ERROR_GE_EXEC_NOT_INIT, kBug, "the graph engine was not started", kReport),
    ROW(ACL_ERROR_GE_EXEC_MODEL_PATH_INVALID, kModel, "the .om file is not at its path",
        "check that the file is there and readable"),
    ROW(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID, kModel, "no model with this number is loaded", kReport),
    ROW(ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID, kModel,
        "the .om file is shorter or longer than its header says",
        "copy the file again, or compile the model again"),
    ROW(ACL_ERROR_GE_EXEC_MODEL_ADDR_INVALID, kModel, "the model's memory is not usable", kReport),
    ROW(ACL_ERROR_GE_EXEC_MODEL_QUEUE_ID_INVALID, kModel, "no queue with this number exists",
        kReport),
    ROW(ACL_ERROR_GE_EXEC_LOAD_MODEL_REPEATED, kModel, "the model is loaded already", kReport),
    ROW(ACL_ERROR_GE_DYNAMIC_INPUT_ADDR_INVALID, kModel, "the input that names the size is missing",
        kReport),
    ROW(ACL_ERROR_GE_DYNAMIC_INPUT_LENGTH_INVALID, kModel,
        "the input that names the size is too short", kReport),
    ROW(ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID, kModel,
        "the model was not compiled for this batch size or these dims",
        "compile the model with this size among its gears"),
    ROW(ACL_ERROR_GE_AIPP_BATCH_EMPTY, kModel, "the model's picture step has no batch size",
        kRecompile),
    ROW(ACL_ERROR_GE_AIPP_NOT_EXIST, kModel, "the model has no picture step", kReport),
    ROW(ACL_ERROR_GE_AIPP_MODE_INVALID, kModel, "the model's picture step is of the other mode",
        kRecompile),
    ROW(ACL_ERROR_GE_OP_TASK_TYPE_INVALID, kModel,
        "the .om file holds a task this runtime does not know", kRecompile),
    ROW(ACL_ERROR_GE_OP_KERNEL_TYPE_INVALID, kModel,
        "the .om file holds a program this runtime does not know", kRecompile),
    ROW(ACL_ERROR_GE_PLGMGR_PATH_INVALID, kAbsent, "a plug-in of the graph engine is not found",
        "source CANN's set_env.sh before omserved starts"),
    ROW(ACL_ERROR_GE_FORMAT_INVALID, kModel, "a tensor has a layout that does not fit", kRecompile),
    ROW(ACL_ERROR_GE_SHAPE_INVALID, kModel, "a tensor has a shape that does not fit", kRecompile),
    ROW(ACL_ERROR_GE_DATATYPE_INVALID, kModel, "a tensor has a data type that does not fit",
        kRecompile),

    // Later codes of the common part.
    Row(148046, "ACL_ERROR_PROF_REPEAT_SUBSCRIBE", kSetting, "the model is being profiled already",
        "stop the other profiler"),
    Row(148047, "ACL_ERROR_PROF_API_CONFLICT", kSetting, "two ways of profiling are in use at once",
        "stop the other profiler"),
    Row(148048, "ACL_ERROR_INVALID_MAX_OPQUEUE_NUM", kSetting,
        "`max_opqueue_num` in the file for aclInit is wrong", kCheckConfig),
    Row(148049, "ACL_ERROR_INVALID_OPP_PATH", kAbsent, "ASCEND_OPP_PATH names no operator package",
        "source CANN's set_env.sh before omserved starts"),
    Row(148050, "ACL_ERROR_OP_UNSUPPORTED_DYNAMIC", kUnsupported,
        "an operator cannot take a changing shape", kRecompile),
    Row(148051, "ACL_ERROR_RELATIVE_RESOURCE_NOT_CLEARED", kBug,
        "what depends on the object was not released before it", kReport),
    Row(148052, "ACL_ERROR_UNSUPPORTED_JPEG", kUnsupported, "the chip cannot decode this JPEG",
        "send the picture in another form"),
    Row(148053, "ACL_ERROR_INVALID_BUNDLE_MODEL_ID", kModel,
        "no model with this number is in the bundle", kReport),

    // Resources.
    ROW(ACL_ERROR_BAD_ALLOC, kUsedUp, "the host has no memory left of the size asked for",
        "give the process more memory, or load fewer models"),
    ROW(ACL_ERROR_API_NOT_SUPPORT, kUnsupported, "this CANN or chip does not have the function",
        kUpdateCann),
    ROW(ACL_ERROR_INVALID_DEVICE, kAbsent, "the device cannot be used, or is not the current one",
        kCheckDriver),
    ROW(ACL_ERROR_MEMORY_ADDRESS_UNALIGNED, kBug,
        "an address is not aligned as the device needs it", kReport),
    ROW(ACL_ERROR_RESOURCE_NOT_MATCH, kBug, "an object of another device or context was used",
        kReport),
    ROW(ACL_ERROR_INVALID_RESOURCE_HANDLE, kBug, "a handle names nothing, or something destroyed",
        kReport),
    ROW(ACL_ERROR_FEATURE_UNSUPPORTED, kUnsupported, "this CANN or chip does not have the feature",
        kUpdateCann),
    ROW(ACL_ERROR_PROF_MODULES_UNSUPPORTED, kUnsupported,
        "this CANN or chip cannot profile what was asked for", kCheckConfig),
    ROW(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, kUnsupported,
        "this CANN, driver or chip does not have the feature", kUpdateCann),
    ROW(ACL_ERROR_RT_MEMORY_ALLOCATION, kUsedUp,
        "the device has no memory left of the size asked for", kFreeMemory),
    ROW(ACL_ERROR_RT_MEMORY_FREE, kFault, "device memory could not be given back", kReadLog),
    ROW(ACL_ERROR_RT_AICORE_OVER_FLOW, kInput, "a value overflowed on an AI Core", kCheckInputs),
    ROW(ACL_ERROR_RT_NO_DEVICE, kAbsent, "no NPU is visible to this process",
        "check the driver (`npu-smi info`), /dev/davinci* and ASCEND_RT_VISIBLE_DEVICES"),
    ROW(ACL_ERROR_RT_RESOURCE_ALLOC_FAIL, kUsedUp,
        "the device runtime has nothing left of what was asked for (streams, events, models)",
        kFewerInstances),
    ROW(ACL_ERROR_RT_NO_PERMISSION, kAbsent, "this user may not use the device",
        "run omserved as a member of the driver's group (HwHiAiUser), with rights on "
        "/dev/davinci*"),
    ROW(ACL_ERROR_RT_NO_EVENT_RESOURCE, kUsedUp, "the device's events are used up",
        kFewerInstances),
    ROW(ACL_ERROR_RT_NO_STREAM_RESOURCE, kUsedUp,
        "the device's streams are used up, those inside loaded models included", kFewerInstances),
    ROW(ACL_ERROR_RT_NO_NOTIFY_RESOURCE, kUsedUp, "the device's notifications are used up",
        kFewerInstances),
    ROW(ACL_ERROR_RT_NO_MODEL_RESOURCE, kUsedUp, "the device holds as many models as it can",
        kFewerInstances),
    ROW(ACL_ERROR_RT_NO_CDQ_RESOURCE, kUsedUp, "the device's descriptor queues are used up",
        kFewerInstances),
    ROW(ACL_ERROR_RT_OVER_LIMIT, kUsedUp, "a limit of the device runtime is reached",
        kFewerInstances),
    ROW(ACL_ERROR_RT_QUEUE_EMPTY, kBusy, "the device's queue has nothing to give", kTryAgain),
    ROW(ACL_ERROR_RT_QUEUE_FULL, kBusy, "the device's queue is full", kTryAgain),
    ROW(ACL_ERROR_RT_REPEATED_INIT, kBug, "a part of the device runtime was started twice",
        kReport),
    ROW(ACL_ERROR_RT_AIVEC_OVER_FLOW, kInput, "a value overflowed on a vector core", kCheckInputs),
    ROW(ACL_ERROR_RT_OVER_FLOW, kInput, "a value overflowed", kCheckInputs),
    ROW(ACL_ERROR_RT_DEVICE_OOM, kUsedUp, "the device's memory is used up", kFreeMemory),
    ROW(ACL_ERROR_GE_MEMORY_ALLOCATION, kUsedUp, "the graph engine got no memory for the model",
        kFreeMemory),
    ROW(ACL_ERROR_GE_MEMORY_OPERATE_FAILED, kFault,
        "the graph engine could not fill or copy memory", kReadLog),
    ROW(ACL_ERROR_GE_DEVICE_MEMORY_OPERATE_FAILED, kFault,
        "the graph engine could not fill or copy device memory", kReadLog),

    // Refusals by a service.
    ROW(ACL_ERROR_STORAGE_OVER_LIMIT, kUsedUp, "the disk holds as much as it may",
        "make room in the folders of logs, dumps and profiles"),
    Row(345102, "ACL_ERROR_GE_SUBHEALTHY", kBusy, "a device is not healthy", kReset),
    Row(345103, "ACL_ERROR_GE_USER_RAISE_EXCEPTION", kFault, "the model's own code gave up",
        kReadLog),
    Row(345104, "ACL_ERROR_GE_DATA_NOT_ALIGNED", kFault,
        "data of a model's parts do not fit together", kReadLog),

    // Faults without a part: the device's words say more.
    ROW(ACL_ERROR_INTERNAL_ERROR, kFault, "AscendCL met an unexpected state", kReadLog),
    ROW(ACL_ERROR_FAILURE, kFault, "AscendCL failed without saying why", kReadLog),
    ROW(ACL_ERROR_GE_FAILURE, kGraphFault, "the graph engine failed without saying why", kReadLog),
    ROW(ACL_ERROR_RT_FAILURE, kFault, "the device runtime failed without saying why", kReadLog),
    ROW(ACL_ERROR_DRV_FAILURE, kAbsent, "the NPU driver failed or is not there", kCheckDriver),
    ROW(ACL_ERROR_PROFILING_FAILURE, kFault, "profiling failed",
        "leave `profiler` out of the file for aclInit"),

    // Faults of the runtime and the chip.
    ROW(ACL_ERROR_RT_INTERNAL_ERROR, kFault, "the device runtime met an unexpected state",
        kReadLog),
    ROW(ACL_ERROR_RT_TS_ERROR, kFault, "the chip's task scheduler failed", kReset),
    ROW(ACL_ERROR_RT_STREAM_TASK_FULL, kBusy, "the stream holds as many tasks as it can",
        kTryAgain),
    ROW(ACL_ERROR_RT_STREAM_TASK_EMPTY, kFault, "the stream holds no task", kReport),
    ROW(ACL_ERROR_RT_STREAM_NOT_COMPLETE, kFault, "the stream still has work", kTryAgain),
    ROW(ACL_ERROR_RT_END_OF_SEQUENCE, kFault, "the model's data source is at its end", kReport),
    ROW(ACL_ERROR_RT_EVENT_NOT_COMPLETE, kFault, "the event has not been reached", kTryAgain),
    ROW(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, kFault, "a context could not be released", kReadLog),
    ROW(ACL_ERROR_RT_SOC_VERSION, kModel, "the model was compiled for another chip", kRecompile),
    ROW(ACL_ERROR_RT_TASK_TYPE_NOT_SUPPORT, kUnsupported,
        "the chip does not know a task of the model", kRecompile),
    ROW(ACL_ERROR_RT_LOST_HEARTBEAT, kLost, "the device does not answer any more", kReset),
    ROW(ACL_ERROR_RT_MODEL_EXECUTE, kLost, "the model failed while it ran", kResetModel),
    ROW(ACL_ERROR_RT_REPORT_TIMEOUT, kFault, "no report came within the time given", kTryAgain),
    ROW(ACL_ERROR_RT_SYS_DMA, kFault, "the chip's copy engine failed", kReadLog),
    ROW(ACL_ERROR_RT_AICORE_TIMEOUT, kLost, "a program ran too long on an AI Core", kResetModel),
    ROW(ACL_ERROR_RT_AICORE_EXCEPTION, kLost,
        "a program stopped on an AI Core, often at an address out of range", kResetModel),
    ROW(ACL_ERROR_RT_AICORE_TRAP_EXCEPTION, kLost, "a program on an AI Core stopped itself",
        kResetModel),
    ROW(ACL_ERROR_RT_AICPU_TIMEOUT, kFault, "a program ran too long on an AI CPU", kReadLog),
    ROW(ACL_ERROR_RT_AICPU_EXCEPTION, kFault,
        "a program stopped on an AI CPU, often at an index out of range", kCheckInputs),
    Row(507019, "ACL_ERROR_RT_AICPU_DATADUMP_RSP_ERR", kFault, "an AI CPU could not dump data",
        "leave `dump` out of the file for aclInit"),
    Row(507020, "ACL_ERROR_RT_AICPU_MODEL_RSP_ERR", kFault,
        "an AI CPU could not load, run or unload its part of the model", kReadLog),
    Row(507021, "ACL_ERROR_RT_PROFILING_ERROR", kFault, "profiling failed",
        "leave `profiler` out of the file for aclInit"),
    Row(507022, "ACL_ERROR_RT_IPC_ERROR", kFault, "memory or events of another process failed",
        kReadLog),
    Row(507023, "ACL_ERROR_RT_MODEL_ABORT_NORMAL", kBusy, "the model was stopped on request",
        kTryAgain),
    Row(507027, "ACL_ERROR_RT_KERNEL_LOOKUP", kModel, "a program of the model is not registered",
        kRecompile),
    Row(507032, "ACL_ERROR_RT_PROGRAM_USE_OUT", kUsedUp,
        "the device runtime holds as many programs as it can", kFewerInstances),
    Row(507033, "ACL_ERROR_RT_DEV_SETUP_ERROR", kAbsent, "the device cannot be opened",
        kCheckDriver),
    ROW(ACL_ERROR_RT_VECTOR_CORE_TIMEOUT, kLost, "a program ran too long on a vector core",
        kResetModel),
    ROW(ACL_ERROR_RT_VECTOR_CORE_EXCEPTION, kLost,
        "a program stopped on a vector core, often at an address out of range", kResetModel),
    Row(507036, "ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION", kLost,
        "a program on a vector core stopped itself", kResetModel),
    Row(507042, "ACL_ERROR_RT_AICORE_TRAP_READ_OVERFLOW", kLost,
        "a program on an AI Core read out of range", kResetModel),
    Row(507043, "ACL_ERROR_RT_AICORE_TRAP_WRITE_OVERFLOW", kLost,
        "a program on an AI Core wrote out of range", kResetModel),
    Row(507044, "ACL_ERROR_RT_VECTOR_CORE_TRAP_READ_OVERFLOW", kLost,
        "a program on a vector core read out of range", kResetModel),
    Row(507045, "ACL_ERROR_RT_VECTOR_CORE_TRAP_WRITE_OVERFLOW", kLost,
        "a program on a vector core wrote out of range", kResetModel),
    ROW(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, kFault,
        "the stream was not through within the time given; its work goes on", kTryAgain),
    ROW(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT, kFault,
        "the event was not reached within the time given; the work before it goes on", kTryAgain),
    ROW(ACL_ERROR_RT_FFTS_PLUS_TIMEOUT, kLost, "a part of the model ran too long on the chip",
        kResetModel),
    Row(507049, "ACL_ERROR_RT_FFTS_PLUS_EXCEPTION", kLost,
        "a part of the model stopped on the chip", kResetModel),
    Row(507050, "ACL_ERROR_RT_FFTS_PLUS_TRAP_EXCEPTION", kLost,
        "a part of the model stopped itself on the chip", kResetModel),
    ROW(ACL_ERROR_RT_SEND_MSG, kFault, "a message could not be sent to the device", kReset),
    ROW(ACL_ERROR_RT_COPY_DATA, kFault, "data could not be copied to or from the device", kReset),
    ROW(ACL_ERROR_RT_DEVICE_MTE_ERROR, kLost, "the chip's memory access failed", kReset),
    Row(507054, "ACL_ERROR_RT_HBM_MULTI_BIT_ECC_ERROR", kLost,
        "the device's memory lost bits that it could not repair", kReset),
    Row(507055, "ACL_ERROR_RT_SUSPECT_DEVICE_MEM_ERROR", kLost,
        "the device's memory may have lost bits", kReset),
    Row(507056, "ACL_ERROR_RT_LINK_ERROR", kFault, "the link between devices failed", kReset),
    Row(507057, "ACL_ERROR_RT_SUSPECT_REMOTE_ERROR", kFault, "another device may have failed",
        kReset),
    ROW(ACL_ERROR_RT_DRV_INTERNAL_ERROR, kAbsent, "the NPU driver met an unexpected state",
        kCheckDriver),
    ROW(ACL_ERROR_RT_AICPU_INTERNAL_ERROR, kFault, "an AI CPU met an unexpected state", kReset),
    ROW(ACL_ERROR_RT_SOCKET_CLOSE, kLost, "the connection to the device is closed", kReset),
    ROW(ACL_ERROR_RT_AICPU_INFO_LOAD_RSP_ERR, kFault, "an AI CPU could not load its operators",
        "install CANN's operator package for this chip, and source its set_env.sh"),

    // Faults of the graph engine, most of them while a model is loaded.
    ROW(ACL_ERROR_GE_INTERNAL_ERROR, kGraphFault, "the graph engine met an unexpected state",
        kReadLog),
    ROW(ACL_ERROR_GE_LOAD_MODEL, kModel, "the graph engine cannot load the model", kRecompile),
    ROW(ACL_ERROR_GE_EXEC_LOAD_MODEL_PARTITION_FAILED, kModel,
        "the graph in the .om file cannot be loaded", kRecompile),
    ROW(ACL_ERROR_GE_EXEC_LOAD_WEIGHT_PARTITION_FAILED, kModel,
        "the weights in the .om file cannot be loaded", kRecompile),
    ROW(ACL_ERROR_GE_EXEC_LOAD_TASK_PARTITION_FAILED, kModel,
        "the tasks in the .om file cannot be loaded", kRecompile),
    ROW(ACL_ERROR_GE_EXEC_LOAD_KERNEL_PARTITION_FAILED, kModel,
        "the programs in the .om file cannot be loaded", kRecompile),
    ROW(ACL_ERROR_GE_EXEC_RELEASE_MODEL_DATA, kFault, "the model's data could not be released",
        kReadLog),
    ROW(ACL_ERROR_GE_COMMAND_HANDLE, kFault, "the graph engine could not carry out a command",
        kReadLog),
    ROW(ACL_ERROR_GE_GET_TENSOR_INFO, kModel, "the model does not tell its tensors", kRecompile),
    ROW(ACL_ERROR_GE_UNLOAD_MODEL, kFault, "the model could not be unloaded", kReadLog),
    ROW(ACL_ERROR_GE_MODEL_EXECUTE_TIMEOUT, kFault, "the model ran longer than it may", kReadLog),
};
#undef ROW

constexpr bool Ascends(const ErrorInfo* begin, const ErrorInfo* end) {
  for (const ErrorInfo* next = begin + 1; next < end; ++next) {
    if (next->code <= (next - 1)->code) {
      return false;
    }
  }
  return true;
}
static_assert(Ascends(std::begin(kTable), std::end(kTable)), "searched by halves");

// For codes of releases to come, and of parts of CANN that omserve does not use.
constexpr ErrorInfo Unlisted(std::string_view name, aclError any_code, const Kind& kind) {
  ErrorInfo info =
      Row(any_code, name, kind, "this release of omserve does not know the code", kReadLog);
  info.code = kUnlistedCode;
  return info;
}
constexpr ErrorInfo kUnlistedRows[] = {
    Unlisted("a caller's fault", 1 * kClassUnit, kBug),
    Unlisted("a resource that is used up or missing", 2 * kClassUnit, kUsedUp),
    Unlisted("a refusal by the service", 3 * kClassUnit, kFault),
    Unlisted("an internal or device fault", 5 * kClassUnit, kFault),
    Unlisted("an unknown code", kUnlistedCode, kFault),
};

}  // namespace

std::span<const ErrorInfo> ErrorTable() { return kTable; }

const ErrorInfo& DescribeError(aclError code) {
  const auto* const found = std::ranges::lower_bound(kTable, code, {}, &ErrorInfo::code);
  if (found != std::end(kTable) && found->code == code) {
    return *found;
  }
  const auto* const unlisted =
      std::ranges::find(kUnlistedRows, ClassOf(code), &ErrorInfo::error_class);
  return unlisted != std::end(kUnlistedRows) ? *unlisted : *std::rbegin(kUnlistedRows);
}

std::string_view ErrorClassName(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kNone:
      return "none";
    case ErrorClass::kCaller:
      return "caller";
    case ErrorClass::kResource:
      return "resource";
    case ErrorClass::kBusiness:
      return "business";
    case ErrorClass::kDevice:
      return "device";
    case ErrorClass::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view RetryName(Retry retry) {
  switch (retry) {
    case Retry::kNever:
      return "no";
    case Retry::kLater:
      return "the same request later";
    case Retry::kAfterReset:
      break;
  }
  return "after the device is reset";
}

}  // namespace omserve::acl
