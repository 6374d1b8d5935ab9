// SPDX-License-Identifier: Apache-2.0
// The device as omserve sees it: AscendCL's C functions behind move-only owners. No AscendCL type
// leaves this folder. The same code runs on CANN's libascendcl.so and on the CPU device's.
//
// Every call that fails returns the AscendCL code's meaning as a Status (error_table.h): our own
// and the device's faults are kInternal, exhausted resources kResourceExhausted, a missing library,
// driver or device kUnavailable. The message holds the function, the code, its name, cause and
// advice, and AscendCL's own words.
//
// Thread rule: a thread must call Device::Bind once before it uses anything of that device.
#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"

namespace omserve::acl {

struct Symbols;  // The symbol table; runtime/acl/symbols.h.
class Device;
class Runtime;

// An address in device memory. Arithmetic is allowed, touching it from the host is not.
struct DevicePtr {
  uintptr_t address = 0;

  DevicePtr operator+(size_t offset_bytes) const { return {address + offset_bytes}; }
  explicit operator bool() const { return address != 0; }
  auto operator<=>(const DevicePtr&) const = default;
};

// Handles below that were made before Device::Abandon are void: their destructors leave the device
// alone, which frees what they named when it is reset.

// Device memory; freed at destruction, when no task may use it any longer.
class DeviceBuffer final {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  ~DeviceBuffer();

  DevicePtr get() const { return ptr_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  friend class Device;
  DeviceBuffer(const Device* device, DevicePtr ptr, size_t size_bytes);

  const Device* device_ = nullptr;
  uint64_t generation_ = 0;  // Of the device when this was made.
  DevicePtr ptr_;
  size_t size_bytes_ = 0;
};

// Pinned host memory, 64-byte aligned. It belongs to the process: abandoning the device leaves it.
class HostBuffer final {
 public:
  HostBuffer() = default;
  HostBuffer(HostBuffer&& other) noexcept;
  HostBuffer& operator=(HostBuffer&& other) noexcept;
  ~HostBuffer();

  std::span<std::byte> bytes() const { return {data_, size_bytes_}; }

 private:
  friend class Device;
  HostBuffer(const Device* device, std::byte* data, size_t size_bytes)
      : device_(device), data_(data), size_bytes_(size_bytes) {}

  const Device* device_ = nullptr;
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

// Host memory of the program's own that copies to and from the device may use as if it were pinned.
class RegisteredHost final {
 public:
  RegisteredHost() = default;
  RegisteredHost(RegisteredHost&& other) noexcept;
  RegisteredHost& operator=(RegisteredHost&& other) noexcept;
  // No task may use the memory any longer.
  ~RegisteredHost();

  explicit operator bool() const { return device_ != nullptr; }

 private:
  friend class Device;
  RegisteredHost(const Device* device, std::byte* data) : device_(device), data_(data) {}

  const Device* device_ = nullptr;
  std::byte* data_ = nullptr;
};

// Orders streams against each other and against the host. Re-recordable; a wait concerns the newest
// record at the time of the wait call.
class Event final {
 public:
  Event() = default;
  Event(Event&& other) noexcept;
  Event& operator=(Event&& other) noexcept;
  ~Event();

  // True when the newest record has been reached (and before any record). Never blocks.
  absl::StatusOr<bool> IsComplete() const;
  // Microseconds on the device's clock at which the newest record was reached; comparable between
  // streams of one device. nullopt when the library is too old to say (before CANN 8.5) or the
  // event was made without timing. Requires IsComplete().
  std::optional<uint64_t> TimestampUs() const;

 private:
  friend class Device;
  friend class Stream;
  friend absl::StatusOr<float> ElapsedMs(const Event& start, const Event& end);
  Event(const Device* device, void* handle, bool timed, bool renews);

  const Device* device_ = nullptr;
  uint64_t generation_ = 0;
  void* handle_ = nullptr;
  bool timed_ = false;
  // Before CANN 7.1 an event cannot be recorded twice without a reset that no stream may still be
  // waiting behind. There a second record takes a new event and lets the old one go, which AscendCL
  // frees when its waiters are through.
  bool renews_ = false;
  bool recorded_ = false;
};

// Milliseconds from `start` to `end`, both reached and recorded on the same stream.
absl::StatusOr<float> ElapsedMs(const Event& start, const Event& end);

// Tasks of one stream run in order; different streams overlap. Every method only enqueues, unless
// it says that it blocks. Thread-compatible.
class Stream final {
 public:
  Stream() = default;
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  // Waits for the tasks.
  ~Stream();

  // `host` is pinned memory and both sides live until the copy has run.
  absl::Status CopyToDevice(DevicePtr to, std::span<const std::byte> host);
  absl::Status CopyToHost(std::span<std::byte> host, DevicePtr from);
  absl::Status CopyOnDevice(DevicePtr to, DevicePtr from, size_t size_bytes);

  absl::Status Record(Event& event);
  absl::Status Wait(const Event& event);

  // Runs `function(argument)` on the completion thread (CompletionThread) after all tasks so far;
  // later tasks do not wait for it. The function must not call the device and must not block.
  absl::Status Notify(void (*function)(void*), void* argument);

  // Blocks until all tasks so far have run. The first task error since the last call is returned.
  absl::Status Synchronize();

  // As Synchronize, for so long at most: then kDeadlineExceeded, and the tasks go on. Where the
  // library cannot limit it (before CANN 6.3) it waits to the end.
  absl::Status SynchronizeFor(std::chrono::milliseconds limit);

  // The first failure of a task of this stream since the last call; OK when there was none. Never
  // blocks. Reported through AscendCL's exception callback. A failure that belongs to no stream
  // made here (a model's inner streams; any, on a library without stream ids, before CANN 8.5) is
  // attributed to every stream of the device.
  absl::Status TakeTaskError();

  // Destroys the stream without waiting for its tasks: the one that runs is given up, those behind
  // it are dropped. Afterwards no task of it touches memory. kUnimplemented on a library before
  // CANN 6.3, which only waits; then the stream is as before.
  absl::Status DestroyByForce();

  // AscendCL's number of this stream, for traces; -1 when the library is too old to say.
  int32_t id() const { return id_; }

 private:
  friend class Device;
  friend class CompletionThread;
  friend class Model;
  Stream(const Device* device, void* handle, int32_t id, uint64_t watch);
  absl::Status StatusOf(const char* function, int code) const;

  const Device* device_ = nullptr;
  uint64_t generation_ = 0;
  void* handle_ = nullptr;
  int32_t id_ = -1;
  uint64_t watch_ = 0;  // Of TaskErrors.
};

// A device and its default context. Must outlive everything made from it; the Runtime outlives it.
// Thread-safe, by the thread rule above.
class Device final {
 public:
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  // Makes this device's context current in the calling thread.
  absl::Status Bind() const;

  absl::StatusOr<Stream> CreateStream() const;
  absl::StatusOr<Event> CreateEvent(bool timed) const;
  // Contents undefined. Size 0 gives an empty buffer. Slow: not for the request path.
  absl::StatusOr<DeviceBuffer> Allocate(size_t size_bytes) const;
  absl::StatusOr<HostBuffer> AllocateHost(size_t size_bytes) const;
  // Whole pages of the process's memory, which stay where they are until the result goes. Errors:
  // kUnimplemented before CANN 8.5, and on a device of one memory that has another address for it.
  absl::StatusOr<RegisteredHost> RegisterHost(std::span<std::byte> pages) const;
  // Whether host and device are one memory, as on a chip that is the host itself (run mode
  // "device"): a model may read and write pinned memory where it is.
  bool is_one_memory() const { return is_one_memory_; }
  // Of pinned or registered memory. Requires is_one_memory().
  static DevicePtr AddressOf(std::span<const std::byte> pinned) {
    return {reinterpret_cast<uintptr_t>(pinned.data())};
  }
  // Synchronous; for set-up, not for the request path.
  absl::Status Clear(DevicePtr at, size_t size_bytes) const;
  absl::Status CopyToDeviceNow(DevicePtr to, std::span<const std::byte> host) const;

  struct Memory {
    size_t free_bytes = 0;
    size_t total_bytes = 0;
  };
  absl::StatusOr<Memory> memory() const;
  // Shares of full use, 0 to 1; nullopt where the device does not say. Means nothing while the
  // device is profiled. kUnimplemented before CANN 7.0, as IsNormal.
  struct Utilization {
    std::optional<double> cube;
    std::optional<double> vector;
    std::optional<double> ai_cpu;
  };
  absl::StatusOr<Utilization> utilization() const;
  // Whether AscendCL holds the device for sound.
  absl::StatusOr<bool> IsNormal() const;

  // A small copy to the device and back, for whether it still works after a failure that makes that
  // doubtful. Blocks, for a second at most where the library can limit it (CANN 6.3).
  absl::Status Probe() const;

  // For a device that is lost: makes void everything that was made from it (see above). Calls that
  // are under way fail at the device. Then, once no thread uses the device: Reset frees all that it
  // held, and after that no task touches memory of this process; Reopen opens it and binds the
  // calling thread, others bind anew. Both may be tried again. Errors: AscendCL's.
  void Abandon() {
    is_abandoned_ = true;
    generation_.fetch_add(1, std::memory_order_acq_rel);
  }
  absl::Status Reset();
  absl::Status Reopen();
  // How often the device was abandoned.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  int id() const { return id_; }
  const Symbols& symbols() const { return *symbols_; }
  // The first task failure of stream `stream_id` since the last call, as Stream::TakeTaskError.
  absl::Status TakeTaskError(int32_t stream_id) const;

 private:
  friend class Runtime;
  Device(const Symbols* symbols, int id, void* context, bool is_one_memory)
      : symbols_(symbols), id_(id), is_one_memory_(is_one_memory), context_(context) {}

  const Symbols* symbols_;
  int id_;
  bool is_one_memory_;
  // Both: released by who recovers the device, acquired by who uses it next.
  std::atomic<void*> context_;
  std::atomic<uint64_t> generation_{0};
  // Confined to who abandons, opens and destroys the device, who do so one after the other.
  bool is_set_ = true;
  bool is_abandoned_ = false;  // Since it was opened.
};

// Runs the functions given to Stream::Notify: one thread per device, in aclrtProcessReport.
// Thread-safe.
class CompletionThread final {
 public:
  // Starts the thread. `device` outlives it.
  static absl::StatusOr<std::unique_ptr<CompletionThread>> Start(const Device& device);
  CompletionThread(const CompletionThread&) = delete;
  CompletionThread& operator=(const CompletionThread&) = delete;
  // Requires that no subscribed stream has work left.
  ~CompletionThread();

  // Before the first Notify on `stream`.
  absl::Status Subscribe(Stream& stream);
  // After the stream's work is done, before it is destroyed.
  absl::Status Unsubscribe(Stream& stream);

 private:
  explicit CompletionThread(const Device& device) : device_(device) {}
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until a stream is subscribed; false when it is time to stop.
  bool AwaitWork() ABSL_LOCKS_EXCLUDED(mu_);
  // After a failed aclrtProcessReport: waits a moment, so that a library that fails at once does
  // not take a core.
  void Pause() ABSL_LOCKS_EXCLUDED(mu_);

  const Device& device_;

  Mutex mu_;
  CondVar changed_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  size_t subscription_count_ ABSL_GUARDED_BY(mu_) = 0;
  // What Start waits for: the thread's pthread_self(), or why it could not begin.
  std::optional<absl::StatusOr<uint64_t>> thread_id_ ABSL_GUARDED_BY(mu_);

  std::jthread thread_;  // Last: joined before what it uses goes.
};

// The library, opened and initialised (aclInit); finalised at destruction, so it must not be a
// static object. One at a time. Thread-compatible.
class Runtime final {
 public:
  struct Options {
    // Path of libascendcl.so. Empty: the loader's own search first (a CANN installation), then the
    // CPU device shipped beside the program.
    std::string library;
    // JSON file for aclInit; empty for none.
    std::string config_file;
  };
  // Errors: kUnavailable naming the libraries tried, or the missing symbol, and the remedy;
  // kInvalidArgument for a config file that AscendCL refuses; kFailedPrecondition while another
  // Runtime is open; AscendCL's own failures by class.
  static absl::StatusOr<std::unique_ptr<Runtime>> Open(const Options& options);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime();

  // Binds the calling thread too. kInvalidArgument when there is no device `id`; kUnavailable when
  // there is none at all, or its driver fails.
  absl::StatusOr<std::unique_ptr<Device>> OpenDevice(int id);

  // The file that was opened.
  const std::string& library() const { return library_; }
  // One line when a CANN installation was found and could not be opened, so that the CPU device
  // stands in for a chip that may be there; else empty.
  const std::string& passed_over() const { return passed_over_; }
  const std::string& soc_name() const { return soc_name_; }
  // True when the CPU device stands in.
  bool is_host() const;
  uint32_t device_count() const { return device_count_; }
  // "1.14.0", the API's version.
  const std::string& version() const { return version_; }
  const Symbols& symbols() const { return *symbols_; }

 private:
  explicit Runtime(std::unique_ptr<Symbols> symbols);
  absl::Status Initialise(const std::string& config_file);
  absl::Status Describe();

  std::string library_;
  std::string passed_over_;
  std::string soc_name_;
  std::string version_;
  uint32_t device_count_ = 0;
  std::unique_ptr<Symbols> symbols_;
  // Steps of Open that the destructor takes back.
  bool initialised_ = false;        // aclInit counted us.
  bool initialised_first_ = false;  // Nobody else in the process had called it.
  bool watching_ = false;           // TaskErrors is installed.
};

}  // namespace omserve::acl
