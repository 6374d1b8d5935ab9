// SPDX-License-Identifier: Apache-2.0
// AscendCL's functions as found in one library at run time. Nothing links against libascendcl.so:
// the same program runs with CANN's, with the CPU device's, and with none to say so.
#pragma once

#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/acl/acl_abi.h"
#include "runtime/base/dynamic_library.h"

// Every function that omserve calls, once. STRICT(name): in every release since CANN 5.0, must be
// there.
#define OMSERVE_ACL_STRICT_SYMBOLS(STRICT)  \
  STRICT(aclInit)                           \
  STRICT(aclFinalize)                       \
  STRICT(aclrtGetVersion)                   \
  STRICT(aclrtSetExceptionInfoCallback)     \
  STRICT(aclrtGetStreamIdFromExceptionInfo) \
  STRICT(aclrtGetDeviceIdFromExceptionInfo) \
  STRICT(aclrtGetRunMode)                   \
  STRICT(aclrtGetDeviceCount)               \
  STRICT(aclrtSetDevice)                    \
  STRICT(aclrtResetDevice)                  \
  STRICT(aclrtGetCurrentContext)            \
  STRICT(aclrtSetCurrentContext)            \
  STRICT(aclrtCreateStream)                 \
  STRICT(aclrtDestroyStream)                \
  STRICT(aclrtSynchronizeStream)            \
  STRICT(aclrtStreamWaitEvent)              \
  STRICT(aclrtCreateEventWithFlag)          \
  STRICT(aclrtDestroyEvent)                 \
  STRICT(aclrtRecordEvent)                  \
  STRICT(aclrtQueryEvent)                   \
  STRICT(aclrtEventElapsedTime)             \
  STRICT(aclrtSubscribeReport)              \
  STRICT(aclrtUnSubscribeReport)            \
  STRICT(aclrtProcessReport)                \
  STRICT(aclrtLaunchCallback)               \
  STRICT(aclrtMalloc)                       \
  STRICT(aclrtFree)                         \
  STRICT(aclrtMallocHost)                   \
  STRICT(aclrtFreeHost)                     \
  STRICT(aclrtMemcpy)                       \
  STRICT(aclrtMemcpyAsync)                  \
  STRICT(aclrtMemset)                       \
  STRICT(aclrtGetMemInfo)                   \
  STRICT(aclCreateDataBuffer)               \
  STRICT(aclDestroyDataBuffer)              \
  STRICT(aclUpdateDataBuffer)               \
  STRICT(aclmdlCreateDataset)               \
  STRICT(aclmdlDestroyDataset)              \
  STRICT(aclmdlAddDatasetBuffer)            \
  STRICT(aclmdlQuerySizeFromMem)            \
  STRICT(aclmdlLoadFromMemWithMem)          \
  STRICT(aclmdlUnload)                      \
  STRICT(aclmdlExecuteAsync)                \
  STRICT(aclmdlCreateDesc)                  \
  STRICT(aclmdlDestroyDesc)                 \
  STRICT(aclmdlGetDesc)                     \
  STRICT(aclmdlGetNumInputs)                \
  STRICT(aclmdlGetNumOutputs)               \
  STRICT(aclmdlGetInputSizeByIndex)         \
  STRICT(aclmdlGetOutputSizeByIndex)        \
  STRICT(aclmdlGetInputDims)                \
  STRICT(aclmdlGetOutputDims)               \
  STRICT(aclmdlGetCurOutputDims)            \
  STRICT(aclmdlGetInputDataType)            \
  STRICT(aclmdlGetOutputDataType)           \
  STRICT(aclmdlGetInputNameByIndex)         \
  STRICT(aclmdlGetOutputNameByIndex)        \
  STRICT(aclmdlGetInputIndexByName)         \
  STRICT(aclmdlSetDynamicBatchSize)         \
  STRICT(aclmdlSetDynamicHWSize)            \
  STRICT(aclmdlSetInputDynamicDims)         \
  STRICT(aclmdlGetDynamicBatch)             \
  STRICT(aclmdlGetDynamicHW)                \
  STRICT(aclmdlGetInputDynamicGearCount)    \
  STRICT(aclmdlGetInputDynamicDims)

// OPTIONAL(name, since, fallback): came later, with CANN `since`; null in an older library, where
// each caller does `fallback`, which operators are told.
#define OMSERVE_ACL_OPTIONAL_SYMBOLS(OPTIONAL)                                                    \
  OPTIONAL(aclGetRecentErrMsg, "5.0.2", "errors come without the device's own words")             \
  OPTIONAL(aclFinalizeReference, "8.3", "aclFinalize, unless others opened AscendCL before")      \
  OPTIONAL(aclrtGetSocName, "5.0.2", "the chip has no name")                                      \
  OPTIONAL(aclrtGetErrorCodeFromExceptionInfo, "after 5.0", "a task's failure comes as 500003")   \
  OPTIONAL(aclrtStreamGetId, "8.5", "a task's failure counts for all streams of the device")      \
  OPTIONAL(aclrtSynchronizeStreamWithTimeout, "6.3", "aclrtSynchronizeStream, without a limit")   \
  OPTIONAL(aclrtDestroyStreamForce, "6.3", "aclrtDestroyStream, which waits for the stream")      \
  OPTIONAL(aclrtResetDeviceForce, "8.1", "aclrtResetDevice, once for each aclrtSetDevice")        \
  OPTIONAL(aclrtQueryDeviceStatus, "7.0", "a device's state is known by its failures only")       \
  OPTIONAL(aclrtGetDeviceUtilizationRate, "7.0", "no utilisation")                                \
  OPTIONAL(aclrtCreateEventExWithFlag, "7.1", "aclrtCreateEventWithFlag, a new event per record") \
  OPTIONAL(aclrtQueryEventStatus, "5.1", "aclrtQueryEvent")                                       \
  OPTIONAL(aclrtHostRegister, "8.5", "tensors in clients' shared memory are copied")              \
  OPTIONAL(aclrtHostUnregister, "8.5", "tensors in clients' shared memory are copied")            \
  OPTIONAL(aclrtEventGetTimestamp, "8.5", "no times on the device's clock in traces")             \
  OPTIONAL(aclmdlGetTensorRealName, "5.0.1", "names above 127 characters stay shortened")

namespace omserve::acl {

// One pointer per function, under the function's own name so that a call reads as AscendCL's
// documents have it. Immutable after Resolve; valid for the life of the process, since the library
// is never closed.
struct Symbols {
  // NOLINTBEGIN(readability-identifier-naming): the vendor's names.
#define OMSERVE_ACL_MEMBER(name, ...) decltype(&::name) name = nullptr;
  OMSERVE_ACL_STRICT_SYMBOLS(OMSERVE_ACL_MEMBER)
  OMSERVE_ACL_OPTIONAL_SYMBOLS(OMSERVE_ACL_MEMBER)
#undef OMSERVE_ACL_MEMBER
  // NOLINTEND(readability-identifier-naming)
};

// A function of the lists above, for telling what a library has.
struct SymbolRow {
  std::string_view name;
  bool is_strict;
  std::string_view since;     // The first release of CANN that has it; "5.0" for a strict one.
  std::string_view fallback;  // What is done without it; empty for a strict one.
  bool (*is_found)(const Symbols& symbols);
  void (*set)(Symbols& symbols, void* address);
};
// In the order of the lists.
std::span<const SymbolRow> SymbolRows();

// Errors: kUnavailable naming the strict symbols that `library` lacks, the library and the remedy.
absl::StatusOr<Symbols> ResolveSymbols(const DynamicLibrary& library);

}  // namespace omserve::acl
