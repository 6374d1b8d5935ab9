// SPDX-License-Identifier: Apache-2.0
// The C interface: loading and unloading models.
#include "runtime/base/file.h"
#include "runtime/hostacl/data_objects.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

absl::StatusOr<MappedFile> OpenModel(const char* path) {
  if (path == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "the path of the model is null");
  }
  absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) {
    return WithAclCode(WithContext(file.status(), "model file"),
                       ACL_ERROR_GE_EXEC_MODEL_PATH_INVALID);
  }
  return file;
}

absl::StatusOr<std::span<const std::byte>> FileInMemory(const void* file, size_t size_bytes) {
  if (file == nullptr || size_bytes == 0) {
    return Fail(ACL_ERROR_INVALID_PARAM, "the model in memory is {} bytes at {}", size_bytes,
                fmt::ptr(file));
  }
  return std::span<const std::byte>(static_cast<const std::byte*>(file), size_bytes);
}

absl::Status LoadBytes(std::span<const std::byte> file, uint32_t* model_id, GivenMemory work,
                       GivenMemory weights) {
  if (model_id == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "loading a model: the output pointer is null");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  LoadRequest request;
  request.file = file;
  request.work = work;
  request.weights = weights;
  request.device = here.context->device;
  request.context = here.context->handle;
  request.sync_stream = here.runtime->MakeInternalStream(*here.context);
  ASSIGN_OR_RETURN(*model_id, here.runtime->models().Load(request));
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, here.runtime->models().Find(*model_id));
  here.runtime->dump().Watch(*model);
  return absl::OkStatus();
}

absl::Status LoadPath(const char* path, uint32_t* model_id, GivenMemory work = {},
                      GivenMemory weights = {}) {
  ASSIGN_OR_RETURN(const MappedFile file, OpenModel(path));
  return InContext(LoadBytes(file.bytes(), model_id, work, weights), fmt::format("'{}'", path));
}

absl::Status LoadMemory(const void* file, size_t size_bytes, uint32_t* model_id,
                        GivenMemory work = {}, GivenMemory weights = {}) {
  ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, FileInMemory(file, size_bytes));
  return LoadBytes(bytes, model_id, work, weights);
}

absl::Status NoQueues() {
  return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
              "loading a model with queues: this device has none; load it without");
}

absl::Status CheckPriority(int64_t priority) {
  constexpr int64_t kLowestPriority = 7;
  if (priority < 0 || priority > kLowestPriority) {
    return Fail(ACL_ERROR_INVALID_PARAM, "priority {} of a model; expected 0 (first) to {}",
                priority, kLowestPriority);
  }
  return absl::OkStatus();
}

absl::Status SetOption(aclmdlConfigHandle* handle, aclmdlConfigAttr attr, const void* value,
                       size_t size_bytes) {
  ASSIGN_OR_RETURN(const std::shared_ptr<LoadConfig> config,
                   FindObject(LoadConfigs(), "load configuration", handle));
  const auto read = [&](auto* out) {
    return ReadOption("aclmdlSetConfigOpt", attr, value, size_bytes, out);
  };
  const auto read_path = [&](std::string* out) -> absl::Status {
    const char* path = nullptr;
    RETURN_IF_ERROR(read(&path));
    *out = path == nullptr ? "" : path;
    return absl::OkStatus();
  };
  switch (attr) {
    case ACL_MDL_LOAD_TYPE_SIZET:
      return read(&config->load_type);
    case ACL_MDL_PATH_PTR:
      return read_path(&config->path);
    case ACL_MDL_WEIGHT_PATH_PTR: {
      std::string folder;  // Not looked into: a host model has its weights inside.
      return read_path(&folder);
    }
    case ACL_MDL_MEM_ADDR_PTR:
      return read(&config->file);
    case ACL_MDL_MEM_SIZET:
      return read(&config->file_bytes);
    case ACL_MDL_WEIGHT_ADDR_PTR:
      return read(&config->weights.address);
    case ACL_MDL_WEIGHT_SIZET:
      return read(&config->weights.size_bytes);
    case ACL_MDL_WORKSPACE_ADDR_PTR:
      return read(&config->work.address);
    case ACL_MDL_WORKSPACE_SIZET:
      return read(&config->work.size_bytes);
    case ACL_MDL_PRIORITY_INT32: {
      int32_t priority = 0;  // Tunes the chip.
      RETURN_IF_ERROR(read(&priority));
      return CheckPriority(priority);
    }
    case ACL_MDL_WORKSPACE_MEM_OPTIMIZE:
    case ACL_MDL_MEM_MALLOC_POLICY_SIZET: {
      size_t tuning = 0;  // Of the chip's memory.
      return read(&tuning);
    }
    default:
      return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                  "aclmdlSetConfigOpt: option {} is not supported by this device",
                  static_cast<int>(attr));
  }
}

absl::Status LoadConfigured(const aclmdlConfigHandle* handle, uint32_t* model_id) {
  ASSIGN_OR_RETURN(const std::shared_ptr<LoadConfig> config,
                   FindObject(LoadConfigs(), "load configuration", handle));
  switch (config->load_type) {
    case ACL_MDL_LOAD_FROM_FILE:
      return LoadPath(config->path.c_str(), model_id);
    case ACL_MDL_LOAD_FROM_FILE_WITH_MEM:
      return LoadPath(config->path.c_str(), model_id, config->work, config->weights);
    case ACL_MDL_LOAD_FROM_MEM:
      return LoadMemory(config->file, config->file_bytes, model_id);
    case ACL_MDL_LOAD_FROM_MEM_WITH_MEM:
      return LoadMemory(config->file, config->file_bytes, model_id, config->work, config->weights);
    case ACL_MDL_LOAD_FROM_FILE_WITH_Q:
    case ACL_MDL_LOAD_FROM_MEM_WITH_Q:
      return NoQueues();
    default:
      return Fail(ACL_ERROR_INVALID_PARAM,
                  "aclmdlLoadWithConfig: load type {}; expected 1 to 6 (ACL_MDL_LOAD_TYPE_SIZET)",
                  config->load_type);
  }
}

// The address is checked and then not needed: a host model has its weights inside.
absl::Status SetExternalWeight(aclmdlConfigHandle* handle, const char* name, void* address,
                               size_t size_bytes) {
  RETURN_IF_ERROR(FindObject(LoadConfigs(), "load configuration", handle).status());
  if (name == nullptr || *name == '\0' || address == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclmdlSetExternalWeightAddress: the name is empty or the address null");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  return InContext(
      here.runtime->memory().DeviceBytes(address, size_bytes, DeviceMemory::Slack::kNone).status(),
      fmt::format("external weights '{}'", name));
}

absl::Status SetAttribute(uint32_t model_id, aclmdlAttr attr, const aclmdlAttrValue_t* value) {
  if (value == nullptr || attr != ACL_MDL_ATTR_PRIORITY_INT32) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclmdlSetAttribute: the value is null, or attribute {} is none",
                static_cast<int>(attr));
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  RETURN_IF_ERROR(here.runtime->models().Find(model_id).status());
  return CheckPriority(value->mdlPriority);
}

absl::Status Unload(uint32_t model_id) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  RETURN_IF_ERROR(here.runtime->models().Unload(model_id, here.context->handle));
  here.runtime->dump().Forget(model_id);
  return absl::OkStatus();
}

absl::Status QuerySize(std::span<const std::byte> file, size_t* work, size_t* weights) {
  if (work == nullptr || weights == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclmdlQuerySize: an output pointer is null");
  }
  ASSIGN_OR_RETURN(const om::ModelDescription model, DescribeFile(file));
  if (om::HasDynamicShape(model)) {
    return Fail(
        ACL_ERROR_GE_PARAM_INVALID,
        "aclmdlQuerySize: model '{}' has a dynamic shape, {}, so that what it needs is not "
        "known before it runs; load it without memory of your own, or compile it with gears",
        model.name, om::ShowRanges(model));
  }
  *work = model.work_bytes;
  *weights = model.weight_bytes;
  return absl::OkStatus();
}

absl::Status QuerySizeOfPath(const char* path, size_t* work, size_t* weights) {
  ASSIGN_OR_RETURN(const MappedFile file, OpenModel(path));
  return QuerySize(file.bytes(), work, weights);
}

absl::Status QuerySizeOfMemory(const void* file, size_t size_bytes, size_t* work, size_t* weights) {
  ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, FileInMemory(file, size_bytes));
  return QuerySize(bytes, work, weights);
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclmdlLoadFromFile(const char* modelPath, uint32_t* modelId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::LoadPath(modelPath, modelId); });
}

aclError aclmdlLoadFromMem(const void* model, size_t modelSize, uint32_t* modelId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::LoadMemory(model, modelSize, modelId); });
}

aclError aclmdlLoadFromFileWithMem(const char* modelPath, uint32_t* modelId, void* workPtr,
                                   size_t workSize, void* weightPtr, size_t weightSize) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::LoadPath(modelPath, modelId, {workPtr, workSize},
                                      {weightPtr, weightSize});
  });
}

aclError aclmdlLoadFromMemWithMem(const void* model, size_t modelSize, uint32_t* modelId,
                                  void* workPtr, size_t workSize, void* weightPtr,
                                  size_t weightSize) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::LoadMemory(model, modelSize, modelId, {workPtr, workSize},
                                        {weightPtr, weightSize});
  });
}

aclError aclmdlLoadFromFileWithQ(const char* /*modelPath*/, uint32_t* /*modelId*/,
                                 const uint32_t* /*inputQ*/, size_t /*inputQNum*/,
                                 const uint32_t* /*outputQ*/, size_t /*outputQNum*/) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::NoQueues(); });
}

aclError aclmdlLoadFromMemWithQ(const void* /*model*/, size_t /*modelSize*/, uint32_t* /*modelId*/,
                                const uint32_t* /*inputQ*/, size_t /*inputQNum*/,
                                const uint32_t* /*outputQ*/, size_t /*outputQNum*/) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::NoQueues(); });
}

aclmdlConfigHandle* aclmdlCreateConfigHandle() noexcept {
  omserve::hostacl::SetCurrentFunction(__func__);
  return static_cast<aclmdlConfigHandle*>(
      omserve::hostacl::LoadConfigs().Add(std::make_shared<omserve::hostacl::LoadConfig>()));
}

aclError aclmdlDestroyConfigHandle(aclmdlConfigHandle* handle) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::DestroyObject(omserve::hostacl::LoadConfigs(), "load configuration",
                                           handle);
  });
}

aclError aclmdlSetConfigOpt(aclmdlConfigHandle* handle, aclmdlConfigAttr attr,
                            const void* attrValue, size_t valueSize) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::SetOption(handle, attr, attrValue, valueSize); });
}

aclError aclmdlLoadWithConfig(const aclmdlConfigHandle* handle, uint32_t* modelId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::LoadConfigured(handle, modelId); });
}

aclError aclmdlSetExternalWeightAddress(aclmdlConfigHandle* handle, const char* weightFileName,
                                        void* devPtr, size_t size) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::SetExternalWeight(handle, weightFileName, devPtr, size);
  });
}

aclError aclmdlSetAttribute(uint32_t modelId, aclmdlAttr attr,
                            aclmdlAttrValue_t* attrValue) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SetAttribute(modelId, attr, attrValue); });
}

aclError aclmdlUnload(uint32_t modelId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Unload(modelId); });
}

aclError aclmdlQuerySize(const char* fileName, size_t* workSize, size_t* weightSize) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::QuerySizeOfPath(fileName, workSize, weightSize); });
}

aclError aclmdlQuerySizeFromMem(const void* model, size_t modelSize, size_t* workSize,
                                size_t* weightSize) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::QuerySizeOfMemory(model, modelSize, workSize, weightSize);
  });
}
