/* SPDX-License-Identifier: Apache-2.0 */
/* AscendCL's C interface as omserve uses it: types, numbers, layouts and functions, restated by us
 * as interface facts. Valid for CANN 5.0 to 9.x, in which no function was removed and no parameter
 * type changed. The classic set exists in every release; a function that came later says since
 * which one, and a caller binds it weakly.
 *
 * Compiles as C and as C++. Names are the interface's own, not ours. An `aclError` is 0 for
 * success. "host" and "device" pointers are both void*: where ACL_HOST is the run mode, device
 * addresses are a separate address space that the host must not touch.
 */
#pragma once

/* NOLINTBEGIN: a C interface with names that are given. */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define OMSERVE_ACL_NOEXCEPT noexcept
/* C programs may pass any number for an enum; with this C++ may receive any. */
#define OMSERVE_ACL_INT : int
extern "C" {
#else
#define OMSERVE_ACL_NOEXCEPT
#define OMSERVE_ACL_INT
#endif

/* libascendcl.so is compiled with hidden visibility; this is the one way out of it. */
#define OMSERVE_ACL_API __attribute__((visibility("default")))

/* Types. */

typedef int aclError;
typedef void* aclrtContext;
typedef void* aclrtStream; /* NULL is the current context's default stream. */
typedef void* aclrtEvent;
typedef uint16_t aclFloat16; /* IEEE 754 binary16 bits. */

typedef struct aclDataBuffer aclDataBuffer;
typedef struct aclmdlDataset aclmdlDataset;
typedef struct aclmdlDesc aclmdlDesc;
typedef struct aclTensorDesc aclTensorDesc;
typedef struct aclmdlConfigHandle aclmdlConfigHandle;
typedef struct aclmdlAIPP aclmdlAIPP;
typedef struct aclAippInfo aclAippInfo;
typedef struct aclrtExceptionInfo aclrtExceptionInfo;
typedef struct aclrtUtilizationExtendInfo aclrtUtilizationExtendInfo;

typedef enum aclrtRunMode OMSERVE_ACL_INT { ACL_DEVICE = 0, ACL_HOST = 1 } aclrtRunMode;

typedef enum aclLogLevel OMSERVE_ACL_INT {
  ACL_DEBUG = 0,
  ACL_INFO = 1,
  ACL_WARNING = 2,
  ACL_ERROR = 3
} aclLogLevel;

typedef enum aclrtTsId OMSERVE_ACL_INT {
  ACL_TS_ID_AICORE = 0,
  ACL_TS_ID_AIVECTOR = 1,
  ACL_TS_ID_RESERVED = 2
} aclrtTsId;

typedef enum aclrtDeviceStatus OMSERVE_ACL_INT {
  ACL_RT_DEVICE_STATUS_NORMAL = 0,
  ACL_RT_DEVICE_STATUS_ABNORMAL = 1,
  ACL_RT_DEVICE_STATUS_END = 0xFFFF
} aclrtDeviceStatus;

typedef enum aclrtStreamStatus OMSERVE_ACL_INT {
  ACL_STREAM_STATUS_COMPLETE = 0,
  ACL_STREAM_STATUS_NOT_READY = 1,
  ACL_STREAM_STATUS_RESERVED = 0xFFFF
} aclrtStreamStatus;

/* The old query. The newer one below has the opposite numbers. */
typedef enum aclrtEventStatus OMSERVE_ACL_INT {
  ACL_EVENT_STATUS_COMPLETE = 0,
  ACL_EVENT_STATUS_NOT_READY = 1,
  ACL_EVENT_STATUS_RESERVED = 2
} aclrtEventStatus;

typedef enum aclrtEventRecordedStatus OMSERVE_ACL_INT {
  ACL_EVENT_RECORDED_STATUS_NOT_READY = 0,
  ACL_EVENT_RECORDED_STATUS_COMPLETE = 1
} aclrtEventRecordedStatus;

typedef enum aclrtEventWaitStatus OMSERVE_ACL_INT {
  ACL_EVENT_WAIT_STATUS_COMPLETE = 0,
  ACL_EVENT_WAIT_STATUS_NOT_READY = 1,
  ACL_EVENT_WAIT_STATUS_RESERVED = 0xFFFF
} aclrtEventWaitStatus;

typedef enum aclrtCallbackBlockType OMSERVE_ACL_INT {
  ACL_CALLBACK_NO_BLOCK = 0, /* Later tasks of the stream go on at once. */
  ACL_CALLBACK_BLOCK = 1     /* Later tasks wait until the callback has returned. */
} aclrtCallbackBlockType;

/* Bits from 0x0100 up may be OR-ed to the policies below 8 where a release accepts it. */
typedef enum aclrtMemMallocPolicy OMSERVE_ACL_INT {
  ACL_MEM_MALLOC_HUGE_FIRST = 0,
  ACL_MEM_MALLOC_HUGE_ONLY = 1,
  ACL_MEM_MALLOC_NORMAL_ONLY = 2,
  ACL_MEM_MALLOC_HUGE_FIRST_P2P = 3,
  ACL_MEM_MALLOC_HUGE_ONLY_P2P = 4,
  ACL_MEM_MALLOC_NORMAL_ONLY_P2P = 5,
  ACL_MEM_MALLOC_HUGE1G_ONLY = 6,
  ACL_MEM_MALLOC_HUGE1G_ONLY_P2P = 7,
  ACL_MEM_TYPE_LOW_BAND_WIDTH = 0x0100,
  ACL_MEM_TYPE_HIGH_BAND_WIDTH = 0x1000,
  ACL_MEM_ACCESS_USER_SPACE_READONLY = 0x100000
} aclrtMemMallocPolicy;

typedef enum aclrtMemcpyKind OMSERVE_ACL_INT {
  ACL_MEMCPY_HOST_TO_HOST = 0,
  ACL_MEMCPY_HOST_TO_DEVICE = 1,
  ACL_MEMCPY_DEVICE_TO_HOST = 2,
  ACL_MEMCPY_DEVICE_TO_DEVICE = 3,
  ACL_MEMCPY_DEFAULT = 4,
  ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE = 5,
  ACL_MEMCPY_INNER_DEVICE_TO_DEVICE = 6,
  ACL_MEMCPY_INTER_DEVICE_TO_DEVICE = 7
} aclrtMemcpyKind;

typedef enum aclrtMemAttr OMSERVE_ACL_INT {
  ACL_DDR_MEM = 0,
  ACL_HBM_MEM = 1,
  ACL_DDR_MEM_HUGE = 2,
  ACL_DDR_MEM_NORMAL = 3,
  ACL_HBM_MEM_HUGE = 4,
  ACL_HBM_MEM_NORMAL = 5,
  ACL_DDR_MEM_P2P_HUGE = 6,
  ACL_DDR_MEM_P2P_NORMAL = 7,
  ACL_HBM_MEM_P2P_HUGE = 8,
  ACL_HBM_MEM_P2P_NORMAL = 9,
  ACL_HBM_MEM_HUGE1G = 10,
  ACL_HBM_MEM_P2P_HUGE1G = 11,
  ACL_MEM_NORMAL = 12,
  ACL_MEM_HUGE = 13,
  ACL_MEM_HUGE1G = 14,
  ACL_MEM_P2P_NORMAL = 15,
  ACL_MEM_P2P_HUGE = 16,
  ACL_MEM_P2P_HUGE1G = 17
} aclrtMemAttr;

/* These numbers are not those of ge.proto.DataType, in which FLOAT is 1. There is no 5. */
typedef enum aclDataType OMSERVE_ACL_INT {
  ACL_DT_UNDEFINED = -1,
  ACL_FLOAT = 0,
  ACL_FLOAT16 = 1,
  ACL_INT8 = 2,
  ACL_INT32 = 3,
  ACL_UINT8 = 4,
  ACL_INT16 = 6,
  ACL_UINT16 = 7,
  ACL_UINT32 = 8,
  ACL_INT64 = 9,
  ACL_UINT64 = 10,
  ACL_DOUBLE = 11,
  ACL_BOOL = 12,
  ACL_STRING = 13,
  ACL_COMPLEX64 = 16,
  ACL_COMPLEX128 = 17,
  ACL_BF16 = 27,
  ACL_INT4 = 29,
  ACL_UINT1 = 30,
  ACL_COMPLEX32 = 33,
  ACL_HIFLOAT8 = 34,
  ACL_FLOAT8_E5M2 = 35,
  ACL_FLOAT8_E4M3FN = 36,
  ACL_FLOAT8_E8M0 = 37,
  ACL_FLOAT6_E3M2 = 38,
  ACL_FLOAT6_E2M3 = 39,
  ACL_FLOAT4_E2M1 = 40,
  ACL_FLOAT4_E1M2 = 41
} aclDataType;

typedef enum aclFormat OMSERVE_ACL_INT {
  ACL_FORMAT_UNDEFINED = -1,
  ACL_FORMAT_NCHW = 0,
  ACL_FORMAT_NHWC = 1,
  ACL_FORMAT_ND = 2,
  ACL_FORMAT_NC1HWC0 = 3,
  ACL_FORMAT_FRACTAL_Z = 4,
  ACL_FORMAT_NC1HWC0_C04 = 12,
  ACL_FORMAT_HWCN = 16,
  ACL_FORMAT_NDHWC = 27,
  ACL_FORMAT_FRACTAL_NZ = 29,
  ACL_FORMAT_NCDHW = 30,
  ACL_FORMAT_NDC1HWC0 = 32,
  ACL_FRACTAL_Z_3D = 33,
  ACL_FORMAT_NC = 35,
  ACL_FORMAT_NCL = 47
} aclFormat;

typedef enum aclmdlInputAippType OMSERVE_ACL_INT {
  ACL_DATA_WITHOUT_AIPP = 0,
  ACL_DATA_WITH_STATIC_AIPP = 1,
  ACL_DATA_WITH_DYNAMIC_AIPP = 2,
  ACL_DYNAMIC_AIPP_NODE = 3
} aclmdlInputAippType;

/* Of aclmdlSetConfigOpt: attrValue points at the value; for pointers, at the pointer. */
typedef enum aclmdlConfigAttr OMSERVE_ACL_INT {
  ACL_MDL_PRIORITY_INT32 = 0,
  ACL_MDL_LOAD_TYPE_SIZET = 1,
  ACL_MDL_PATH_PTR = 2,
  ACL_MDL_MEM_ADDR_PTR = 3,
  ACL_MDL_MEM_SIZET = 4,
  ACL_MDL_WEIGHT_ADDR_PTR = 5,
  ACL_MDL_WEIGHT_SIZET = 6,
  ACL_MDL_WORKSPACE_ADDR_PTR = 7,
  ACL_MDL_WORKSPACE_SIZET = 8,
  ACL_MDL_INPUTQ_NUM_SIZET = 9,
  ACL_MDL_INPUTQ_ADDR_PTR = 10,
  ACL_MDL_OUTPUTQ_NUM_SIZET = 11,
  ACL_MDL_OUTPUTQ_ADDR_PTR = 12,
  ACL_MDL_WORKSPACE_MEM_OPTIMIZE = 13
} aclmdlConfigAttr;

/* Values of ACL_MDL_LOAD_TYPE_SIZET. */
#define ACL_MDL_LOAD_FROM_FILE 1
#define ACL_MDL_LOAD_FROM_FILE_WITH_MEM 2
#define ACL_MDL_LOAD_FROM_MEM 3
#define ACL_MDL_LOAD_FROM_MEM_WITH_MEM 4
#define ACL_MDL_LOAD_FROM_FILE_WITH_Q 5
#define ACL_MDL_LOAD_FROM_MEM_WITH_Q 6

#define ACL_MAX_DIM_CNT 128
#define ACL_MAX_TENSOR_NAME_LEN 128
#define ACL_MAX_BATCH_NUM 128
#define ACL_MAX_HW_NUM 128
#define ACL_MAX_SHAPE_COUNT 128
#define ACL_INVALID_NODE_INDEX 0xFFFFFFFF
#define ACL_DYNAMIC_TENSOR_NAME "ascend_mbatch_shape_data"
#define ACL_DYNAMIC_AIPP_NAME "ascend_dynamic_aipp_data"

#define ACL_STREAM_FAST_LAUNCH 0x01U
#define ACL_STREAM_FAST_SYNC 0x02U
#define ACL_STREAM_PERSISTENT 0x04U
#define ACL_STREAM_HUGE 0x08U
#define ACL_STREAM_CPU_SCHEDULE 0x10U
#define ACL_STREAM_DEVICE_USE_ONLY 0x20U

#define ACL_EVENT_SYNC 0x01U
#define ACL_EVENT_CAPTURE_STREAM_PROGRESS 0x02U
#define ACL_EVENT_TIME_LINE 0x08U
#define ACL_EVENT_DEVICE_USE_ONLY 0x10U
#define ACL_EVENT_EXTERNAL 0x20U
#define ACL_EVENT_IPC 0x40U

typedef struct aclmdlIODims {
  char name[ACL_MAX_TENSOR_NAME_LEN];
  size_t dimCount;
  int64_t dims[ACL_MAX_DIM_CNT];
} aclmdlIODims;

typedef struct aclmdlBatch {
  size_t batchCount; /* 0: the model has no batch gears. */
  uint64_t batch[ACL_MAX_BATCH_NUM];
} aclmdlBatch;

typedef struct aclmdlHW {
  size_t hwCount;
  uint64_t hw[ACL_MAX_HW_NUM][2]; /* [0] height, [1] width. */
} aclmdlHW;

/* Percent; -1 where the chip does not say. utilizationExtend must be NULL. */
typedef struct aclrtUtilizationInfo {
  int32_t cubeUtilization;
  int32_t vectorUtilization;
  int32_t aicpuUtilization;
  int32_t memoryUtilization;
  aclrtUtilizationExtendInfo* utilizationExtend;
} aclrtUtilizationInfo;

typedef void (*aclrtCallback)(void* userData);
typedef void (*aclrtHostFunc)(void* args);
typedef void (*aclrtExceptionInfoCallback)(aclrtExceptionInfo* exceptionInfo);

/* Error codes. First digit: 1 caller, 2 resources, 3 business, 5 internal or device. */

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

/* Init, errors, version. */

/* Process-wide; NULL and "" mean the defaults. A repetition returns 100002 and still counts. */
OMSERVE_ACL_API aclError aclInit(const char* configPath) OMSERVE_ACL_NOEXCEPT;
/* Tears down whatever the count. 100037 when not initialised. */
OMSERVE_ACL_API aclError aclFinalize(void) OMSERVE_ACL_NOEXCEPT;
/* Since 8.3. Counts down, tears down at 0; refCount may be NULL. */
OMSERVE_ACL_API aclError aclFinalizeReference(uint64_t* refCount) OMSERVE_ACL_NOEXCEPT;
/* Since 5.0.2. This thread's newest failures, then cleared; valid until the thread's next call. */
OMSERVE_ACL_API const char* aclGetRecentErrMsg(void) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtGetVersion(int32_t* majorVersion, int32_t* minorVersion,
                                         int32_t* patchVersion) OMSERVE_ACL_NOEXCEPT;
/* Since 5.0.2. A static string; NULL on failure. */
OMSERVE_ACL_API const char* aclrtGetSocName(void) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtGetRunMode(aclrtRunMode* runMode) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtSetExceptionInfoCallback(aclrtExceptionInfoCallback callback)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API uint32_t aclrtGetTaskIdFromExceptionInfo(const aclrtExceptionInfo* info)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API uint32_t aclrtGetStreamIdFromExceptionInfo(const aclrtExceptionInfo* info)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API uint32_t aclrtGetThreadIdFromExceptionInfo(const aclrtExceptionInfo* info)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API uint32_t aclrtGetDeviceIdFromExceptionInfo(const aclrtExceptionInfo* info)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API uint32_t aclrtGetErrorCodeFromExceptionInfo(const aclrtExceptionInfo* info)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API void aclAppLog(aclLogLevel logLevel, const char* func, const char* file,
                               uint32_t line, const char* fmt, ...) OMSERVE_ACL_NOEXCEPT;

/* Devices. */

/* Counted per device; makes the device and its default context current in this thread. */
OMSERVE_ACL_API aclError aclrtSetDevice(int32_t deviceId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtResetDevice(int32_t deviceId) OMSERVE_ACL_NOEXCEPT;
/* Since 8.1. Ignores the count. */
OMSERVE_ACL_API aclError aclrtResetDeviceForce(int32_t deviceId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtGetDevice(int32_t* deviceId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtGetDeviceCount(uint32_t* count) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtSynchronizeDevice(void) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. Milliseconds; -1 for ever. */
OMSERVE_ACL_API aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout) OMSERVE_ACL_NOEXCEPT;
/* Since 7.0. */
OMSERVE_ACL_API aclError aclrtGetDeviceUtilizationRate(
    int32_t deviceId, aclrtUtilizationInfo* utilizationInfo) OMSERVE_ACL_NOEXCEPT;
/* Since 7.0. */
OMSERVE_ACL_API aclError aclrtQueryDeviceStatus(int32_t deviceId, aclrtDeviceStatus* deviceStatus)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtSetTsDevice(aclrtTsId tsId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtDeviceCanAccessPeer(int32_t* canAccessPeer, int32_t deviceId,
                                                  int32_t peerDeviceId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtDeviceEnablePeerAccess(int32_t peerDeviceId,
                                                     uint32_t flags) OMSERVE_ACL_NOEXCEPT;

/* Contexts: bound to threads; a new thread has none (107002). */

OMSERVE_ACL_API aclError aclrtCreateContext(aclrtContext* context,
                                            int32_t deviceId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtDestroyContext(aclrtContext context) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtSetCurrentContext(aclrtContext context) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtGetCurrentContext(aclrtContext* context) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. */
OMSERVE_ACL_API aclError aclrtCtxGetCurrentDefaultStream(aclrtStream* stream) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. */
OMSERVE_ACL_API aclError aclrtGetPrimaryCtxState(int32_t deviceId, uint32_t* flags,
                                                 int32_t* active) OMSERVE_ACL_NOEXCEPT;

/* Streams. */

OMSERVE_ACL_API aclError aclrtCreateStream(aclrtStream* stream) OMSERVE_ACL_NOEXCEPT;
/* Since 6.3. */
OMSERVE_ACL_API aclError aclrtCreateStreamWithConfig(aclrtStream* stream, uint32_t priority,
                                                     uint32_t flag) OMSERVE_ACL_NOEXCEPT;
/* Waits for pending tasks. */
OMSERVE_ACL_API aclError aclrtDestroyStream(aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
/* Since 6.3. Drops tasks that have not begun. */
OMSERVE_ACL_API aclError aclrtDestroyStreamForce(aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
/* Task errors surface here. */
OMSERVE_ACL_API aclError aclrtSynchronizeStream(aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
/* Since 6.3. Milliseconds, -1 for ever; 507046 on expiry, and the work goes on. */
OMSERVE_ACL_API aclError aclrtSynchronizeStreamWithTimeout(aclrtStream stream,
                                                           int32_t timeout) OMSERVE_ACL_NOEXCEPT;
/* Since 7.0. Never blocks. */
OMSERVE_ACL_API aclError aclrtStreamQuery(aclrtStream stream,
                                          aclrtStreamStatus* status) OMSERVE_ACL_NOEXCEPT;
/* Since 6.3. 0 continue on failure (default), 1 stop on failure. */
OMSERVE_ACL_API aclError aclrtSetStreamFailureMode(aclrtStream stream,
                                                   uint64_t mode) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtStreamWaitEvent(aclrtStream stream,
                                              aclrtEvent event) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. Seconds; 0 for ever. */
OMSERVE_ACL_API aclError aclrtStreamWaitEventWithTimeout(aclrtStream stream, aclrtEvent event,
                                                         int32_t timeout) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. */
OMSERVE_ACL_API aclError aclrtGetStreamAvailableNum(uint32_t* streamCount) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. */
OMSERVE_ACL_API aclError aclrtStreamGetId(aclrtStream stream,
                                          int32_t* streamId) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. */
OMSERVE_ACL_API aclError aclrtDeviceGetStreamPriorityRange(
    int32_t* leastPriority, int32_t* greatestPriority) OMSERVE_ACL_NOEXCEPT;

/* Events. */

OMSERVE_ACL_API aclError aclrtCreateEvent(aclrtEvent* event) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtCreateEventWithFlag(aclrtEvent* event,
                                                  uint32_t flag) OMSERVE_ACL_NOEXCEPT;
/* Since 7.1. Not for aclrtResetEvent, aclrtQueryEvent, aclrtQueryEventWaitStatus. */
OMSERVE_ACL_API aclError aclrtCreateEventExWithFlag(aclrtEvent* event,
                                                    uint32_t flag) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtDestroyEvent(aclrtEvent event) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtRecordEvent(aclrtEvent event,
                                          aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtResetEvent(aclrtEvent event, aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtQueryEvent(aclrtEvent event,
                                         aclrtEventStatus* status) OMSERVE_ACL_NOEXCEPT;
/* Since 5.1. */
OMSERVE_ACL_API aclError aclrtQueryEventStatus(aclrtEvent event, aclrtEventRecordedStatus* status)
    OMSERVE_ACL_NOEXCEPT;
/* Since 5.0.3. */
OMSERVE_ACL_API aclError aclrtQueryEventWaitStatus(aclrtEvent event, aclrtEventWaitStatus* status)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtSynchronizeEvent(aclrtEvent event) OMSERVE_ACL_NOEXCEPT;
/* Since 7.0. Milliseconds, -1 for ever; 507047 on expiry. */
OMSERVE_ACL_API aclError aclrtSynchronizeEventWithTimeout(aclrtEvent event,
                                                          int32_t timeout) OMSERVE_ACL_NOEXCEPT;
/* Milliseconds. 107006 without ACL_EVENT_TIME_LINE, 107007 when the end is before the start. */
OMSERVE_ACL_API aclError aclrtEventElapsedTime(float* ms, aclrtEvent startEvent,
                                               aclrtEvent endEvent) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. Microseconds since the device started. */
OMSERVE_ACL_API aclError aclrtEventGetTimestamp(aclrtEvent event,
                                                uint64_t* timestamp) OMSERVE_ACL_NOEXCEPT;
/* Since 5.0.2. Seconds, for waits made later in this process. */
OMSERVE_ACL_API aclError aclrtSetOpWaitTimeout(uint32_t timeout) OMSERVE_ACL_NOEXCEPT;

/* Callbacks. */

/* threadId is pthread_self() of the thread that calls aclrtProcessReport. */
OMSERVE_ACL_API aclError aclrtSubscribeReport(uint64_t threadId,
                                              aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtLaunchCallback(aclrtCallback fn, void* userData,
                                             aclrtCallbackBlockType blockType,
                                             aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
/* Milliseconds, -1 for ever; 507012 on expiry. Runs pending callbacks in the calling thread. */
OMSERVE_ACL_API aclError aclrtProcessReport(int32_t timeout) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtUnSubscribeReport(uint64_t threadId,
                                                aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. Always blocks the stream; not to be mixed with aclrtLaunchCallback on one stream. */
OMSERVE_ACL_API aclError aclrtLaunchHostFunc(aclrtStream stream, aclrtHostFunc fn,
                                             void* args) OMSERVE_ACL_NOEXCEPT;

/* Memory. */

/* Starts on 64 bytes; the size is rounded up to 32 and 32 are added. Not zeroed; 0 is an error. */
OMSERVE_ACL_API aclError aclrtMalloc(void** devPtr, size_t size,
                                     aclrtMemMallocPolicy policy) OMSERVE_ACL_NOEXCEPT;
/* Since 7.0. Without the added 32. */
OMSERVE_ACL_API aclError aclrtMallocAlign32(void** devPtr, size_t size,
                                            aclrtMemMallocPolicy policy) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtMallocCached(void** devPtr, size_t size,
                                           aclrtMemMallocPolicy policy) OMSERVE_ACL_NOEXCEPT;
/* At once: the caller is sure that no task uses it. */
OMSERVE_ACL_API aclError aclrtFree(void* devPtr) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtMallocHost(void** hostPtr, size_t size) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtFreeHost(void* hostPtr) OMSERVE_ACL_NOEXCEPT;
/* Synchronous, but does not synchronise streams. */
OMSERVE_ACL_API aclError aclrtMemcpy(void* dst, size_t destMax, const void* src, size_t count,
                                     aclrtMemcpyKind kind) OMSERVE_ACL_NOEXCEPT;
/* Asynchronous only with pinned host memory; else returns after the copy. */
OMSERVE_ACL_API aclError aclrtMemcpyAsync(void* dst, size_t destMax, const void* src, size_t count,
                                          aclrtMemcpyKind kind,
                                          aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
/* Since 5.0.3. */
OMSERVE_ACL_API aclError aclrtMemcpy2d(void* dst, size_t dpitch, const void* src, size_t spitch,
                                       size_t width, size_t height,
                                       aclrtMemcpyKind kind) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtMemset(void* devPtr, size_t maxCount, int32_t value,
                                     size_t count) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtMemsetAsync(void* devPtr, size_t maxCount, int32_t value,
                                          size_t count, aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
/* Bytes, of the current device; an attribute that the chip lacks gives 0 and 0. */
OMSERVE_ACL_API aclError aclrtGetMemInfo(aclrtMemAttr attr, size_t* free,
                                         size_t* total) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtMemFlush(void* devPtr, size_t size) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtMemInvalidate(void* devPtr, size_t size) OMSERVE_ACL_NOEXCEPT;

/* Data buffers, datasets, tensor descriptions. */

/* Holds pointer and size, owns nothing. */
OMSERVE_ACL_API aclDataBuffer* aclCreateDataBuffer(void* data, size_t size) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclDestroyDataBuffer(const aclDataBuffer* dataBuffer) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclUpdateDataBuffer(aclDataBuffer* dataBuffer, void* data,
                                             size_t size) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API void* aclGetDataBufferAddr(const aclDataBuffer* dataBuffer) OMSERVE_ACL_NOEXCEPT;
/* Truncates to 32 bits. */
OMSERVE_ACL_API uint32_t aclGetDataBufferSize(const aclDataBuffer* dataBuffer) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API size_t aclGetDataBufferSizeV2(const aclDataBuffer* dataBuffer) OMSERVE_ACL_NOEXCEPT;

OMSERVE_ACL_API aclmdlDataset* aclmdlCreateDataset(void) OMSERVE_ACL_NOEXCEPT;
/* Frees the dataset and its tensor descriptions, not the buffers. */
OMSERVE_ACL_API aclError aclmdlDestroyDataset(const aclmdlDataset* dataset) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlAddDatasetBuffer(aclmdlDataset* dataset,
                                                aclDataBuffer* dataBuffer) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API size_t aclmdlGetDatasetNumBuffers(const aclmdlDataset* dataset)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclDataBuffer* aclmdlGetDatasetBuffer(const aclmdlDataset* dataset,
                                                      size_t index) OMSERVE_ACL_NOEXCEPT;
/* Since 5.0.2. */
OMSERVE_ACL_API aclError aclmdlSetDatasetTensorDesc(aclmdlDataset* dataset,
                                                    aclTensorDesc* tensorDesc,
                                                    size_t index) OMSERVE_ACL_NOEXCEPT;
/* Since 5.0.3. */
OMSERVE_ACL_API aclTensorDesc* aclmdlGetDatasetTensorDesc(const aclmdlDataset* dataset,
                                                          size_t index) OMSERVE_ACL_NOEXCEPT;

OMSERVE_ACL_API aclTensorDesc* aclCreateTensorDesc(aclDataType dataType, int numDims,
                                                   const int64_t* dims,
                                                   aclFormat format) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API void aclDestroyTensorDesc(const aclTensorDesc* desc) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclDataType aclGetTensorDescType(const aclTensorDesc* desc) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclFormat aclGetTensorDescFormat(const aclTensorDesc* desc) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API size_t aclGetTensorDescNumDims(const aclTensorDesc* desc) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclGetTensorDescDimV2(const aclTensorDesc* desc, size_t index,
                                               int64_t* dimSize) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API size_t aclGetTensorDescSize(const aclTensorDesc* desc) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclTensorDesc* aclGetTensorDescByIndex(aclTensorDesc* desc,
                                                       size_t index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API const char* aclGetTensorDescName(aclTensorDesc* desc) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API void aclSetTensorDescName(aclTensorDesc* desc,
                                          const char* name) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API size_t aclDataTypeSize(aclDataType dataType) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API float aclFloat16ToFloat(aclFloat16 value) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclFloat16 aclFloatToFloat16(float value) OMSERVE_ACL_NOEXCEPT;

/* Models: load, execute and unload under one context. */

/* The library takes work and weight memory itself. */
OMSERVE_ACL_API aclError aclmdlLoadFromFile(const char* modelPath,
                                            uint32_t* modelId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlLoadFromMem(const void* model, size_t modelSize,
                                           uint32_t* modelId) OMSERVE_ACL_NOEXCEPT;
/* The caller's work and weight memory, which outlive the model; NULL,0 leaves a part to the
 * library. weightPtr may be shared by loads of one model, workPtr by models that never run at one
 * time. */
OMSERVE_ACL_API aclError aclmdlLoadFromFileWithMem(const char* modelPath, uint32_t* modelId,
                                                   void* workPtr, size_t workSize, void* weightPtr,
                                                   size_t weightSize) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlLoadFromMemWithMem(const void* model, size_t modelSize,
                                                  uint32_t* modelId, void* workPtr, size_t workSize,
                                                  void* weightPtr,
                                                  size_t weightSize) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlLoadFromFileWithQ(const char* modelPath, uint32_t* modelId,
                                                 const uint32_t* inputQ, size_t inputQNum,
                                                 const uint32_t* outputQ,
                                                 size_t outputQNum) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlLoadFromMemWithQ(const void* model, size_t modelSize,
                                                uint32_t* modelId, const uint32_t* inputQ,
                                                size_t inputQNum, const uint32_t* outputQ,
                                                size_t outputQNum) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclmdlConfigHandle* aclmdlCreateConfigHandle(void) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlDestroyConfigHandle(aclmdlConfigHandle* handle) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlSetConfigOpt(aclmdlConfigHandle* handle, aclmdlConfigAttr attr,
                                            const void* attrValue,
                                            size_t valueSize) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlLoadWithConfig(const aclmdlConfigHandle* handle,
                                              uint32_t* modelId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlUnload(uint32_t modelId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlQuerySize(const char* fileName, size_t* workSize,
                                         size_t* weightSize) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlQuerySizeFromMem(const void* model, size_t modelSize,
                                                size_t* workSize,
                                                size_t* weightSize) OMSERVE_ACL_NOEXCEPT;
/* Synchronous, on a stream of its own. An output of (NULL, 0) is allocated for the caller. */
OMSERVE_ACL_API aclError aclmdlExecute(uint32_t modelId, const aclmdlDataset* input,
                                       aclmdlDataset* output) OMSERVE_ACL_NOEXCEPT;
/* Buffers and datasets live until it is done; one model id is never in flight on two streams. */
OMSERVE_ACL_API aclError aclmdlExecuteAsync(uint32_t modelId, const aclmdlDataset* input,
                                            aclmdlDataset* output,
                                            aclrtStream stream) OMSERVE_ACL_NOEXCEPT;

OMSERVE_ACL_API aclmdlDesc* aclmdlCreateDesc(void) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlDestroyDesc(aclmdlDesc* modelDesc) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlGetDesc(aclmdlDesc* modelDesc,
                                       uint32_t modelId) OMSERVE_ACL_NOEXCEPT;
/* Since 7.0. No load; not for aclmdlGetCurOutputDims. */
OMSERVE_ACL_API aclError aclmdlGetDescFromFile(aclmdlDesc* modelDesc,
                                               const char* modelPath) OMSERVE_ACL_NOEXCEPT;
/* Since 7.0. */
OMSERVE_ACL_API aclError aclmdlGetDescFromMem(aclmdlDesc* modelDesc, const void* model,
                                              size_t modelSize) OMSERVE_ACL_NOEXCEPT;
/* Counts include the reserved inputs. */
OMSERVE_ACL_API size_t aclmdlGetNumInputs(aclmdlDesc* modelDesc) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API size_t aclmdlGetNumOutputs(aclmdlDesc* modelDesc) OMSERVE_ACL_NOEXCEPT;
/* Bytes at the largest gear. */
OMSERVE_ACL_API size_t aclmdlGetInputSizeByIndex(aclmdlDesc* modelDesc,
                                                 size_t index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API size_t aclmdlGetOutputSizeByIndex(aclmdlDesc* modelDesc,
                                                  size_t index) OMSERVE_ACL_NOEXCEPT;
/* -1 where a gear decides. */
OMSERVE_ACL_API aclError aclmdlGetInputDims(const aclmdlDesc* modelDesc, size_t index,
                                            aclmdlIODims* dims) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlGetInputDimsV2(const aclmdlDesc* modelDesc, size_t index,
                                              aclmdlIODims* dims) OMSERVE_ACL_NOEXCEPT;
/* Those of the largest gear. */
OMSERVE_ACL_API aclError aclmdlGetOutputDims(const aclmdlDesc* modelDesc, size_t index,
                                             aclmdlIODims* dims) OMSERVE_ACL_NOEXCEPT;
/* Those of the gear that was set last. */
OMSERVE_ACL_API aclError aclmdlGetCurOutputDims(const aclmdlDesc* modelDesc, size_t index,
                                                aclmdlIODims* dims) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclFormat aclmdlGetInputFormat(const aclmdlDesc* modelDesc,
                                               size_t index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclFormat aclmdlGetOutputFormat(const aclmdlDesc* modelDesc,
                                                size_t index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclDataType aclmdlGetInputDataType(const aclmdlDesc* modelDesc,
                                                   size_t index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclDataType aclmdlGetOutputDataType(const aclmdlDesc* modelDesc,
                                                    size_t index) OMSERVE_ACL_NOEXCEPT;
/* Owned by the description; "" for a bad index. Outputs look like "node:index:name". */
OMSERVE_ACL_API const char* aclmdlGetInputNameByIndex(const aclmdlDesc* modelDesc,
                                                      size_t index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API const char* aclmdlGetOutputNameByIndex(const aclmdlDesc* modelDesc,
                                                       size_t index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlGetInputIndexByName(const aclmdlDesc* modelDesc, const char* name,
                                                   size_t* index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlGetOutputIndexByName(const aclmdlDesc* modelDesc, const char* name,
                                                    size_t* index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API const char* aclmdlGetTensorRealName(const aclmdlDesc* modelDesc,
                                                    const char* name) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API const char* aclmdlGetOpAttr(aclmdlDesc* modelDesc, const char* opName,
                                            const char* attr) OMSERVE_ACL_NOEXCEPT;

/* The setters write into the reserved input's device buffer at once. State of the model id: not
 * thread-safe. */
OMSERVE_ACL_API aclError aclmdlSetDynamicBatchSize(uint32_t modelId, aclmdlDataset* dataset,
                                                   size_t index,
                                                   uint64_t batchSize) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlSetDynamicHWSize(uint32_t modelId, aclmdlDataset* dataset,
                                                size_t index, uint64_t height,
                                                uint64_t width) OMSERVE_ACL_NOEXCEPT;
/* All dims of all inputs in order; dimCount is their sum. */
OMSERVE_ACL_API aclError aclmdlSetInputDynamicDims(uint32_t modelId, aclmdlDataset* dataset,
                                                   size_t index,
                                                   const aclmdlIODims* dims) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlGetDynamicBatch(const aclmdlDesc* modelDesc,
                                               aclmdlBatch* batch) OMSERVE_ACL_NOEXCEPT;
/* In these three the index is -1. */
OMSERVE_ACL_API aclError aclmdlGetDynamicHW(const aclmdlDesc* modelDesc, size_t index,
                                            aclmdlHW* hw) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlGetInputDynamicGearCount(const aclmdlDesc* modelDesc, size_t index,
                                                        size_t* gearCount) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlGetInputDynamicDims(const aclmdlDesc* modelDesc, size_t index,
                                                   aclmdlIODims* dims,
                                                   size_t gearCount) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlSetInputAIPP(uint32_t modelId, aclmdlDataset* dataset, size_t index,
                                            const aclmdlAIPP* aippParmsSet) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlGetAippType(uint32_t modelId, size_t index,
                                           aclmdlInputAippType* type,
                                           size_t* dynamicAttachedDataIndex) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlGetFirstAippInfo(uint32_t modelId, size_t index,
                                                aclAippInfo* aippInfo) OMSERVE_ACL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */

/* The layouts of LP64, the same in every release. */
static_assert(sizeof(aclmdlIODims) == 1160, "aclmdlIODims is 1160 bytes");
static_assert(offsetof(aclmdlIODims, dimCount) == 128, "dimCount follows the 128-byte name");
static_assert(offsetof(aclmdlIODims, dims) == 136, "dims follow dimCount");
static_assert(sizeof(aclmdlBatch) == 1032, "aclmdlBatch is 1032 bytes");
static_assert(offsetof(aclmdlBatch, batch) == 8, "batch follows batchCount");
static_assert(sizeof(aclmdlHW) == 2056, "aclmdlHW is 2056 bytes");
static_assert(offsetof(aclmdlHW, hw) == 8, "hw follows hwCount");
static_assert(sizeof(aclrtUtilizationInfo) == 24, "four int32 and a pointer");
static_assert(sizeof(aclDataType) == 4 && sizeof(aclrtMemcpyKind) == 4, "enums are 4 bytes");
#endif
/* NOLINTEND */
