/* SPDX-License-Identifier: Apache-2.0 */
/* AscendCL's C interface: init, devices, contexts, streams, events, callbacks, memory. See
 * acl_abi.h. */
#pragma once

#include "runtime/acl/acl_abi_errors.h"
#include "runtime/acl/acl_abi_types.h"

/* NOLINTBEGIN: a C interface with names that are given. */
#ifdef __cplusplus
extern "C" {
#endif

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
/* Since 8.5. The version of a CANN package ("runtime") as major * 10^7 + minor * 10^5 + patch *
 * 10^3, or as its text, for which versionStr has 128 bytes. */
OMSERVE_ACL_API aclError aclsysGetVersionNum(char* pkgName,
                                             int32_t* versionNum) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclsysGetVersionStr(char* pkgName, char* versionStr) OMSERVE_ACL_NOEXCEPT;
/* Since 8.1. The code of this thread's newest failure; the first forgets it, the second does not.
 */
OMSERVE_ACL_API aclError aclrtGetLastError(aclrtLastErrLevel level) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtPeekAtLastError(aclrtLastErrLevel level) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. Whether what was compiled for that chip runs on this one: 1 or 0. */
OMSERVE_ACL_API aclError aclrtCheckArchCompatibility(const char* socVersion,
                                                     int32_t* canCompatible) OMSERVE_ACL_NOEXCEPT;
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
/* Since 8.5. */
OMSERVE_ACL_API aclError aclrtGetDeviceInfo(uint32_t deviceId, aclrtDevAttr attr,
                                            int64_t* value) OMSERVE_ACL_NOEXCEPT;
/* Since 8.3. How many cores later tasks of this process may use. */
OMSERVE_ACL_API aclError aclrtSetDeviceResLimit(int32_t deviceId, aclrtDevResLimitType type,
                                                uint32_t value) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtGetDeviceResLimit(int32_t deviceId, aclrtDevResLimitType type,
                                                uint32_t* value) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtResetDeviceResLimit(int32_t deviceId) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. */
OMSERVE_ACL_API aclError aclrtGetErrorVerbose(int32_t deviceId,
                                              aclrtErrorInfo* errorInfo) OMSERVE_ACL_NOEXCEPT;

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
/* Since 7.0. A null handle means the defaults; the handle may go once the stream is made. */
OMSERVE_ACL_API aclrtStreamConfigHandle* aclrtCreateStreamConfigHandle(void) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtDestroyStreamConfigHandle(aclrtStreamConfigHandle* handle)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtSetStreamConfigOpt(aclrtStreamConfigHandle* handle,
                                                 aclrtStreamConfigAttr attr, const void* attrValue,
                                                 size_t valueSize) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtCreateStreamV2(
    aclrtStream* stream, const aclrtStreamConfigHandle* handle) OMSERVE_ACL_NOEXCEPT;
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
/* Since 8.3. Stops the running task where it waits and drops the others; who waits for the stream
 * gets 107023. */
OMSERVE_ACL_API aclError aclrtStreamAbort(aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
/* Since 6.3. 1: detect overflow in later tasks; 0: do not (default). */
OMSERVE_ACL_API aclError aclrtSetStreamOverflowSwitch(aclrtStream stream,
                                                      uint32_t flag) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtGetStreamOverflowSwitch(aclrtStream stream,
                                                      uint32_t* flag) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. A task of `stream` that lets a stream made with ACL_STREAM_PERSISTENT run. */
OMSERVE_ACL_API aclError aclrtActiveStream(aclrtStream activeStream,
                                           aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
/* Since 6.3, once per stream. 0 continue on failure (default), 1 stop on failure. */
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
/* Since 7.0. Seconds, for operators launched later in this process. */
OMSERVE_ACL_API aclError aclrtSetOpExecuteTimeOut(uint32_t timeout) OMSERVE_ACL_NOEXCEPT;

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
/* Since 8.5. As aclrtMalloc; policy bits may be OR-ed, cfg may be NULL. */
OMSERVE_ACL_API aclError aclrtMallocWithCfg(void** devPtr, size_t size, aclrtMemMallocPolicy policy,
                                            aclrtMallocConfig* cfg) OMSERVE_ACL_NOEXCEPT;
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
/* Since 8.3. Synchronous; attrs[i] speaks of the copies from attrsIndexes[i] to before
 * attrsIndexes[i + 1]. failIndex: the copy at fault, SIZE_MAX where none is. */
OMSERVE_ACL_API aclError aclrtMemcpyBatch(void** dsts, size_t* destMaxs, void** srcs, size_t* sizes,
                                          size_t numBatches, aclrtMemcpyBatchAttr* attrs,
                                          size_t* attrsIndexes, size_t numAttrs,
                                          size_t* failIndex) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtMemset(void* devPtr, size_t maxCount, int32_t value,
                                     size_t count) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtMemsetAsync(void* devPtr, size_t maxCount, int32_t value,
                                          size_t count, aclrtStream stream) OMSERVE_ACL_NOEXCEPT;
/* Bytes, of the current device; an attribute that the chip lacks gives 0 and 0. */
OMSERVE_ACL_API aclError aclrtGetMemInfo(aclrtMemAttr attr, size_t* free,
                                         size_t* total) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtMemFlush(void* devPtr, size_t size) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtMemInvalidate(void* devPtr, size_t size) OMSERVE_ACL_NOEXCEPT;
/* Since 8.5. Lets the device use host memory that starts on 4096 bytes, at *devPtr. */
OMSERVE_ACL_API aclError aclrtHostRegister(void* ptr, uint64_t size, aclrtHostRegisterType type,
                                           void** devPtr) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclrtHostUnregister(void* ptr) OMSERVE_ACL_NOEXCEPT;
/* Since 8.3. */
OMSERVE_ACL_API aclError aclrtPointerGetAttributes(const void* ptr, aclrtPtrAttributes* attributes)
    OMSERVE_ACL_NOEXCEPT;
/* Since 7.0. */
OMSERVE_ACL_API aclError
aclrtAllocatorRegister(aclrtStream stream, aclrtAllocatorDesc allocatorDesc) OMSERVE_ACL_NOEXCEPT;
/* Since 9.0. */
OMSERVE_ACL_API aclError
aclrtMemPoolCreate(aclrtMemPool* memPool, const aclrtMemPoolProps* poolProps) OMSERVE_ACL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif
/* NOLINTEND */
