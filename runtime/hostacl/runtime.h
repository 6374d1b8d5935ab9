// SPDX-License-Identifier: Apache-2.0
// The process's state between aclInit and aclFinalize: devices, contexts, streams, events, models.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/device.h"
#include "runtime/hostacl/dump.h"
#include "runtime/hostacl/event.h"
#include "runtime/hostacl/handle_table.h"
#include "runtime/hostacl/memory_map.h"
#include "runtime/hostacl/model_store.h"
#include "runtime/hostacl/profiler.h"
#include "runtime/hostacl/report.h"
#include "runtime/hostacl/settings.h"
#include "runtime/hostacl/stream.h"

namespace omserve::hostacl {

// What a thread works in. Immutable; its streams are found through Runtime.
struct Context {
  void* handle = nullptr;
  std::shared_ptr<Device> device;
  std::shared_ptr<Stream> default_stream;
  std::shared_ptr<FailureLatch> latch;
  bool is_device_default = false;
};

// Thread-safe. Invariants: 1. a device has a default context exactly while its count of SetDevice
// is above 0; 2. each context holds one stream of its device's quota, each explicit stream one
// more.
class Runtime final {
 public:
  static absl::StatusOr<std::shared_ptr<Runtime>> Create(const Settings& settings);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const Settings& settings() const { return settings_; }
  // Strict mode's; null where it is off.
  OrderChecker* order() const { return order_.get(); }

  // ACL_ERROR_RT_INVALID_DEVICEID saying which there are.
  absl::StatusOr<std::shared_ptr<Device>> FindDevice(int64_t index) const;
  // Counts up; makes the device's default context where it has none, and gives it.
  absl::StatusOr<std::shared_ptr<Context>> SetDevice(int32_t index);
  // Counts down (`force`: to 0). At 0 waits for the default context's tasks and destroys it;
  // `force` does not wait and destroys the device's explicit contexts too. With its last context
  // the device's memory and events go. Blocks.
  absl::Status ResetDevice(int32_t index, bool force);
  bool HasDefaultContext(int32_t index) const;

  absl::StatusOr<std::shared_ptr<Context>> CreateContext(int32_t device);
  // Waits for the context's streams, destroys them and unloads its models.
  // ACL_ERROR_RT_PARAM_INVALID for a default context, which goes with its device.
  absl::Status DestroyContext(void* handle);
  // Null when there is none.
  std::shared_ptr<Context> FindContext(void* handle) const { return contexts_.Find(handle); }

  absl::StatusOr<std::shared_ptr<Stream>> CreateStream(const Context& context);
  // Waits for its tasks unless `force`.
  absl::Status DestroyStream(const std::shared_ptr<Stream>& stream, bool force);
  // The stream behind `handle`, null meaning the default one. ACL_ERROR_RT_INVALID_HANDLE;
  // ACL_ERROR_RT_STREAM_CONTEXT when it belongs to another context.
  absl::StatusOr<std::shared_ptr<Stream>> FindStream(const Context& context, void* handle) const;
  std::vector<std::shared_ptr<Stream>> StreamsOfDevice(int32_t index) const;
  // A stream outside the handle table, for synchronous executions.
  std::shared_ptr<Stream> MakeInternalStream(const Context& context);

  HandleTable<Event>& events() { return events_; }
  ModelStore& models() { return models_; }
  ReportHub& reports() { return reports_; }
  MemoryMap& memory() { return memory_; }
  Profiler& profiler() { return profiler_; }
  Dump& dump() { return dump_; }

  void SetExceptionCallback(aclrtExceptionInfoCallback callback);

  // In strict mode says what the program has not given back. Before Shutdown.
  void ReportLeaks();
  // Ends every stream and wakes every waiting thread. Idempotent.
  void Shutdown();

 private:
  struct DeviceSlot {
    uint32_t set_count = 0;
    std::shared_ptr<Context> default_context;
  };

  Runtime(const Settings& settings, std::vector<std::shared_ptr<Device>> devices);
  Stream::Options StreamOptions(const Context& context);
  absl::StatusOr<std::shared_ptr<Context>> MakeContext(const std::shared_ptr<Device>& device,
                                                       bool is_device_default);
  void RemoveContext(const Context& context, bool force);
  // Whether any context of the device is left.
  bool InUse(int32_t index) const;
  void ClearDevice(Device& device, bool force);
  std::shared_ptr<Stream> MakeStream(const Context& context, bool is_default);
  void OnTaskFailure(aclrtExceptionInfo info);

  // Constant after construction.
  const Settings settings_;
  const std::shared_ptr<OrderChecker> order_;

  // Synchronise themselves.
  MemoryMap memory_;
  Profiler profiler_;
  Dump dump_;
  ModelStore models_;
  ReportHub reports_;
  HandleTable<Context> contexts_{"context"};
  HandleTable<Stream> streams_{"stream"};
  HandleTable<Event> events_{"event"};

  mutable Mutex mu_;
  std::vector<DeviceSlot> slots_ ABSL_GUARDED_BY(mu_);  // By device index.
  aclrtExceptionInfoCallback exception_callback_ ABSL_GUARDED_BY(mu_) = nullptr;
};

// The process's one Runtime; AscendCL has no object that a caller could hold instead.
// ACL_ERROR_UNINITIALIZE before aclInit.
absl::StatusOr<std::shared_ptr<Runtime>> CurrentRuntime();
// aclInit, aclFinalizeReference (`force`: aclFinalize). Error texts of table 1.1 of AscendCL.
absl::Status InitRuntime(const char* config_path);
absl::Status FinalizeRuntime(bool force, uint64_t* references_left);

// Runtime and this thread's context.
struct Here {
  std::shared_ptr<Runtime> runtime;
  std::shared_ptr<Context> context;

  Device& device() const { return *context->device; }
};
// ACL_ERROR_RT_CONTEXT_NULL when the thread has no context or the one it had was destroyed. The
// device's own failure when a fault rule has lost it.
absl::StatusOr<Here> CurrentPlace();
// The device of this thread's context; -1 without one.
int32_t ThreadDevice();
void SetThreadContext(void* handle);
// The handle that was set last in this thread, whether or not that context still exists.
void* ThreadContextHandle();

}  // namespace omserve::hostacl
