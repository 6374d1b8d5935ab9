// SPDX-License-Identifier: Apache-2.0
// The C interface: executing models.
#include "runtime/hostacl/data_objects.h"
#include "runtime/hostacl/dynamic_execution.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"
#include "runtime/hostacl/timeouts.h"

namespace omserve::hostacl {
namespace {

absl::StatusOr<std::shared_ptr<Model>> FindModel(const Here& here, uint32_t model_id) {
  ASSIGN_OR_RETURN(std::shared_ptr<Model> model, here.runtime->models().Find(model_id));
  if (model->context() != here.context->handle) {
    return Fail(ACL_ERROR_RT_MODEL_CONTEXT,
                "model '{}' (id {}): it was loaded in another context than this thread's",
                model->description().name, model_id);
  }
  return model;
}

// Runs in the stream's worker, seen by dump and profiling where they are on. `run` is called with
// the model and dump's tap.
template <typename Run>
absl::Status RunSeen(Runtime& runtime, const Model& model, const Stream& stream, const Run& run) {
  const Clock::time_point begin = SteadyClock().Now();
  absl::Status status = run(model, runtime.dump().TapOf(model));
  runtime.profiler().Record({.model_id = model.id(),
                             .model_name = model.description().name,
                             .device = stream.device()->index(),
                             .stream = stream.id(),
                             .begin = begin,
                             .end = SteadyClock().Now(),
                             .code = AclCodeOf(status)});
  return status;
}

// Its text stays as long as the model, which the task keeps.
TaskLabel LabelOf(const Model& model) {
  return {.type = TaskType::kExecute, .model = model.description().name, .model_id = model.id()};
}

// Puts `run`, one execution, into `stream`, with `result` (may be null) told how it ended.
template <typename Run>
absl::Status EnqueueRun(const Here& here, const std::shared_ptr<Model>& model, Stream& stream,
                        std::shared_ptr<Failure> result, Run run) {
  ASSIGN_OR_RETURN(std::shared_ptr<void> token, Model::BeginExecution(model, stream.id()));
  // The runtime outlives its streams' tasks: it ends them before it goes. So does the stream.
  return stream.Enqueue(LabelOf(*model),
                        [runtime = here.runtime.get(), model, &stream, run = std::move(run),
                         token = std::move(token), result = std::move(result)](Interrupt&) {
                          absl::Status status = RunSeen(*runtime, *model, stream, run);
                          if (result != nullptr) {
                            *result = ToFailure(status);
                          }
                          return status;
                        });
}

absl::Status Launch(const Here& here, const std::shared_ptr<Model>& model,
                    const aclmdlDataset* input, const aclmdlDataset* output, Stream& stream,
                    std::shared_ptr<Failure> result) {
  Execution execution;
  ASSIGN_OR_RETURN(execution.inputs, SnapshotBuffers(input, "input"));
  ASSIGN_OR_RETURN(execution.outputs, SnapshotBuffers(output, "output"));
  RETURN_IF_ERROR(model->Check(execution));
  return EnqueueRun(here, model, stream, std::move(result),
                    [execution = std::move(execution)](const Model& of, const TensorTap& tap) {
                      return of.Run(execution, tap);
                    });
}

// Likewise, for a model of dynamic shape.
absl::Status LaunchDynamic(const Here& here, const std::shared_ptr<Model>& model,
                           const std::shared_ptr<DynamicExecution>& execution, Stream& stream,
                           std::shared_ptr<Failure> result) {
  return EnqueueRun(
      here, model, stream, std::move(result),
      [execution](const Model& of, const TensorTap& tap) { return execution->Run(of, tap); });
}

absl::Status ExecuteAsync(uint32_t model_id, const aclmdlDataset* input,
                          const aclmdlDataset* output, aclrtStream handle) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, FindModel(here, model_id));
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  if (model->has_dynamic_shape()) {
    ASSIGN_OR_RETURN(const std::shared_ptr<DynamicExecution> execution,
                     DynamicExecution::Make(*model, input, output, NullOutputs::kRefused));
    return LaunchDynamic(here, model, execution, *stream, nullptr);
  }
  return Launch(here, model, input, output, *stream, nullptr);
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
  // From here on they are the caller's, who frees them with aclrtFree. `order` is strict mode's.
  void Keep(OrderChecker* order) {
    for (const Item& item : items_) {
      if (order != nullptr) {
        const size_t size_bytes = item.buffer->size_bytes;
        order->Allocated(item.address, size_bytes, CurrentOwner("device memory", size_bytes));
      }
    }
    items_.clear();
  }

 private:
  struct Item {
    std::shared_ptr<DataBuffer> buffer;
    std::shared_ptr<Device> device;
    void* address;
  };
  std::vector<Item> items_;
};

// An execution whose caller waits for it, and may leave the outputs' memory to the library.
class AwaitedExecution final {
 public:
  absl::Status Launch(const Here& here, const std::shared_ptr<Model>& model,
                      const aclmdlDataset* input, const aclmdlDataset* output, Stream& stream,
                      std::shared_ptr<Failure> result) {
    if (model->has_dynamic_shape()) {
      ASSIGN_OR_RETURN(dynamic_,
                       DynamicExecution::Make(*model, input, output, NullOutputs::kAllocated));
      return LaunchDynamic(here, model, dynamic_, stream, std::move(result));
    }
    RETURN_IF_ERROR(allocated_.Allocate(*model, output));
    return hostacl::Launch(here, model, input, output, stream, std::move(result));
  }
  // It has succeeded.
  void Succeeded(OrderChecker* order) {
    allocated_.Keep(order);
    if (dynamic_ != nullptr) {
      dynamic_->HandOver(order);
    }
  }
  // Nobody waits any longer. The work goes on, and writes to memory that was allocated before.
  void Abandon(OrderChecker* order) { allocated_.Keep(order); }

 private:
  AllocatedOutputs allocated_;
  std::shared_ptr<DynamicExecution> dynamic_;
};

absl::Status Execute(uint32_t model_id, const aclmdlDataset* input, const aclmdlDataset* output) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, FindModel(here, model_id));
  // The result of this execution and no other: several threads may be in here.
  const auto result = std::make_shared<Failure>(ToFailure(
      Fail(ACL_ERROR_RT_DEVICE_TASK_ABORT, "the execution was dropped: AscendCL was finalised")));
  AwaitedExecution execution;
  RETURN_IF_ERROR(execution.Launch(here, model, input, output, model->sync_stream(), result));
  model->sync_stream().Drain();
  if (result->ok()) {
    execution.Succeeded(here.runtime->order());
  }
  return result->ToStatus();
}

absl::StatusOr<ExecConfig> FindConfig(const aclmdlExecConfigHandle* handle) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ExecConfig> config,
                   FindObject(ExecConfigs(), "execution configuration", handle));
  return *config;
}

// A launch and a synchronisation of the stream, which therefore also tells earlier failures.
absl::Status ExecuteOn(uint32_t model_id, const aclmdlDataset* input, const aclmdlDataset* output,
                       aclrtStream handle, const aclmdlExecConfigHandle* config_handle) {
  ASSIGN_OR_RETURN(const ExecConfig config, FindConfig(config_handle));
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, FindModel(here, model_id));
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  ASSIGN_OR_RETURN(const Clock::time_point deadline, DeadlineAfterMs(config.stream_timeout_ms));
  AwaitedExecution execution;
  RETURN_IF_ERROR(execution.Launch(here, model, input, output, *stream, nullptr));
  absl::Status status = stream->Synchronize(deadline);
  if (status.ok()) {
    execution.Succeeded(here.runtime->order());
  } else if (AclCodeOf(status) == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT) {
    execution.Abandon(here.runtime->order());
  }
  return status;
}

absl::Status SetExecOption(aclmdlExecConfigHandle* handle, aclmdlExecConfigAttr attr,
                           const void* value, size_t size_bytes) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ExecConfig> config,
                   FindObject(ExecConfigs(), "execution configuration", handle));
  if (attr != ACL_MDL_STREAM_SYNC_TIMEOUT && attr != ACL_MDL_EVENT_SYNC_TIMEOUT) {
    return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "aclmdlSetExecConfigOpt: option {} is not supported by this device, as by most; "
                "the timeouts 0 and 1 are",
                static_cast<int>(attr));
  }
  int32_t timeout_ms = 0;
  RETURN_IF_ERROR(ReadOption("aclmdlSetExecConfigOpt", attr, value, size_bytes, &timeout_ms));
  RETURN_IF_ERROR(DeadlineAfterMs(timeout_ms).status());
  if (attr == ACL_MDL_STREAM_SYNC_TIMEOUT) {  // There are no events inside a host model.
    config->stream_timeout_ms = timeout_ms;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclmdlExecute(uint32_t modelId, const aclmdlDataset* input,
                       aclmdlDataset* output) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Execute(modelId, input, output); });
}

aclError aclmdlExecuteAsync(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output,
                            aclrtStream stream) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::ExecuteAsync(modelId, input, output, stream); });
}

aclError aclmdlExecuteV2(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output,
                         aclrtStream stream, const aclmdlExecConfigHandle* handle) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::ExecuteOn(modelId, input, output, stream, handle); });
}

aclError aclmdlExecuteAsyncV2(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output,
                              aclrtStream stream, const aclmdlExecConfigHandle* handle) noexcept {
  return Enter(__func__, [&]() -> absl::Status {
    // Nothing is waited for, so that the timeouts have no meaning.
    RETURN_IF_ERROR(omserve::hostacl::FindConfig(handle).status());
    return omserve::hostacl::ExecuteAsync(modelId, input, output, stream);
  });
}

aclmdlExecConfigHandle* aclmdlCreateExecConfigHandle() noexcept {
  omserve::hostacl::SetCurrentFunction(__func__);
  return static_cast<aclmdlExecConfigHandle*>(
      omserve::hostacl::ExecConfigs().Add(std::make_shared<omserve::hostacl::ExecConfig>()));
}

aclError aclmdlDestroyExecConfigHandle(const aclmdlExecConfigHandle* handle) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::DestroyObject(omserve::hostacl::ExecConfigs(),
                                           "execution configuration", handle);
  });
}

aclError aclmdlSetExecConfigOpt(aclmdlExecConfigHandle* handle, aclmdlExecConfigAttr attr,
                                const void* attrValue, size_t valueSize) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::SetExecOption(handle, attr, attrValue, valueSize); });
}
