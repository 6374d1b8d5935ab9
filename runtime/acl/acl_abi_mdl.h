/* SPDX-License-Identifier: Apache-2.0 */
/* AscendCL's C interface: data buffers, datasets, tensor descriptions, models. See acl_abi.h. */
#pragma once

#include "runtime/acl/acl_abi_errors.h"
#include "runtime/acl/acl_abi_types.h"

/* NOLINTBEGIN: a C interface with names that are given. */
#ifdef __cplusplus
extern "C" {
#endif

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
/* The dims of an input of dynamic shape; type and format do not count. Since 5.0.2. */
OMSERVE_ACL_API aclError aclmdlSetDatasetTensorDesc(aclmdlDataset* dataset,
                                                    aclTensorDesc* tensorDesc,
                                                    size_t index) OMSERVE_ACL_NOEXCEPT;
/* Of an output of dynamic shape, once executed; the dataset's. Since 5.0.3. */
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
/* Since 8.5. Where the weights of one external file are on the device; of no use after the load. */
OMSERVE_ACL_API aclError aclmdlSetExternalWeightAddress(aclmdlConfigHandle* handle,
                                                        const char* weightFileName, void* devPtr,
                                                        size_t size) OMSERVE_ACL_NOEXCEPT;
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
/* Since 7.0. As the two above; synchronous on the given stream with the configuration's timeouts,
 * or launched on it. */
OMSERVE_ACL_API aclError aclmdlExecuteV2(uint32_t modelId, const aclmdlDataset* input,
                                         aclmdlDataset* output, aclrtStream stream,
                                         const aclmdlExecConfigHandle* handle) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError
aclmdlExecuteAsyncV2(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output,
                     aclrtStream stream, const aclmdlExecConfigHandle* handle) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclmdlExecConfigHandle* aclmdlCreateExecConfigHandle(void) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlDestroyExecConfigHandle(const aclmdlExecConfigHandle* handle)
    OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlSetExecConfigOpt(aclmdlExecConfigHandle* handle,
                                                aclmdlExecConfigAttr attr, const void* attrValue,
                                                size_t valueSize) OMSERVE_ACL_NOEXCEPT;
/* Since 9.1. */
OMSERVE_ACL_API aclError aclmdlSetAttribute(uint32_t modelId, aclmdlAttr attr,
                                            aclmdlAttrValue_t* attrValue) OMSERVE_ACL_NOEXCEPT;
/* Since 8.1. Several models in one file: each is loaded under an id of its own. */
OMSERVE_ACL_API aclError aclmdlBundleLoadFromFile(const char* modelPath,
                                                  uint32_t* bundleId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlBundleGetModelNum(uint32_t bundleId,
                                                 size_t* modelNum) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlBundleGetModelId(uint32_t bundleId, size_t index,
                                                uint32_t* modelId) OMSERVE_ACL_NOEXCEPT;
OMSERVE_ACL_API aclError aclmdlBundleUnload(uint32_t bundleId) OMSERVE_ACL_NOEXCEPT;

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
/* Since 8.1. What each dim may be. */
OMSERVE_ACL_API aclError aclmdlGetInputDimsRange(const aclmdlDesc* modelDesc, size_t index,
                                                 aclmdlIODimsRange* dimsRange) OMSERVE_ACL_NOEXCEPT;
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
/* The tensors of the operator that an exception callback was told of. */
OMSERVE_ACL_API aclError aclmdlCreateAndGetOpDesc(uint32_t deviceId, uint32_t streamId,
                                                  uint32_t taskId, char* opName, size_t opNameLen,
                                                  aclTensorDesc** inputDesc, size_t* numInputs,
                                                  aclTensorDesc** outputDesc,
                                                  size_t* numOutputs) OMSERVE_ACL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif
/* NOLINTEND */
