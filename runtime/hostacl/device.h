// SPDX-License-Identifier: Apache-2.0
// One device: its memory, its cores, and what it has of streams and events.
#pragma once

#include <cstdint>
#include <memory>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/device_memory.h"
#include "runtime/hostacl/settings.h"
#include "runtime/hostacl/timed_device.h"

namespace omserve::hostacl {

// Lets a given number of model executions through at once. Thread-safe.
class CoreGate final {
 public:
  explicit CoreGate(uint32_t cores) : cores_(cores), limit_(cores) {}

  // Blocks until a core is free and holds it.
  class Hold final {
   public:
    explicit Hold(CoreGate& gate) : gate_(gate) { gate_.Take(); }
    ~Hold() { gate_.Return(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    CoreGate& gate_;
  };
  // 0..100 of the cores there are.
  int32_t busy_percent() const;
  uint32_t cores() const { return cores_; }
  // How many of the cores may be held. Those who are inside stay. Requires 1 <= limit <= cores().
  void SetLimit(uint32_t limit);
  uint32_t limit() const;

 private:
  void Take();
  void Return();

  const uint32_t cores_;
  mutable Mutex mu_;
  CondVar free_cv_;
  uint32_t limit_ ABSL_GUARDED_BY(mu_);
  uint32_t held_ ABSL_GUARDED_BY(mu_) = 0;
};

// A count with a limit. Thread-safe.
class Quota final {
 public:
  explicit Quota(uint32_t limit) : limit_(limit) {}
  // False, taking nothing, when fewer than `count` are left.
  bool Take(uint32_t count);
  void Return(uint32_t count);
  uint32_t available() const;
  uint32_t limit() const { return limit_; }

 private:
  const uint32_t limit_;
  mutable Mutex mu_;
  uint32_t taken_ ABSL_GUARDED_BY(mu_) = 0;
};

// Thread-safe.
class Device final {
 public:
  static absl::StatusOr<std::shared_ptr<Device>> Create(int32_t index, const Settings& settings);

  int32_t index() const { return index_; }
  // The machine's index, where ASCEND_RT_VISIBLE_DEVICES gives this process another.
  int32_t physical_index() const { return physical_index_; }
  DeviceMemory& memory() const { return *memory_; }
  CoreGate& cores() { return cores_; }
  // Null unless the engine is the timed one.
  TimedDevice* timed() const { return timed_.get(); }
  // How much of the cores is busy, whichever engine uses them; 0..100.
  int32_t busy_percent() const;
  Quota& streams() { return streams_; }
  Quota& events() { return events_; }
  // ACL_ERROR_RT_NO_STREAM_RESOURCE saying how many there are.
  absl::Status TakeStreams(uint32_t count);
  Clock::time_point started_at() const { return started_at_; }

 private:
  Device(int32_t index, const Settings& settings, std::unique_ptr<DeviceMemory> memory);

  const int32_t index_;
  const int32_t physical_index_;
  const Clock::time_point started_at_;
  const std::unique_ptr<DeviceMemory> memory_;
  CoreGate cores_;
  const std::unique_ptr<TimedDevice> timed_;
  Quota streams_;
  Quota events_;
};

}  // namespace omserve::hostacl
