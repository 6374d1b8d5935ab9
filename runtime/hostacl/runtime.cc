// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/runtime.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/fault_plan.h"

namespace omserve::hostacl {
namespace {

int32_t NextStreamId() {
  // Relaxed: only uniqueness matters.
  static std::atomic<int32_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

absl::StatusOr<std::shared_ptr<Runtime>> Runtime::Create(const Settings& settings) {
  std::vector<std::shared_ptr<Device>> devices;
  for (int32_t index = 0; index < settings.device_count; ++index) {
    ASSIGN_OR_RETURN(std::shared_ptr<Device> device, Device::Create(index, settings));
    devices.push_back(std::move(device));
  }
  return std::shared_ptr<Runtime>(new Runtime(settings, std::move(devices)));  // NOLINT: private.
}

Runtime::Runtime(const Settings& settings, std::vector<std::shared_ptr<Device>> devices)
    : settings_(settings),
      order_(settings.strict == StrictLevel::kOff
                 ? nullptr
                 : std::make_shared<OrderChecker>(settings.strict, settings.strict_report)),
      memory_(std::move(devices), settings.run_mode, order_.get()),
      models_(settings, memory_),
      reports_(order_.get()),
      slots_(memory_.devices().size()) {}

Runtime::~Runtime() { Shutdown(); }

void Runtime::ReportLeaks() {
  if (order_ != nullptr) {
    order_->ReportLeaks();
  }
}

void Runtime::Shutdown() {
  reports_.Shutdown();
  for (const std::shared_ptr<Stream>& stream : streams_.All()) {
    stream->End();
  }
  models_.Shutdown();
  events_.Clear();
  streams_.Clear();
  contexts_.Clear();
}

absl::StatusOr<std::shared_ptr<Device>> Runtime::FindDevice(int64_t index) const {
  if (index < 0 || index >= static_cast<int64_t>(memory_.devices().size())) {
    return memory_.devices().empty()
               ? Fail(ACL_ERROR_RT_INVALID_DEVICEID,
                      "device {}: this process sees none; ASCEND_RT_VISIBLE_DEVICES hides them",
                      index)
               : Fail(ACL_ERROR_RT_INVALID_DEVICEID, "device {}: there are devices 0 to {}", index,
                      memory_.devices().size() - 1);
  }
  return memory_.devices()[static_cast<size_t>(index)];
}

absl::StatusOr<std::shared_ptr<Context>> Runtime::SetDevice(int32_t index) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, FindDevice(index));
  const MutexLock lock(mu_);
  DeviceSlot& slot = slots_[static_cast<size_t>(index)];
  if (slot.default_context == nullptr) {
    ASSIGN_OR_RETURN(slot.default_context, MakeContext(device, /*is_device_default=*/true));
  }
  ++slot.set_count;
  return slot.default_context;
}

absl::Status Runtime::ResetDevice(int32_t index, bool force) {
  RETURN_IF_ERROR(FindDevice(index).status());
  std::shared_ptr<Context> ended;
  {
    const MutexLock lock(mu_);
    DeviceSlot& slot = slots_[static_cast<size_t>(index)];
    if (slot.set_count == 0) {
      return Fail(ACL_ERROR_RT_CONTEXT_NULL, "device {}: it is not set, or was reset before",
                  index);
    }
    slot.set_count = force ? 0 : slot.set_count - 1;
    if (slot.set_count == 0) {
      ended = std::exchange(slot.default_context, nullptr);
    }
  }
  if (ended != nullptr) {
    RemoveContext(*ended, force);
  }
  if (force) {
    for (const std::shared_ptr<Context>& context : contexts_.All()) {
      if (context->device->index() == index) {
        RemoveContext(*context, force);
      }
    }
  }
  if (ended != nullptr && !InUse(index)) {
    ClearDevice(*ended->device, force);
  }
  return absl::OkStatus();
}

bool Runtime::InUse(int32_t index) const {
  const std::vector<std::shared_ptr<Context>> contexts = contexts_.All();
  return std::any_of(contexts.begin(), contexts.end(),
                     [index](const auto& context) { return context->device->index() == index; });
}

void Runtime::ClearDevice(Device& device, bool force) {
  events_.RemoveIf([&device](const Event& event) { return event.device().get() == &device; });
  if (order_ != nullptr) {
    const auto [begin, size_bytes] = device.memory().range();
    order_->FreedRange(begin, size_bytes, /*is_leak=*/!force);
  }
  device.memory().FreeAll();
  ProcessFaults().OnReset(device.index());
}

bool Runtime::HasDefaultContext(int32_t index) const {
  const MutexLock lock(mu_);
  return slots_[static_cast<size_t>(index)].default_context != nullptr;
}

absl::StatusOr<std::shared_ptr<Context>> Runtime::MakeContext(const std::shared_ptr<Device>& device,
                                                              bool is_device_default) {
  RETURN_IF_ERROR(device->TakeStreams(1));
  auto context = std::make_shared<Context>();
  context->handle = NewHandle();
  context->device = device;
  context->latch = std::make_shared<FailureLatch>();
  context->is_device_default = is_device_default;
  context->default_stream = MakeStream(*context, /*is_default=*/true);
  contexts_.AddAs(context->handle, context, !is_device_default);
  return context;
}

absl::StatusOr<std::shared_ptr<Context>> Runtime::CreateContext(int32_t device_index) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, FindDevice(device_index));
  return MakeContext(device, /*is_device_default=*/false);
}

absl::Status Runtime::DestroyContext(void* handle) {
  const std::shared_ptr<Context> context = contexts_.Find(handle);
  if (context == nullptr) {
    return Fail(ACL_ERROR_RT_INVALID_HANDLE, "context {}: there is no such context",
                fmt::ptr(handle));
  }
  if (context->is_device_default) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "context {}: it is the default context of device {} and goes with aclrtResetDevice",
                fmt::ptr(handle), context->device->index());
  }
  RemoveContext(*context, /*force=*/false);
  return absl::OkStatus();
}

void Runtime::RemoveContext(const Context& context, bool force) {
  if (contexts_.Remove(context.handle) == nullptr) {
    return;
  }
  if (force) {
    Owners().RemoveContext(context.handle);
  }
  for (const std::shared_ptr<Stream>& stream : streams_.All()) {
    if (stream->context() != context.handle) {
      continue;
    }
    if (!force) {
      stream->Drain();
    }
    streams_.Remove(stream->handle());
    reports_.Forget(*stream);
    stream->End();
    context.device->streams().Return(1);
  }
  models_.DropContext(context.handle);
}

std::shared_ptr<Stream> Runtime::MakeStream(const Context& context, bool is_default) {
  Stream::Options options = StreamOptions(context);
  options.handle = NewHandle();
  options.is_default = is_default;
  auto stream = std::make_shared<Stream>(std::move(options));
  streams_.AddAs(stream->handle(), stream, !is_default);
  return stream;
}

std::shared_ptr<Stream> Runtime::MakeInternalStream(const Context& context) {
  return std::make_shared<Stream>(StreamOptions(context));
}

Stream::Options Runtime::StreamOptions(const Context& context) {
  Stream::Options options;
  options.device = context.device;
  options.context = context.handle;
  options.id = NextStreamId();
  options.latch = context.latch;
  options.on_failure = [this](aclrtExceptionInfo info) { OnTaskFailure(info); };
  options.order = order_;
  return options;
}

absl::StatusOr<std::shared_ptr<Stream>> Runtime::CreateStream(const Context& context) {
  RETURN_IF_ERROR(context.device->TakeStreams(1));
  return MakeStream(context, /*is_default=*/false);
}

absl::Status Runtime::DestroyStream(const std::shared_ptr<Stream>& stream, bool force) {
  if (stream->is_default()) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "stream {}: it is its context's default stream and goes with the context",
                stream->id());
  }
  RETURN_IF_ERROR(stream->CheckNotOnWorker("destroyed"));
  if (!force) {
    stream->Drain();
  }
  if (streams_.Remove(stream->handle()) == nullptr) {
    return Fail(ACL_ERROR_RT_INVALID_HANDLE, "stream {}: it was destroyed meanwhile", stream->id());
  }
  reports_.Forget(*stream);
  stream->End();
  stream->device()->streams().Return(1);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Stream>> Runtime::FindStream(const Context& context,
                                                            void* handle) const {
  if (handle == nullptr) {
    return context.default_stream;
  }
  std::shared_ptr<Stream> stream = streams_.Find(handle);
  if (stream == nullptr) {
    return Fail(ACL_ERROR_RT_INVALID_HANDLE,
                "stream {}: there is no such stream; was it destroyed?", fmt::ptr(handle));
  }
  if (stream->context() != context.handle) {
    return Fail(ACL_ERROR_RT_STREAM_CONTEXT,
                "stream {}: it belongs to another context than this thread's; call "
                "aclrtSetCurrentContext with the one it was made in",
                stream->id());
  }
  return stream;
}

std::vector<std::shared_ptr<Stream>> Runtime::StreamsOfDevice(int32_t index) const {
  std::vector<std::shared_ptr<Stream>> streams = streams_.All();
  std::erase_if(streams, [index](const std::shared_ptr<Stream>& stream) {
    return stream->device()->index() != index;
  });
  return streams;
}

void Runtime::SetExceptionCallback(aclrtExceptionInfoCallback callback) {
  const MutexLock lock(mu_);
  exception_callback_ = callback;
}

void Runtime::OnTaskFailure(aclrtExceptionInfo info) {
  aclrtExceptionInfoCallback callback = nullptr;
  {
    const MutexLock lock(mu_);
    callback = exception_callback_;
  }
  if (callback != nullptr) {
    callback(&info);
  }
}

}  // namespace omserve::hostacl
