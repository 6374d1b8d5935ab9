// SPDX-License-Identifier: Apache-2.0
// The C interface: loading, unloading and executing models.
#include <cstring>
#include <optional>

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
  return absl::OkStatus();
}

absl::Status LoadPath(const char* path, uint32_t* model_id, GivenMemory work = {},
                      GivenMemory weights = {}) {
  ASSIGN_OR_RETURN(const MappedFile file, OpenModel(path));
  return WithContext(LoadBytes(file.bytes(), model_id, work, weights), fmt::format("'{}'", path));
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

template <typename T>
absl::Status ReadOption(aclmdlConfigAttr attr, const void* value, size_t size_bytes, T* out) {
  if (size_bytes != sizeof(T)) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclmdlSetConfigOpt: option {} has {} bytes, expected {}",
                static_cast<int>(attr), size_bytes, sizeof(T));
  }
  std::memcpy(out, value, sizeof(T));
  return absl::OkStatus();
}

absl::Status SetOption(aclmdlConfigHandle* handle, aclmdlConfigAttr attr, const void* value,
                       size_t size_bytes) {
  ASSIGN_OR_RETURN(const std::shared_ptr<LoadConfig> config,
                   FindObject(LoadConfigs(), "load configuration", handle));
  if (value == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclmdlSetConfigOpt: the value of option {} is null",
                static_cast<int>(attr));
  }
  switch (attr) {
    case ACL_MDL_LOAD_TYPE_SIZET:
      return ReadOption(attr, value, size_bytes, &config->load_type);
    case ACL_MDL_PATH_PTR: {
      const char* path = nullptr;
      RETURN_IF_ERROR(ReadOption(attr, value, size_bytes, &path));
      config->path = path == nullptr ? "" : path;
      return absl::OkStatus();
    }
    case ACL_MDL_MEM_ADDR_PTR:
      return ReadOption(attr, value, size_bytes, &config->file);
    case ACL_MDL_MEM_SIZET:
      return ReadOption(attr, value, size_bytes, &config->file_bytes);
    case ACL_MDL_WEIGHT_ADDR_PTR:
      return ReadOption(attr, value, size_bytes, &config->weights.address);
    case ACL_MDL_WEIGHT_SIZET:
      return ReadOption(attr, value, size_bytes, &config->weights.size_bytes);
    case ACL_MDL_WORKSPACE_ADDR_PTR:
      return ReadOption(attr, value, size_bytes, &config->work.address);
    case ACL_MDL_WORKSPACE_SIZET:
      return ReadOption(attr, value, size_bytes, &config->work.size_bytes);
    case ACL_MDL_PRIORITY_INT32:
    case ACL_MDL_WORKSPACE_MEM_OPTIMIZE:
      return absl::OkStatus();  // Tunes the chip.
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

absl::Status Unload(uint32_t model_id) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  return here.runtime->models().Unload(model_id, here.context->handle);
}

absl::Status QuerySize(std::span<const std::byte> file, size_t* work, size_t* weights) {
  if (work == nullptr || weights == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclmdlQuerySize: an output pointer is null");
  }
  ASSIGN_OR_RETURN(const om::ModelDescription model, DescribeFile(file));
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

absl::StatusOr<std::shared_ptr<Model>> FindModel(const Here& here, uint32_t model_id) {
  ASSIGN_OR_RETURN(std::shared_ptr<Model> model, here.runtime->models().Find(model_id));
  if (model->context() != here.context->handle) {
    return Fail(ACL_ERROR_RT_MODEL_CONTEXT,
                "model '{}' (id {}): it was loaded in another context than this thread's",
                model->description().name, model_id);
  }
  return model;
}

absl::Status ExecuteAsync(uint32_t model_id, const aclmdlDataset* input, aclmdlDataset* output,
                          aclrtStream handle) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, FindModel(here, model_id));
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  Execution execution;
  ASSIGN_OR_RETURN(execution.inputs, SnapshotBuffers(input, "input"));
  ASSIGN_OR_RETURN(execution.outputs, SnapshotBuffers(output, "output"));
  RETURN_IF_ERROR(model->Check(execution));
  ASSIGN_OR_RETURN(const std::shared_ptr<void> token, Model::BeginExecution(model, stream->id()));
  return stream->Enqueue(TaskKind::kWork, {TaskClass::kExecute, model->description().name},
                         [model, token, execution](Interrupt&) { return model->Run(execution); });
}

// Device memory for the outputs that the caller left to the library; given back unless kept.
class AllocatedOutputs final {
 public:
  AllocatedOutputs() = default;
  AllocatedOutputs(const AllocatedOutputs&) = delete;
  AllocatedOutputs& operator=(const AllocatedOutputs&) = delete;
  ~AllocatedOutputs() {
    for (const Item& item : items_) {
      item.buffer->data = nullptr;
      item.buffer->size_bytes = 0;
      item.device->memory().Free(item.address).IgnoreError();
    }
  }

  absl::Status Allocate(const Model& model, const aclmdlDataset* output) {
    ASSIGN_OR_RETURN(const std::shared_ptr<Dataset> dataset,
                     FindObject(Datasets(), "dataset", output));
    const std::vector<om::IoDescription>& outputs = model.description().outputs;
    for (size_t i = 0; i < dataset->buffers.size() && i < outputs.size(); ++i) {
      const std::shared_ptr<DataBuffer> buffer = DataBuffers().Find(dataset->buffers[i]);
      if (buffer == nullptr || buffer->data != nullptr || buffer->size_bytes != 0) {
        continue;
      }
      ASSIGN_OR_RETURN(void* const address,
                       model.device()->memory().Allocate(outputs[i].size_bytes, kMallocExtraBytes));
      buffer->data = address;
      buffer->size_bytes = outputs[i].size_bytes;
      items_.push_back(Item{buffer, model.device(), address});
    }
    return absl::OkStatus();
  }
  // From here on they are the caller's, who frees them with aclrtFree.
  void Keep() { items_.clear(); }

 private:
  struct Item {
    std::shared_ptr<DataBuffer> buffer;
    std::shared_ptr<Device> device;
    void* address;
  };
  std::vector<Item> items_;
};

absl::Status Execute(uint32_t model_id, const aclmdlDataset* input, aclmdlDataset* output) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, FindModel(here, model_id));
  AllocatedOutputs allocated;
  RETURN_IF_ERROR(allocated.Allocate(*model, output));
  Execution execution;
  ASSIGN_OR_RETURN(execution.inputs, SnapshotBuffers(input, "input"));
  ASSIGN_OR_RETURN(execution.outputs, SnapshotBuffers(output, "output"));
  RETURN_IF_ERROR(model->Check(execution));
  Stream& stream = model->sync_stream();
  ASSIGN_OR_RETURN(std::shared_ptr<void> token, Model::BeginExecution(model, stream.id()));
  // The result of this execution and no other: several threads may be in here.
  const auto result = std::make_shared<Failure>(ToFailure(
      Fail(ACL_ERROR_RT_DEVICE_TASK_ABORT, "the execution was dropped: AscendCL was finalised")));
  RETURN_IF_ERROR(stream.Enqueue(TaskKind::kWork, {TaskClass::kExecute, model->description().name},
                                 [model, token = std::move(token), execution, result](Interrupt&) {
                                   absl::Status status = model->Run(execution);
                                   *result = ToFailure(status);
                                   return status;
                                 }));
  stream.Drain();
  if (result->ok()) {
    allocated.Keep();
  }
  return result->ToStatus();
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Answer;
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
  return static_cast<aclmdlConfigHandle*>(
      omserve::hostacl::LoadConfigs().Add(std::make_shared<omserve::hostacl::LoadConfig>()));
}

aclError aclmdlDestroyConfigHandle(aclmdlConfigHandle* handle) noexcept {
  return omserve::hostacl::LoadConfigs().Remove(handle) == nullptr
             ? Answer(omserve::hostacl::UnknownHandle("load configuration", handle))
             : ACL_SUCCESS;
}

aclError aclmdlSetConfigOpt(aclmdlConfigHandle* handle, aclmdlConfigAttr attr,
                            const void* attrValue, size_t valueSize) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::SetOption(handle, attr, attrValue, valueSize); });
}

aclError aclmdlLoadWithConfig(const aclmdlConfigHandle* handle, uint32_t* modelId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::LoadConfigured(handle, modelId); });
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

aclError aclmdlExecute(uint32_t modelId, const aclmdlDataset* input,
                       aclmdlDataset* output) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Execute(modelId, input, output); });
}

aclError aclmdlExecuteAsync(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output,
                            aclrtStream stream) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::ExecuteAsync(modelId, input, output, stream); });
}
