// SPDX-License-Identifier: Apache-2.0
// AscendCL's functions as found in one library at run time. Nothing links against libascendcl.so:
// the same program runs with CANN's, with the CPU device's, and with none to say so.
#pragma once

#include "absl/status/statusor.h"
#include "runtime/acl/acl_abi.h"
#include "runtime/base/dynamic_library.h"

// Every function that runtime/acl calls, once. STRICT ones are in every release since CANN 5.0 and
// must be there; OPTIONAL ones came later (the release is in acl_abi.h), are null in an older
// library, and each caller has another way.
#define OMSERVE_ACL_SYMBOLS(STRICT, OPTIONAL)  \
  STRICT(aclInit)                              \
  STRICT(aclFinalize)                          \
  STRICT(aclrtGetVersion)                      \
  STRICT(aclrtSetExceptionInfoCallback)        \
  STRICT(aclrtGetStreamIdFromExceptionInfo)    \
  STRICT(aclrtGetDeviceIdFromExceptionInfo)    \
  STRICT(aclrtGetDeviceCount)                  \
  STRICT(aclrtSetDevice)                       \
  STRICT(aclrtResetDevice)                     \
  STRICT(aclrtGetCurrentContext)               \
  STRICT(aclrtSetCurrentContext)               \
  STRICT(aclrtCreateStream)                    \
  STRICT(aclrtDestroyStream)                   \
  STRICT(aclrtSynchronizeStream)               \
  STRICT(aclrtStreamWaitEvent)                 \
  STRICT(aclrtCreateEventWithFlag)             \
  STRICT(aclrtDestroyEvent)                    \
  STRICT(aclrtRecordEvent)                     \
  STRICT(aclrtQueryEvent)                      \
  STRICT(aclrtEventElapsedTime)                \
  STRICT(aclrtSubscribeReport)                 \
  STRICT(aclrtUnSubscribeReport)               \
  STRICT(aclrtProcessReport)                   \
  STRICT(aclrtLaunchCallback)                  \
  STRICT(aclrtMalloc)                          \
  STRICT(aclrtFree)                            \
  STRICT(aclrtMallocHost)                      \
  STRICT(aclrtFreeHost)                        \
  STRICT(aclrtMemcpy)                          \
  STRICT(aclrtMemcpyAsync)                     \
  STRICT(aclrtMemset)                          \
  STRICT(aclrtGetMemInfo)                      \
  STRICT(aclCreateDataBuffer)                  \
  STRICT(aclDestroyDataBuffer)                 \
  STRICT(aclUpdateDataBuffer)                  \
  STRICT(aclmdlCreateDataset)                  \
  STRICT(aclmdlDestroyDataset)                 \
  STRICT(aclmdlAddDatasetBuffer)               \
  STRICT(aclmdlQuerySizeFromMem)               \
  STRICT(aclmdlLoadFromMemWithMem)             \
  STRICT(aclmdlUnload)                         \
  STRICT(aclmdlExecuteAsync)                   \
  STRICT(aclmdlCreateDesc)                     \
  STRICT(aclmdlDestroyDesc)                    \
  STRICT(aclmdlGetDesc)                        \
  STRICT(aclmdlGetNumInputs)                   \
  STRICT(aclmdlGetNumOutputs)                  \
  STRICT(aclmdlGetInputSizeByIndex)            \
  STRICT(aclmdlGetOutputSizeByIndex)           \
  STRICT(aclmdlGetInputDims)                   \
  STRICT(aclmdlGetOutputDims)                  \
  STRICT(aclmdlGetCurOutputDims)               \
  STRICT(aclmdlGetInputDataType)               \
  STRICT(aclmdlGetOutputDataType)              \
  STRICT(aclmdlGetInputNameByIndex)            \
  STRICT(aclmdlGetOutputNameByIndex)           \
  STRICT(aclmdlGetInputIndexByName)            \
  STRICT(aclmdlSetDynamicBatchSize)            \
  STRICT(aclmdlSetDynamicHWSize)               \
  STRICT(aclmdlSetInputDynamicDims)            \
  STRICT(aclmdlGetDynamicBatch)                \
  STRICT(aclmdlGetDynamicHW)                   \
  STRICT(aclmdlGetInputDynamicGearCount)       \
  STRICT(aclmdlGetInputDynamicDims)            \
  OPTIONAL(aclGetRecentErrMsg)                 \
  OPTIONAL(aclFinalizeReference)               \
  OPTIONAL(aclrtGetSocName)                    \
  OPTIONAL(aclrtGetDeviceUtilizationRate)      \
  OPTIONAL(aclrtQueryDeviceStatus)             \
  OPTIONAL(aclrtGetErrorCodeFromExceptionInfo) \
  OPTIONAL(aclrtStreamGetId)                   \
  OPTIONAL(aclrtCreateEventExWithFlag)         \
  OPTIONAL(aclrtQueryEventStatus)              \
  OPTIONAL(aclrtEventGetTimestamp)             \
  OPTIONAL(aclmdlGetTensorRealName)

namespace omserve::acl {

// One pointer per function, under the function's own name so that a call reads as AscendCL's
// documents have it. Immutable after Resolve; valid for the life of the process, since the library
// is never closed.
struct Symbols {
  // NOLINTBEGIN(readability-identifier-naming): the vendor's names.
#define OMSERVE_ACL_MEMBER(name) decltype(&::name) name = nullptr;
  OMSERVE_ACL_SYMBOLS(OMSERVE_ACL_MEMBER, OMSERVE_ACL_MEMBER)
#undef OMSERVE_ACL_MEMBER
  // NOLINTEND(readability-identifier-naming)
};

// Errors: kUnavailable naming the first strict symbol that `library` lacks, the library and the
// remedy.
absl::StatusOr<Symbols> ResolveSymbols(const DynamicLibrary& library);

}  // namespace omserve::acl
