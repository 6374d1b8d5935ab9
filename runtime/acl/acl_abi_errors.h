/* SPDX-License-Identifier: Apache-2.0 */
/* AscendCL's C interface: error codes. See acl_abi.h.
 *
 * First digit: 1 caller, 2 resources, 3 business, 5 internal or device. */
#pragma once

#include "runtime/acl/acl_abi_types.h"

/* NOLINTBEGIN: a C interface with names that are given. */
#define ACL_SUCCESS 0
#define ACL_ERROR_NONE 0

static const aclError ACL_ERROR_INVALID_PARAM = 100000;
static const aclError ACL_ERROR_UNINITIALIZE = 100001;
static const aclError ACL_ERROR_REPEAT_INITIALIZE = 100002;
static const aclError ACL_ERROR_INVALID_FILE = 100003;
static const aclError ACL_ERROR_WRITE_FILE = 100004;
static const aclError ACL_ERROR_INVALID_FILE_SIZE = 100005;
static const aclError ACL_ERROR_PARSE_FILE = 100006;
static const aclError ACL_ERROR_FILE_MISSING_ATTR = 100007;
static const aclError ACL_ERROR_FILE_ATTR_INVALID = 100008;
static const aclError ACL_ERROR_INVALID_DUMP_CONFIG = 100009;
static const aclError ACL_ERROR_INVALID_PROFILING_CONFIG = 100010;
static const aclError ACL_ERROR_INVALID_MODEL_ID = 100011;
static const aclError ACL_ERROR_DESERIALIZE_MODEL = 100012;
static const aclError ACL_ERROR_PARSE_MODEL = 100013;
static const aclError ACL_ERROR_READ_MODEL_FAILURE = 100014;
static const aclError ACL_ERROR_MODEL_SIZE_INVALID = 100015;
static const aclError ACL_ERROR_MODEL_MISSING_ATTR = 100016;
static const aclError ACL_ERROR_MODEL_INPUT_NOT_MATCH = 100017;
static const aclError ACL_ERROR_MODEL_OUTPUT_NOT_MATCH = 100018;
static const aclError ACL_ERROR_MODEL_NOT_DYNAMIC = 100019;
static const aclError ACL_ERROR_REPEAT_SUBSCRIBE = 100033;
static const aclError ACL_ERROR_STREAM_NOT_SUBSCRIBE = 100034;
static const aclError ACL_ERROR_THREAD_NOT_SUBSCRIBE = 100035;
static const aclError ACL_ERROR_WAIT_CALLBACK_TIMEOUT = 100036;
static const aclError ACL_ERROR_REPEAT_FINALIZE = 100037;
static const aclError ACL_ERROR_COMPILING_STUB_MODE = 100039;
static const aclError ACL_ERROR_PROF_ALREADY_RUN = 100042;
static const aclError ACL_ERROR_PROF_NOT_RUN = 100043;
static const aclError ACL_ERROR_DUMP_ALREADY_RUN = 100044;
static const aclError ACL_ERROR_DUMP_NOT_RUN = 100045;

static const aclError ACL_ERROR_RT_PARAM_INVALID = 107000;
static const aclError ACL_ERROR_RT_INVALID_DEVICEID = 107001;
static const aclError ACL_ERROR_RT_CONTEXT_NULL = 107002;
static const aclError ACL_ERROR_RT_STREAM_CONTEXT = 107003;
static const aclError ACL_ERROR_RT_MODEL_CONTEXT = 107004;
static const aclError ACL_ERROR_RT_STREAM_MODEL = 107005;
static const aclError ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID = 107006;
static const aclError ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL = 107007;
static const aclError ACL_ERROR_RT_ADDR_UNALIGNED = 107008;
static const aclError ACL_ERROR_RT_FILE_OPEN = 107009;
static const aclError ACL_ERROR_RT_FILE_WRITE = 107010;
static const aclError ACL_ERROR_RT_STREAM_SUBSCRIBE = 107011;
static const aclError ACL_ERROR_RT_THREAD_SUBSCRIBE = 107012;
static const aclError ACL_ERROR_RT_GROUP_NOT_SET = 107013;
static const aclError ACL_ERROR_RT_GROUP_NOT_CREATE = 107014;
static const aclError ACL_ERROR_RT_STREAM_NO_CB_REG = 107015;
static const aclError ACL_ERROR_RT_INVALID_MEMORY_TYPE = 107016;
static const aclError ACL_ERROR_RT_INVALID_HANDLE = 107017;
static const aclError ACL_ERROR_RT_INVALID_MALLOC_TYPE = 107018;
static const aclError ACL_ERROR_RT_WAIT_TIMEOUT = 107019;
static const aclError ACL_ERROR_RT_TASK_TIMEOUT = 107020;
static const aclError ACL_ERROR_RT_SYSPARAMOPT_NOT_SET = 107021;
static const aclError ACL_ERROR_RT_DEVICE_TASK_ABORT = 107022;
static const aclError ACL_ERROR_RT_STREAM_ABORT = 107023;

static const aclError ACL_ERROR_GE_PARAM_INVALID = 145000;
static const aclError ACL_ERROR_GE_EXEC_NOT_INIT = 145001;
static const aclError ACL_ERROR_GE_EXEC_MODEL_PATH_INVALID = 145002;
static const aclError ACL_ERROR_GE_EXEC_MODEL_ID_INVALID = 145003;
static const aclError ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID = 145006;
static const aclError ACL_ERROR_GE_EXEC_MODEL_ADDR_INVALID = 145007;
static const aclError ACL_ERROR_GE_EXEC_MODEL_QUEUE_ID_INVALID = 145008;
static const aclError ACL_ERROR_GE_EXEC_LOAD_MODEL_REPEATED = 145009;
static const aclError ACL_ERROR_GE_DYNAMIC_INPUT_ADDR_INVALID = 145011;
static const aclError ACL_ERROR_GE_DYNAMIC_INPUT_LENGTH_INVALID = 145012;
static const aclError ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID = 145013;
static const aclError ACL_ERROR_GE_AIPP_BATCH_EMPTY = 145014;
static const aclError ACL_ERROR_GE_AIPP_NOT_EXIST = 145015;
static const aclError ACL_ERROR_GE_AIPP_MODE_INVALID = 145016;
static const aclError ACL_ERROR_GE_OP_TASK_TYPE_INVALID = 145017;
static const aclError ACL_ERROR_GE_OP_KERNEL_TYPE_INVALID = 145018;
static const aclError ACL_ERROR_GE_PLGMGR_PATH_INVALID = 145019;
static const aclError ACL_ERROR_GE_FORMAT_INVALID = 145020;
static const aclError ACL_ERROR_GE_SHAPE_INVALID = 145021;
static const aclError ACL_ERROR_GE_DATATYPE_INVALID = 145022;

static const aclError ACL_ERROR_PROF_REPEAT_SUBSCRIBE = 148046;
static const aclError ACL_ERROR_PROF_API_CONFLICT = 148047;
static const aclError ACL_ERROR_INVALID_MAX_OPQUEUE_NUM_CONFIG = 148048;
static const aclError ACL_ERROR_INVALID_OPP_PATH = 148049;
static const aclError ACL_ERROR_OP_UNSUPPORTED_DYNAMIC = 148050;
static const aclError ACL_ERROR_RELATIVE_RESOURCE_NOT_CLEARED = 148051;
static const aclError ACL_ERROR_UNSUPPORTED_JPEG = 148052;
static const aclError ACL_ERROR_INVALID_BUNDLE_MODEL_ID = 148053;

static const aclError ACL_ERROR_BAD_ALLOC = 200000;
static const aclError ACL_ERROR_API_NOT_SUPPORT = 200001;
static const aclError ACL_ERROR_INVALID_DEVICE = 200002;
static const aclError ACL_ERROR_MEMORY_ADDRESS_UNALIGNED = 200003;
static const aclError ACL_ERROR_RESOURCE_NOT_MATCH = 200004;
static const aclError ACL_ERROR_INVALID_RESOURCE_HANDLE = 200005;
static const aclError ACL_ERROR_FEATURE_UNSUPPORTED = 200006;
static const aclError ACL_ERROR_PROF_MODULES_UNSUPPORTED = 200007;

static const aclError ACL_ERROR_RT_FEATURE_NOT_SUPPORT = 207000;
static const aclError ACL_ERROR_RT_MEMORY_ALLOCATION = 207001;
static const aclError ACL_ERROR_RT_MEMORY_FREE = 207002;
static const aclError ACL_ERROR_RT_AICORE_OVER_FLOW = 207003;
static const aclError ACL_ERROR_RT_NO_DEVICE = 207004;
static const aclError ACL_ERROR_RT_RESOURCE_ALLOC_FAIL = 207005;
static const aclError ACL_ERROR_RT_NO_PERMISSION = 207006;
static const aclError ACL_ERROR_RT_NO_EVENT_RESOURCE = 207007;
static const aclError ACL_ERROR_RT_NO_STREAM_RESOURCE = 207008;
static const aclError ACL_ERROR_RT_NO_NOTIFY_RESOURCE = 207009;
static const aclError ACL_ERROR_RT_NO_MODEL_RESOURCE = 207010;
static const aclError ACL_ERROR_RT_NO_CDQ_RESOURCE = 207011;
static const aclError ACL_ERROR_RT_OVER_LIMIT = 207012;
static const aclError ACL_ERROR_RT_QUEUE_EMPTY = 207013;
static const aclError ACL_ERROR_RT_QUEUE_FULL = 207014;
static const aclError ACL_ERROR_RT_REPEATED_INIT = 207015;
static const aclError ACL_ERROR_RT_AIVEC_OVER_FLOW = 207016;
static const aclError ACL_ERROR_RT_OVER_FLOW = 207017;
static const aclError ACL_ERROR_RT_DEVICE_OOM = 207018;

static const aclError ACL_ERROR_GE_MEMORY_ALLOCATION = 245000;
static const aclError ACL_ERROR_GE_MEMORY_OPERATE_FAILED = 245001;
static const aclError ACL_ERROR_GE_DEVICE_MEMORY_OPERATE_FAILED = 245002;

static const aclError ACL_ERROR_STORAGE_OVER_LIMIT = 300000;
static const aclError ACL_ERROR_GE_SUBHEALTHY = 345102;
static const aclError ACL_ERROR_GE_USER_RAISE_EXCEPTION = 345103;
static const aclError ACL_ERROR_GE_DATA_NOT_ALIGNED = 345104;

static const aclError ACL_ERROR_INTERNAL_ERROR = 500000;
static const aclError ACL_ERROR_FAILURE = 500001;
static const aclError ACL_ERROR_GE_FAILURE = 500002;
static const aclError ACL_ERROR_RT_FAILURE = 500003;
static const aclError ACL_ERROR_DRV_FAILURE = 500004;
static const aclError ACL_ERROR_PROFILING_FAILURE = 500005;

static const aclError ACL_ERROR_RT_INTERNAL_ERROR = 507000;
static const aclError ACL_ERROR_RT_TS_ERROR = 507001;
static const aclError ACL_ERROR_RT_STREAM_TASK_FULL = 507002;
static const aclError ACL_ERROR_RT_STREAM_TASK_EMPTY = 507003;
static const aclError ACL_ERROR_RT_STREAM_NOT_COMPLETE = 507004;
static const aclError ACL_ERROR_RT_END_OF_SEQUENCE = 507005;
static const aclError ACL_ERROR_RT_EVENT_NOT_COMPLETE = 507006;
static const aclError ACL_ERROR_RT_CONTEXT_RELEASE_ERROR = 507007;
static const aclError ACL_ERROR_RT_SOC_VERSION = 507008;
static const aclError ACL_ERROR_RT_TASK_TYPE_NOT_SUPPORT = 507009;
static const aclError ACL_ERROR_RT_LOST_HEARTBEAT = 507010;
static const aclError ACL_ERROR_RT_MODEL_EXECUTE = 507011;
static const aclError ACL_ERROR_RT_REPORT_TIMEOUT = 507012;
static const aclError ACL_ERROR_RT_SYS_DMA = 507013;
static const aclError ACL_ERROR_RT_AICORE_TIMEOUT = 507014;
static const aclError ACL_ERROR_RT_AICORE_EXCEPTION = 507015;
static const aclError ACL_ERROR_RT_AICORE_TRAP_EXCEPTION = 507016;
static const aclError ACL_ERROR_RT_AICPU_TIMEOUT = 507017;
static const aclError ACL_ERROR_RT_AICPU_EXCEPTION = 507018;
static const aclError ACL_ERROR_RT_VECTOR_CORE_TIMEOUT = 507034;
static const aclError ACL_ERROR_RT_VECTOR_CORE_EXCEPTION = 507035;
static const aclError ACL_ERROR_RT_STREAM_SYNC_TIMEOUT = 507046;
static const aclError ACL_ERROR_RT_EVENT_SYNC_TIMEOUT = 507047;
static const aclError ACL_ERROR_RT_FFTS_PLUS_TIMEOUT = 507048;
static const aclError ACL_ERROR_RT_SEND_MSG = 507051;
static const aclError ACL_ERROR_RT_COPY_DATA = 507052;
static const aclError ACL_ERROR_RT_DEVICE_MTE_ERROR = 507053;
static const aclError ACL_ERROR_RT_DRV_INTERNAL_ERROR = 507899;
static const aclError ACL_ERROR_RT_AICPU_INTERNAL_ERROR = 507900;
static const aclError ACL_ERROR_RT_SOCKET_CLOSE = 507901;
static const aclError ACL_ERROR_RT_AICPU_INFO_LOAD_RSP_ERR = 507902;

static const aclError ACL_ERROR_GE_INTERNAL_ERROR = 545000;
static const aclError ACL_ERROR_GE_LOAD_MODEL = 545001;
static const aclError ACL_ERROR_GE_EXEC_LOAD_MODEL_PARTITION_FAILED = 545002;
static const aclError ACL_ERROR_GE_EXEC_LOAD_WEIGHT_PARTITION_FAILED = 545003;
static const aclError ACL_ERROR_GE_EXEC_LOAD_TASK_PARTITION_FAILED = 545004;
static const aclError ACL_ERROR_GE_EXEC_LOAD_KERNEL_PARTITION_FAILED = 545005;
static const aclError ACL_ERROR_GE_EXEC_RELEASE_MODEL_DATA = 545006;
static const aclError ACL_ERROR_GE_COMMAND_HANDLE = 545007;
static const aclError ACL_ERROR_GE_GET_TENSOR_INFO = 545008;
static const aclError ACL_ERROR_GE_UNLOAD_MODEL = 545009;
static const aclError ACL_ERROR_GE_MODEL_EXECUTE_TIMEOUT = 545601;
/* NOLINTEND */
