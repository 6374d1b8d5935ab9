/* SPDX-License-Identifier: Apache-2.0 */
/* AscendCL's C interface: dump and profiling. See acl_abi.h. */
#pragma once

#include "runtime/acl/acl_abi_errors.h"
#include "runtime/acl/acl_abi_types.h"

/* NOLINTBEGIN: a C interface with names that are given. */
#ifdef __cplusplus
extern "C" {
#endif

/* What is collected: bits of dataTypeConfig. */
#define ACL_PROF_ACL_API 0x0001ULL
#define ACL_PROF_TASK_TIME 0x0002ULL
#define ACL_PROF_AICORE_METRICS 0x0004ULL
#define ACL_PROF_AICPU 0x0008ULL
#define ACL_PROF_L2CACHE 0x0010ULL
#define ACL_PROF_HCCL_TRACE 0x0020ULL
#define ACL_PROF_TRAINING_TRACE 0x0040ULL
#define ACL_PROF_MSPROFTX 0x0080ULL
#define ACL_PROF_RUNTIME_API 0x0100ULL
#define ACL_PROF_GE_API_L0 0x0200ULL
#define ACL_PROF_TASK_TIME_L0 0x0800ULL
#define ACL_PROF_TASK_MEMORY 0x1000ULL
#define ACL_PROF_TASK_TIME_L2 0x2000ULL
#define ACL_PROF_OP_ATTR 0x4000ULL

typedef enum aclprofAicoreMetrics OMSERVE_ACL_INT {
  ACL_AICORE_ARITHMETIC_UTILIZATION = 0,
  ACL_AICORE_PIPE_UTILIZATION = 1,
  ACL_AICORE_MEMORY_BANDWIDTH = 2,
  ACL_AICORE_L0B_AND_WIDTH = 3,
  ACL_AICORE_RESOURCE_CONFLICT_RATIO = 4,
  ACL_AICORE_MEMORY_UB = 5,
  ACL_AICORE_L2_CACHE = 6,
  ACL_AICORE_PIPE_EXECUTE_UTILIZATION = 7,
  ACL_AICORE_MEMORY_ACCESS = 8,
  ACL_AICORE_NONE = 0xFF
} aclprofAicoreMetrics;

/* Of aclprofSetConfig; the value is text. */
typedef enum aclprofConfigType OMSERVE_ACL_INT {
  ACL_PROF_ARGS_MIN = 0,
  ACL_PROF_STORAGE_LIMIT = 1, /* MB. */
  ACL_PROF_SYS_HARDWARE_MEM_FREQ = 3,
  ACL_PROF_LLC_MODE = 4,
  ACL_PROF_SYS_IO_FREQ = 5,
  ACL_PROF_SYS_INTERCONNECTION_FREQ = 6,
  ACL_PROF_DVPP_FREQ = 7,
  ACL_PROF_HOST_SYS = 8,
  ACL_PROF_HOST_SYS_USAGE = 9,
  ACL_PROF_HOST_SYS_USAGE_FREQ = 10,
  ACL_PROF_LOW_POWER_FREQ = 11,
  ACL_PROF_SYS_MEM_SERVICEFLOW = 12,
  ACL_PROF_SYS_CPU_FREQ = 13
} aclprofConfigType;

typedef struct aclprofConfig aclprofConfig;
typedef struct aclprofAicoreEvents aclprofAicoreEvents;
typedef struct aclprofSubscribeConfig aclprofSubscribeConfig;

/* After aclInit and before the models are loaded; 100044 when dump is on. */
OMSERVE_ACL_API aclError aclmdlInitDump(void) OMSERVE_ACL_NOEXCEPT;
/* A file with {"dump": {"dump_list": [...], "dump_path": ..., "dump_mode": ...}}; for models that
 * are loaded from now on. */
OMSERVE_ACL_API aclError aclmdlSetDump(const char* dumpCfgPath) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlFinalizeDump(void) OMSERVE_ACL_NOEXCEPT;

/* Order: aclprofInit, aclprofCreateConfig, aclprofStart, work, aclprofStop, aclprofDestroyConfig,
 * aclprofFinalize. The results stand in PROF_* under the given folder. */
OMSERVE_ACL_API aclError aclprofInit(const char* profilerResultPath,
                                     size_t length) OMSERVE_ACL_NOEXCEPT;
/* Since 8.1. Between aclprofInit and aclprofStart. */
OMSERVE_ACL_API aclError aclprofSetConfig(aclprofConfigType configType, const char* config,
                                          size_t configLength) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclprofConfig* aclprofCreateConfig(uint32_t* deviceIdList, uint32_t deviceNums,
                                                   aclprofAicoreMetrics aicoreMetrics,
                                                   aclprofAicoreEvents* aicoreEvents,
                                                   uint64_t dataTypeConfig) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofStart(const aclprofConfig* profilerConfig) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofStop(const aclprofConfig* profilerConfig) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofDestroyConfig(const aclprofConfig* profilerConfig)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofFinalize(void) OMSERVE_ACL_NOEXCEPT;

/* Streams a record of each execution of one model through a pipe; not beside aclprofStart
 * (148047). `fd` points at the descriptor, which is closed when the subscription ends. */
OMSERVE_ACL_API aclprofSubscribeConfig* aclprofCreateSubscribeConfig(
    int8_t timeInfoSwitch, aclprofAicoreMetrics aicoreMetrics, void* fd) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofDestroySubscribeConfig(
    const aclprofSubscribeConfig* profSubscribeConfig) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofModelSubscribe(
    uint32_t modelId, const aclprofSubscribeConfig* profSubscribeConfig) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofModelUnSubscribe(uint32_t modelId) OMSERVE_ACL_NOEXCEPT;
/* What was read from the pipe: opInfoLen bytes, a whole number of records of this size. */
OMSERVE_ACL_API aclError aclprofGetOpDescSize(size_t* opDescSize) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofGetOpNum(const void* opInfo, size_t opInfoLen,
                                         uint32_t* opNumber) OMSERVE_ACL_NOEXCEPT;
/* Lengths count the closing zero. */
OMSERVE_ACL_API aclError aclprofGetOpTypeLen(const void* opInfo, size_t opInfoLen, uint32_t index,
                                             size_t* opTypeLen) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofGetOpType(const void* opInfo, size_t opInfoLen, uint32_t index,
                                          char* opType, size_t opTypeLen) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofGetOpNameLen(const void* opInfo, size_t opInfoLen, uint32_t index,
                                             size_t* opNameLen) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclprofGetOpName(const void* opInfo, size_t opInfoLen, uint32_t index,
                                          char* opName, size_t opNameLen) OMSERVE_ACL_NOEXCEPT;
/* Nanoseconds; 0 for bytes that hold no such record. */
OMSERVE_ACL_API uint64_t aclprofGetOpStart(const void* opInfo, size_t opInfoLen,
                                           uint32_t index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API uint64_t aclprofGetOpEnd(const void* opInfo, size_t opInfoLen,
                                         uint32_t index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API uint64_t aclprofGetOpDuration(const void* opInfo, size_t opInfoLen,
                                              uint32_t index) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API size_t aclprofGetModelId(const void* opInfo, size_t opInfoLen,
                                         uint32_t index) OMSERVE_ACL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif
/* NOLINTEND */
